//! Replication and submission: ours beside NATS JetStream, PostgreSQL and SQLite, in one run.
//!
//! ```text
//!  peerwright-bench-replication ─ corpus, rounds, report
//!      └─▶ probe, a process of its own in a network namespace of its own: one side, one case
//!             corpus ─▶ source ═══▶ replicas ─▶ compared with the corpus ─▶ outcome, one line of JSON
//! ```

mod chain;
mod corpus;
mod limits;
mod nats;
mod ours;
mod plan;
mod postgres;
mod programs;
mod quantile;
mod rounds;
mod rows;
mod server;
mod single_row;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use std::{io::Write as _, path::PathBuf, process::ExitCode};

/// Ours beside NATS JetStream, PostgreSQL and SQLite: replicas, catch-up, lag, submission
#[derive(Parser)]
#[command(name = "cargo xtask bench replication", bin_name = "cargo xtask bench replication")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Command {
    /// One side and one case, in this process
    #[command(hide = true)]
    Probe(plan::Plan),
}

/// What is measured.
#[derive(Args, Clone)]
pub(crate) struct Bench {
    /// A smoke run: 20,000 transactions, one round, three seconds of each load
    #[arg(long)]
    quick: bool,
    /// Transactions that are replicated
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(10_000..=50_000_000), conflicts_with = "quick")]
    transactions: Option<u64>,
    /// Rounds, in each of which every side has a turn
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=9), conflicts_with = "quick")]
    rounds: Option<u8>,
    /// Seconds of each load
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u16).range(1..=120), conflicts_with = "quick")]
    seconds: Option<u16>,
    /// These cases alone
    #[arg(long, value_name = "CASE", value_delimiter = ',')]
    only: Vec<plan::Case>,
    /// Ours alone: for whoever works on it
    #[arg(long)]
    alone: bool,
    /// Folder of the results, and of the data while the bench runs: its disk is what is measured
    #[arg(long, value_name = "FOLDER", default_value = "target/bench", overrides_with = "output")]
    output: PathBuf,
}

impl Bench {
    fn transactions(&self) -> u64 {
        self.transactions.unwrap_or(if self.quick { 20_000 } else { 1_000_000 })
    }

    /// Where each signature is checked, fewer do: it takes so much longer.
    fn signed_transactions(&self) -> u64 {
        (self.transactions() / 5).min(400_000)
    }

    fn rounds(&self) -> u8 {
        self.rounds.unwrap_or(if self.quick { 1 } else { 3 })
    }

    fn seconds(&self) -> u16 {
        self.seconds.unwrap_or(if self.quick { 3 } else { 10 })
    }

    fn includes(&self, case: plan::Case) -> bool {
        self.only.is_empty() || self.only.contains(&case)
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
        Some(Command::Probe(plan)) => plan.run(),
        None => rounds::run(&arguments.bench),
    }
}
