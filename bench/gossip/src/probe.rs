//! One network at one rate.

use crate::{
    load::Load,
    network::{Network, Side},
    ours::Ours,
    recorder::Recorder,
    rival::Rival,
    usage::{Usage, peak_memory},
};
use anyhow::{Context as _, Result};
use clap::Args;
use peerwright_bench_load::quantile;
use serde::{Deserialize, Serialize};
use std::{
    io::Write as _,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};

/// The longest that a network may take to settle.
const SETTLING: Duration = Duration::from_secs(60);
/// How long what was sent may take to arrive.
const GRACE: Duration = Duration::from_secs(5);
/// Messages of every node before anything is measured, at least: trees and meshes have their shape then.
const WARM_MESSAGES: u64 = 4;
/// As long at the measured rate, at least.
const WARM_SECONDS: f64 = 2.0;
/// What was sent to warm up arrives before the measuring begins, unless it takes longer.
const COOLING: Duration = Duration::from_secs(15);
/// How often arrivals are looked at.
const LOOK: Duration = Duration::from_millis(1);

/// What is to be tried.
#[derive(Debug, Clone, Args)]
pub(crate) struct Plan {
    #[arg(long)]
    pub(crate) side: Side,
    #[arg(long)]
    pub(crate) nodes: u16,
    /// Messages a second, of all nodes together.
    #[arg(long)]
    pub(crate) rate: f64,
    #[arg(long)]
    pub(crate) seconds: f64,
    #[arg(long)]
    pub(crate) payload: u16,
    #[arg(long)]
    pub(crate) burst: u16,
    /// Worker threads; as many do the blocking work.
    #[arg(long)]
    pub(crate) threads: u16,
}

impl Plan {
    /// As the command `probe` takes it.
    pub(crate) fn options(&self) -> [(&'static str, String); 7] {
        [
            ("--side", self.side.name().to_owned()),
            ("--nodes", self.nodes.to_string()),
            ("--rate", self.rate.to_string()),
            ("--seconds", self.seconds.to_string()),
            ("--payload", self.payload.to_string()),
            ("--burst", self.burst.to_string()),
            ("--threads", self.threads.to_string()),
        ]
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// Deliveries that should be.
    pub(crate) expected: u64,
    /// Deliveries that were.
    pub(crate) delivered: u64,
    /// Messages that their node did not take.
    pub(crate) refused: u64,
    /// Deliveries of what was there.
    pub(crate) doubles: u64,
    /// From the first message to the last delivery.
    pub(crate) seconds: f64,
    pub(crate) p50_millis: f64,
    pub(crate) p99_millis: f64,
    pub(crate) longest_millis: f64,
    /// In those seconds.
    pub(crate) usage: Usage,
    /// Neighbours of a node.
    pub(crate) degree: f64,
    /// Copies that came again for each that came first.
    pub(crate) copies: Option<f64>,
    /// MiB.
    pub(crate) peak_memory: u64,
}

impl Outcome {
    /// Whether the rate holds: everything arrived, nearly all of it within a second.
    pub(crate) fn holds(&self) -> bool {
        self.delivered == self.expected && self.refused == 0 && self.p99_millis <= 1_000.0
    }
}

/// Tries it, and prints the outcome as a line of JSON.
pub(crate) fn run(plan: &Plan) -> Result<()> {
    let threads = usize::from(plan.threads);
    let runtime = Builder::new_multi_thread()
        .worker_threads(threads)
        .max_blocking_threads(threads)
        .enable_all()
        .build()
        .context("the runtime does not start")?;
    let nodes = usize::from(plan.nodes);
    let warm = whole((plan.rate * WARM_SECONDS).max(WARM_MESSAGES as f64 * nodes as f64));
    let count = whole(plan.rate * plan.seconds).max(1);
    let recorder = Arc::new(Recorder::new(nodes, warm + count, warm));
    let payload_bytes = usize::from(plan.payload);
    let starting = recorder.clone();
    let network: Box<dyn Network + Sync> = match plan.side {
        Side::Rival => Box::new(runtime.block_on(Rival::start(nodes, starting))?),
        side => {
            let is_batching = side == Side::Batching;
            Box::new(runtime.block_on(Box::pin(Ours::start(nodes, payload_bytes, is_batching, starting)))?)
        }
    };
    let load = Load { first: warm, count, rate: plan.rate, burst: plan.burst.into(), nodes, payload_bytes };
    let warming = Load { first: 0, count: warm, rate: plan.rate.max(nodes as f64), ..load };
    let outcome = measure(&runtime, &*network, &recorder, warming, load)?;
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&outcome)?)?;
    // A network that is dropped ends at once.
    drop(network);
    runtime.shutdown_background();
    Ok(())
}

fn measure(
    runtime: &Runtime,
    network: &(dyn Network + Sync),
    recorder: &Recorder,
    warming: Load,
    load: Load,
) -> Result<Outcome> {
    runtime.block_on(async { timeout(SETTLING, network.settled()).await }).context("the network does not settle")?;
    warming.run(network, recorder);
    wait(COOLING, || recorder.is_warm());
    let copies_before = runtime.block_on(network.copies());
    let expected = load.count * (load.nodes as u64 - 1);
    let (before, began) = (Usage::now()?, Instant::now());
    load.run(network, recorder);
    wait(GRACE, || recorder.deliveries() >= expected);
    let (seconds, usage) = (began.elapsed().as_secs_f64(), Usage::now()?.since(before));
    let latencies = recorder.latencies();
    let millis = |of_thousand| quantile(&latencies, of_thousand).unwrap_or_default().as_secs_f64() * 1_000.0;
    Ok(Outcome {
        expected,
        delivered: recorder.deliveries(),
        refused: recorder.refusals(),
        doubles: recorder.doubles(),
        seconds,
        p50_millis: millis(500),
        p99_millis: millis(990),
        longest_millis: millis(1_000),
        usage,
        degree: runtime.block_on(network.degree()),
        copies: runtime.block_on(network.copies()).zip(copies_before).map(|(now, before)| now.again_since(before)),
        peak_memory: peak_memory(),
    })
}

/// Returns when it is so, or when that takes too long.
fn wait(limit: Duration, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + limit;
    while !is_so() && Instant::now() < deadline {
        thread::sleep(LOOK);
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates and seconds are small and positive")]
fn whole(number: f64) -> u64 {
    number.round() as u64
}
