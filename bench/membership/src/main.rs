//! Membership and failure detection, ours and foca's, on one kind of simulated network: the same delays, losses, pauses and
//! outages, in simulated time.
//!
//! ```text
//!  join at once ─▶ full view at all ─▶ quiet ─▶ steady traffic ─▶ one machine falls silent ─▶ known at all
//!  30 s ─▶ 5 % loss, 1 % paused for 5 s at any time, outages of 9 s ─▶ verdicts counted
//! ```

mod figures;
mod ours;
mod rival;
mod rows;
mod world;

use anyhow::{Context as _, Result};
use clap::Parser;
use figures::{Figures, processor_seconds};
use peerwright_bench_report::{Report, say};
use std::{io::Write as _, path::PathBuf, process::ExitCode, time::Duration};

/// Ours and foca: how soon all know all, how soon all know of a crash, traffic, false verdicts.
#[derive(Parser)]
#[command(name = "cargo xtask bench membership", bin_name = "cargo xtask bench membership")]
struct Bench {
    /// A smoke run: 30 nodes, one seed, 15 s of pauses
    #[arg(long)]
    quick: bool,
    /// Sizes of the network
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(10..=2_000), conflicts_with = "quick")]
    nodes: Vec<u32>,
    /// Seeds from 1 on, each with delays and choices of its own
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=20), conflicts_with = "quick")]
    seeds: Option<u8>,
    /// Folder of the results
    #[arg(long, value_name = "FOLDER", default_value = "target/bench", overrides_with = "output")]
    output: PathBuf,
}

/// What one run is like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conditions {
    pub(crate) seed: u64,
    pub(crate) nodes: u32,
    /// Steady traffic is counted for so long.
    pub(crate) steady: Duration,
    /// Nodes are paused for so long.
    pub(crate) pauses: Duration,
}

/// Figures of one size.
pub(crate) struct Sized {
    pub(crate) nodes: u32,
    pub(crate) ours: Vec<Figures>,
    pub(crate) rival: Vec<Figures>,
}

fn main() -> ExitCode {
    match run(&Bench::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(bench: &Bench) -> Result<()> {
    let sizes = match (bench.quick, bench.nodes.as_slice()) {
        (true, _) => vec![30],
        (false, []) => vec![100, 1_000],
        (false, sizes) => sizes.to_vec(),
    };
    let seeds = bench.seeds.unwrap_or(if bench.quick { 1 } else { 3 });
    let pauses = Duration::from_secs(if bench.quick { 15 } else { 45 });
    let steady = Duration::from_secs(if bench.quick { 15 } else { 60 });
    let mut measured = Vec::new();
    for nodes in sizes {
        let mut sized = Sized { nodes, ours: Vec::new(), rival: Vec::new() };
        for seed in 1..=u64::from(seeds) {
            let conditions = Conditions { seed, nodes, steady, pauses };
            let mut sides = [true, false];
            if seed % 2 == 0 {
                sides.reverse();
            }
            for is_ours in sides {
                let figures = if is_ours { ours::run(conditions)? } else { rival::run(conditions)? };
                say(format!("{nodes} nodes, seed {seed}, {}: {figures}", if is_ours { "ours " } else { "rival" }));
                let list = if is_ours { &mut sized.ours } else { &mut sized.rival };
                list.push(figures);
            }
        }
        measured.push(sized);
    }
    let report = Report {
        name: "membership",
        title: format!("membership, simulated: 10 to 50 ms between hosts, every node told of 8 others, {seeds} seeds"),
        rows: rows::rows(&measured),
        plot: rows::plot(&measured),
    };
    report.write(&bench.output).context("the report cannot be written")
}

/// Runs something, and gives the seconds of processors that it took.
pub(crate) fn timed<T>(run: impl FnOnce() -> Result<T>) -> Result<(T, f64)> {
    let before = processor_seconds();
    let result = run()?;
    Ok((result, processor_seconds() - before))
}
