//! The report: rows, and latency over rate.

use crate::{
    Bench,
    network::Side,
    probe::Outcome,
    rounds::{CALM, Measured, Tried},
};
use peerwright_bench_report::{Plot, Row, Series, median};
use std::time::Duration;

/// What nobody could be better than on this machine.
pub(crate) struct Limits {
    /// Signatures checked in a second.
    pub(crate) signatures: f64,
    /// A payload by TCP from one task to another.
    pub(crate) one_way: Duration,
    /// Whether bytes were counted.
    pub(crate) counted: bool,
}

/// One line of the table for each figure.
pub(crate) fn rows(bench: &Bench, measured: &Measured, limits: &Limits) -> Vec<Row> {
    let nodes = f64::from(bench.nodes());
    let payload = f64::from(bench.payload);
    let both = |tried: &[Tried], figure: &dyn Fn(&Tried) -> f64| {
        let of =
            |side: &dyn Fn(Side) -> bool| median(tried.iter().filter(|tried| side(tried.side)).map(figure).collect());
        (of(&|side| side != Side::Rival), of(&|side| side == Side::Rival))
    };
    let deliveries = |tried: &Tried| tried.rate * (nodes - 1.0);
    let per_byte = |bytes: u64, outcome: &Outcome| bytes as f64 / (outcome.delivered.max(1) as f64 * payload);
    let full = bench.nodes() == 50 && bench.payload == 256;
    let goal = |goal: f64| full.then_some(goal);
    let row = |name: String, unit, both: (Option<f64>, Option<f64>), limit, goal| {
        Row::new(name, unit, both.0, both.1, limit, goal)
    };
    let (highest, calm) = (&measured.highest, &measured.calm);
    let mut rows = vec![
        row(
            "highest rate with 100 % delivered and p99 <= 1 s".to_owned(),
            "deliveries/s",
            both(highest, &deliveries),
            Some(limits.signatures),
            goal(45_000.0),
        ),
        row("p99 at that rate".to_owned(), "ms", both(highest, &|tried| tried.outcome.p99_millis), None, None),
        row(
            "CPU for a delivery at that rate".to_owned(),
            "us",
            both(highest, &|tried| tried.outcome.usage.cpu_seconds * 1e6 / tried.outcome.delivered.max(1) as f64),
            Some(1e6 / limits.signatures * f64::from(bench_threads())),
            None,
        ),
        row(
            "CPU seconds a second at that rate".to_owned(),
            "s/s",
            both(highest, &|tried| tried.outcome.usage.cpu_seconds / tried.outcome.seconds),
            None,
            None,
        ),
        row(
            "memory of a node at that rate, the peak of the process".to_owned(),
            "MiB",
            both(highest, &|tried| tried.outcome.peak_memory as f64 / nodes),
            None,
            None,
        ),
        row(
            format!("p50 at {CALM} deliveries/s"),
            "ms",
            both(calm, &|tried| tried.outcome.p50_millis),
            Some(limits.one_way.as_secs_f64() * 1e3),
            goal(1.5),
        ),
        row(
            format!("p99 at {CALM} deliveries/s"),
            "ms",
            both(calm, &|tried| tried.outcome.p99_millis),
            None,
            goal(4.0),
        ),
        row(
            format!("CPU seconds a second at {CALM} deliveries/s"),
            "s/s",
            both(calm, &|tried| tried.outcome.usage.cpu_seconds / tried.outcome.seconds),
            None,
            None,
        ),
    ];
    for (name, tried) in [("while little is sent", calm), ("at the highest rate", highest)] {
        let copies = median(tried.iter().filter_map(|tried| tried.outcome.copies).collect());
        rows.push(row(format!("copies that come again for each delivery {name}"), "", (copies, None), Some(0.0), None));
    }
    if limits.counted {
        for (name, tried, goal) in
            [(format!("at {CALM} deliveries/s"), calm, goal(2.5)), ("at the highest rate".to_owned(), highest, None)]
        {
            rows.push(row(
                format!("bytes in TCP streams for a byte of payload {name}"),
                "B/B",
                both(tried, &|tried| per_byte(tried.outcome.usage.stream_bytes, &tried.outcome)),
                Some(1.0),
                goal,
            ));
            rows.push(row(
                format!("the same with TCP/IP headers and acknowledgements {name}"),
                "B/B",
                both(tried, &|tried| per_byte(tried.outcome.usage.ip_bytes, &tried.outcome)),
                Some(1.0),
                None,
            ));
        }
    }
    rows.push(row(
        "highest rate when authors hand in 16 at once and ours gathers them in a message".to_owned(),
        "deliveries/s",
        both(&measured.bursts, &deliveries),
        None,
        None,
    ));
    rows
}

fn bench_threads() -> u16 {
    u16::try_from(std::thread::available_parallelism().map_or(1, std::num::NonZero::get)).unwrap_or(u16::MAX)
}

/// The p99 of everything that was tried and arrived whole.
pub(crate) fn plot(bench: &Bench, measured: &Measured) -> Plot {
    let series = |name: &str, side| {
        let all = measured.calm.iter().chain(&measured.tried).filter(|tried| tried.side == side);
        let whole = all.filter(|tried| tried.outcome.delivered == tried.outcome.expected);
        let points = whole.map(|tried| (tried.rate * f64::from(bench.nodes() - 1), tried.outcome.p99_millis));
        Series { name: name.to_owned(), points: points.collect() }
    };
    Plot {
        across: "deliveries/s".to_owned(),
        up: "p99, ms".to_owned(),
        series: vec![series("ours", Side::Ours), series("libp2p-gossipsub", Side::Rival)],
    }
}
