//! `cargo xtask sim`: runs one simulation, or many seeds of one.

use clap::{Parser, builder::PossibleValuesParser};
use peerwright_sim::{SCENARIOS, Scenario, run};
use std::{
    io::Write as _,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

#[derive(Parser)]
#[command(name = "cargo xtask sim", bin_name = "cargo xtask sim", about = "A simulated network of real engines")]
struct Arguments {
    /// Nodes of the network
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    nodes: u32,
    /// Where every choice comes from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Run so many seeds, from `--seed` on, and stop at the first that fails
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Begin no further seed after so many seconds
    #[arg(long, value_name = "SECONDS")]
    within: Option<u64>,
    /// Say which goals were missed, and do not fail for it
    #[arg(long)]
    goals_aside: bool,
    /// What is simulated
    #[arg(long, default_value = "swarm", value_parser = PossibleValuesParser::new(names()))]
    scenario: String,
    /// Simulated minutes of load and faults
    #[arg(long, default_value_t = 5.0)]
    minutes: f64,
    /// Threads that share the nodes of a large network, or the seeds; 0: as many as there are processors
    #[arg(long, default_value_t = 0)]
    threads: usize,
}

/// Networks of so many nodes are shared by threads.
const LARGE: u32 = 500;

fn names() -> Vec<&'static str> {
    SCENARIOS.iter().map(|scenario| scenario.name).collect()
}

fn main() -> ExitCode {
    let mut arguments = Arguments::parse();
    if arguments.threads == 0 {
        arguments.threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    }
    let Some(scenario) = Scenario::named(&arguments.scenario) else { return ExitCode::FAILURE };
    let failed = if arguments.seeds == 1 { one(&arguments, scenario) } else { many(&arguments, scenario) };
    match failed {
        None => ExitCode::SUCCESS,
        Some(failure) => {
            let _ = writeln!(std::io::stderr(), "{failure}");
            ExitCode::FAILURE
        }
    }
}

fn safety(arguments: &Arguments) -> Duration {
    Duration::from_secs_f64(arguments.minutes.clamp(0.0, 100_000.0) * 60.0)
}

/// Runs one seed and prints what it has shown; gives what is wrong.
fn one(arguments: &Arguments, scenario: Scenario) -> Option<String> {
    let mut options = scenario.options(arguments.seed, arguments.nodes, safety(arguments));
    options.threads = if arguments.nodes >= LARGE { arguments.threads } else { 1 };
    match run(scenario, options) {
        Ok(report) => {
            let _ = writeln!(std::io::stdout(), "{report}");
            (!arguments.goals_aside && !report.all_met()).then(|| "a goal was missed".to_owned())
        }
        Err(failure) => Some(failure.to_string()),
    }
}

/// Runs many seeds, each on one thread; gives the failure of the smallest seed that has one.
fn many(arguments: &Arguments, scenario: Scenario) -> Option<String> {
    let (next, run_seeds) = (AtomicU64::new(0), AtomicU64::new(0));
    let (events, deliveries) = (AtomicU64::new(0), AtomicU64::new(0));
    let failed = std::sync::Mutex::new(None::<(u64, String)>);
    let began = std::time::Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let is_late = arguments.within.is_some_and(|seconds| began.elapsed().as_secs() >= seconds);
                    if number >= arguments.seeds || is_late {
                        return;
                    }
                    run_seeds.fetch_add(1, Ordering::Relaxed);
                    let seed = arguments.seed + number;
                    match run(scenario, scenario.options(seed, arguments.nodes, safety(arguments))) {
                        Ok(report) => {
                            events.fetch_add(report.events, Ordering::Relaxed);
                            deliveries.fetch_add(report.measured.deliveries(), Ordering::Relaxed);
                        }
                        Err(failure) => {
                            next.store(arguments.seeds, Ordering::Relaxed);
                            let mut failed = failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                            if failed.as_ref().is_none_or(|(other, _)| *other > seed) {
                                *failed = Some((seed, failure.to_string()));
                            }
                        }
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let _ = writeln!(
        std::io::stdout(),
        "{} of {} seeds of {} with {} nodes, {} minutes each, in {:.1} s: {} events, {} deliveries, {}",
        run_seeds.into_inner(),
        arguments.seeds,
        scenario.name,
        arguments.nodes,
        arguments.minutes,
        began.elapsed().as_secs_f64(),
        events.into_inner(),
        deliveries.into_inner(),
        if failed.is_some() { "a failure" } else { "all invariants held" }
    );
    failed.map(|(_, failure)| failure)
}
