//! Fifty nodes of ours and fifty hosts of libp2p-gossipsub, each fifty in one process on loopback, side by side.
//!
//! ```text
//!  peerwright-bench-gossip ─ search, rounds, report
//!      └─▶ probe, a process of its own in a network namespace of its own: one network, one rate
//!             load ─▶ network (ours | gossipsub) ─▶ recorder ─▶ outcome, one line of JSON
//! ```

mod limits;
mod load;
mod network;
mod ours;
mod probe;
mod recorder;
mod recording_store;
mod rival;
mod rounds;
mod rows;
mod search;
mod usage;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use std::{io::Write as _, path::PathBuf, process::ExitCode};

/// Ours and libp2p-gossipsub: the highest lossless rate, latency, bytes on the wire.
#[derive(Parser)]
#[command(name = "cargo xtask bench gossip", bin_name = "cargo xtask bench gossip")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Command {
    /// One network at one rate, in this process
    #[command(hide = true)]
    Probe(probe::Plan),
}

/// What is measured.
#[derive(Args, Clone)]
pub(crate) struct Bench {
    /// A smoke run: 10 nodes, one round, a second or two at each rate
    #[arg(long)]
    quick: bool,
    /// Nodes of each side
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(3..=100), conflicts_with = "quick")]
    nodes: Option<u16>,
    /// Rounds, in each of which both sides are searched
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=9), conflicts_with = "quick")]
    rounds: Option<u8>,
    /// Seconds at each rate
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u8).range(1..=60), conflicts_with = "quick")]
    seconds: Option<u8>,
    /// Bytes of a message's payload
    #[arg(long, value_name = "BYTES", default_value_t = 256, value_parser = clap::value_parser!(u16).range(16..=16_384))]
    payload: u16,
    /// Folder of the results
    #[arg(long, value_name = "FOLDER", default_value = "target/bench", overrides_with = "output")]
    output: PathBuf,
}

impl Bench {
    fn nodes(&self) -> u16 {
        self.nodes.unwrap_or(if self.quick { 10 } else { 50 })
    }

    fn rounds(&self) -> u8 {
        self.rounds.unwrap_or(if self.quick { 1 } else { 5 })
    }

    fn seconds(&self) -> u8 {
        self.seconds.unwrap_or(if self.quick { 1 } else { 5 })
    }
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    match arguments.command {
        Some(Command::Probe(plan)) => probe::run(&plan),
        None => rounds::run(&arguments.bench),
    }
}
