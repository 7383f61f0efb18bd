//! Rounds: both sides are searched in each, and take turns in being first.

use crate::{
    Bench, limits,
    network::Side,
    probe::{Outcome, Plan},
    rows,
    search::Search,
};
use anyhow::{Context as _, Result};
use peerwright_bench_apart::Place;
use peerwright_bench_report::{Report, say};
use std::{num::NonZero, thread, time::Duration};

/// Deliveries a second at which latency and bytes are measured.
pub(crate) const CALM: f64 = 980.0;
/// A calm probe takes so much longer than another: it has few messages.
const CALM_LONGER: f64 = 2.0;
/// Transactions that an author hands in at once, where batching is measured.
const BURST: u16 = 16;
/// The first rate of a search, messages a second, and how it goes on before the limit is between two rates.
const FIRST: (f64, f64) = (100.0, 2.0);
/// Beside what it measures, a probe may take so long.
const OVERHEAD: Duration = Duration::from_secs(120);
/// How a later search goes on from what the one before found.
const LATER: f64 = 1.15;

/// A rate and what came of it.
#[derive(Debug, Clone)]
pub(crate) struct Tried {
    pub(crate) side: Side,
    /// Messages a second.
    pub(crate) rate: f64,
    pub(crate) outcome: Outcome,
}

/// All that was measured.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    /// The highest rates that held, of each round.
    pub(crate) highest: Vec<Tried>,
    /// At [`CALM`].
    pub(crate) calm: Vec<Tried>,
    /// Of bursts: the highest rate of each side.
    pub(crate) bursts: Vec<Tried>,
    /// Every rate that was tried, except with bursts.
    pub(crate) tried: Vec<Tried>,
}

struct Prober<'a> {
    bench: &'a Bench,
    place: Place,
    threads: u16,
}

/// Measures, and writes the report.
pub(crate) fn run(bench: &Bench) -> Result<()> {
    let threads = u16::try_from(thread::available_parallelism().map_or(1, NonZero::get)).unwrap_or(u16::MAX);
    let prober = Prober { bench, place: Place::find(), threads };
    say(format!(
        "{} nodes of each side, {} B, {} rounds, {threads} threads, {}",
        bench.nodes(),
        bench.payload,
        bench.rounds(),
        match prober.place {
            Place::Apart => "each probe in a network namespace of its own",
            Place::Shared => "on the host's loopback (no network namespace may be made): bytes are not counted",
        }
    ));
    let mut measured = Measured::default();
    for round in 1..=bench.rounds() {
        let mut sides = [Side::Ours, Side::Rival];
        if round % 2 == 0 {
            sides.reverse();
        }
        for side in sides {
            say(format!("round {round}, {}", side.name()));
            let calm = prober.probe(side, CALM / f64::from(bench.nodes() - 1), 1, CALM_LONGER)?;
            measured.calm.push(calm);
            let before = measured.highest.iter().rev().find(|tried| tried.side == side).map(|tried| tried.rate);
            let search = before.map_or(Search::new(FIRST.0, FIRST.1), |rate| Search::new(rate, LATER));
            let (best, tried) = prober.search(side, search, 1)?;
            measured.tried.extend(tried);
            measured.highest.extend(best);
        }
    }
    for side in [Side::Batching, Side::Rival] {
        say(format!("bursts of {BURST}, {}", side.name()));
        let (best, _) = prober.search(side, Search::new(FIRST.0 * 2.0, FIRST.1), BURST)?;
        measured.bursts.extend(best);
    }
    let limits = rows::Limits {
        signatures: limits::signatures(threads),
        one_way: limits::one_way(bench.payload)?,
        counted: prober.place == Place::Apart,
    };
    let report = Report {
        name: "gossip",
        title: format!("{} nodes in one process, every node an author, {} B, signed", bench.nodes(), bench.payload),
        rows: rows::rows(bench, &measured, &limits),
        plot: rows::plot(bench, &measured),
    };
    report.write(&bench.output).context("the report cannot be written")
}

impl Prober<'_> {
    fn probe(&self, side: Side, rate: f64, burst: u16, longer: f64) -> Result<Tried> {
        let plan = Plan {
            side,
            nodes: self.bench.nodes(),
            rate,
            seconds: f64::from(self.bench.seconds()) * longer,
            payload: self.bench.payload,
            burst,
            threads: self.threads,
        };
        let limit = Duration::from_secs_f64(plan.seconds * 2.0) + OVERHEAD;
        let line = self.place.run(&plan.options(), limit)?;
        let outcome: Outcome = serde_json::from_str(&line).with_context(|| format!("a probe said {line:?}"))?;
        say(format!(
            "  {:8.1} msg/s  {:9.0} deliveries/s  {:6.2} %  refused {}  p50 {:8.2} ms  p99 {:8.2} ms  cpu {:5.1} s of {:4.1}  degree {:.1}  {}",
            rate,
            outcome.delivered as f64 / outcome.seconds,
            outcome.delivered as f64 * 100.0 / outcome.expected.max(1) as f64,
            outcome.refused,
            outcome.p50_millis,
            outcome.p99_millis,
            outcome.usage.cpu_seconds,
            outcome.seconds,
            outcome.degree,
            if outcome.holds() { "holds" } else { "too fast" },
        ));
        Ok(Tried { side, rate, outcome })
    }

    fn search(&self, side: Side, mut search: Search, burst: u16) -> Result<(Option<Tried>, Vec<Tried>)> {
        let mut all: Vec<Tried> = Vec::new();
        while let Some(rate) = search.next() {
            let tried = self.probe(side, rate, burst, 1.0)?;
            search.tell(rate, tried.outcome.holds());
            all.push(tried);
        }
        let best = all.iter().find(|tried| Some(tried.rate) == search.best()).cloned();
        if best.is_none() {
            say("  no rate holds");
        }
        Ok((best, all))
    }
}
