//! `cargo xtask sim`: runs one simulation, or many seeds of one.

use clap::Parser;
use peerwright_sim::{Options, run};
use std::{io::Write as _, process::ExitCode, time::Duration};

#[derive(Parser)]
#[command(name = "cargo xtask sim", bin_name = "cargo xtask sim", about = "A simulated network of real engines")]
struct Arguments {
    /// Nodes of the network
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    nodes: u32,
    /// Where every choice comes from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What is simulated
    #[arg(long, default_value = "swarm")]
    scenario: String,
    /// Simulated minutes of load and faults
    #[arg(long, default_value_t = 5.0)]
    minutes: f64,
    /// Threads that share the nodes of one network, or the seeds; 0: as many as there are processors
    #[arg(long, default_value_t = 0)]
    threads: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let safety = Duration::from_secs_f64(arguments.minutes * 60.0);
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = if arguments.threads == 0 { processors } else { arguments.threads };
    let mut options = match arguments.scenario.as_str() {
        "swarm" => Options::swarm(arguments.seed, arguments.nodes, safety),
        _ => Options { safety, ..Options::calm("calm", arguments.seed, arguments.nodes) },
    };
    options.threads = if arguments.nodes >= 500 { threads } else { 1 };
    match run(options) {
        Ok(report) => {
            let _ = writeln!(std::io::stdout(), "{report}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "{failure}");
            ExitCode::FAILURE
        }
    }
}
