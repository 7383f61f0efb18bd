//! The report: rows, and what it takes to catch up over what there is to catch up with.

use crate::{
    Bench,
    limits::Limits,
    ours::{BATCH, CLIENTS, KILLS},
    plan::{Case, Outcome, Side},
    rounds::Measured,
};
use peerwright_bench_report::{Plot, Row, Series, median};

/// A figure of an outcome.
type Figure = fn(&Outcome) -> Option<f64>;

const RATE: Figure = |outcome| Some(outcome.rate());
const SECONDS: Figure = |outcome| Some(outcome.seconds);
const P50: Figure = |outcome| outcome.p50_millis;
const P99: Figure = |outcome| outcome.p99_millis;
const BESIDE_STARTS: Figure = |outcome| Some(outcome.seconds - outcome.starting_seconds);

/// One line of the table for each figure and rival; medians over the rounds.
pub(crate) fn rows(bench: &Bench, measured: &Measured, limits: &Limits) -> Vec<Row> {
    let of = |side, case, figure: Figure| median(measured.get(&(side, case))?.iter().filter_map(figure).collect());
    let mut rows = Vec::new();
    let mut beside = |name: &str, unit: &str, case: Case, figure: Figure, limit: Option<f64>, goal: Option<f64>| {
        let ours = of(Side::Ours, case, figure);
        let rivals = [Side::Jetstream, Side::Postgres, Side::Sqlite].into_iter().filter(|side| side.has(case));
        let rivals: Vec<Side> = rivals.collect();
        if !bench.includes(case) {
            return;
        }
        if rivals.is_empty() {
            rows.push(Row::new(name, unit, ours, None, limit, goal));
        }
        for side in rivals {
            let rival = of(side, case, figure);
            rows.push(Row::new(format!("{name}; {}", side.name()), unit, ours, rival, limit, goal));
        }
    };
    let replica = Some(limits.replica());
    let [authors, author, one_by_one] = limits.signed;
    beside("1 to 1", "tx/s", Case::Stream, RATE, replica, Some(500_000.0));
    beside("1 to 1, each signature checked, 64 authors", "tx/s", Case::Signatures, RATE, Some(authors), Some(50_000.0));
    beside("1 to 1, each signature checked, one author", "tx/s", Case::Author, RATE, Some(author), Some(100_000.0));
    let millions = bench.transactions() as f64 / 1e6;
    let catch_up = format!("cold catch-up of {} transactions", bench.transactions());
    let at_best = Some(bench.transactions() as f64 / limits.replica());
    beside(&catch_up, "s", Case::Cold, SECONDS, at_best, Some(2.2 * millions));
    let stored = format!("{catch_up}, stored in PostgreSQL");
    beside(&stored, "s", Case::ColdPostgres, SECONDS, at_best, Some(4.0 * millions));
    let three = "1 to 3, sum";
    beside(three, "tx/s", Case::Three, RATE, replica, Some(800_000.0));
    beside("lag p50 at 10,000 tx/s", "ms", Case::Live, P50, None, None);
    beside("lag p99 at 10,000 tx/s", "ms", Case::Live, P99, None, Some(15.0));
    beside("rate at which lag was measured", "tx/s", Case::Live, RATE, None, Some(10_000.0));
    beside("highest rate of submitted and committed that holds", "tx/s", Case::Committed, RATE, None, None);
    beside("submit to committed p50 at that rate", "ms", Case::Committed, P50, None, None);
    beside("submit to committed p99 at that rate", "ms", Case::Committed, P99, None, None);
    let single = format!("acknowledged durably, {CLIENTS} clients, one by one");
    beside(&single, "tx/s", Case::Single, RATE, Some(one_by_one), Some(20_000.0));
    let streams = format!("acknowledged durably, {CLIENTS} streams of one by one");
    beside(&streams, "tx/s", Case::Streams, RATE, Some(one_by_one), Some(40_000.0));
    let batches = format!("acknowledged durably, {CLIENTS} clients, batches of {BATCH}");
    beside(&batches, "tx/s", Case::Batch, RATE, Some(authors), Some(40_000.0));

    let beside_starts = |case| of(Side::Ours, case, BESIDE_STARTS);
    if let Some((interrupted, whole)) = beside_starts(Case::Interrupted).zip(beside_starts(Case::Cold)) {
        let name = format!("cold catch-up with {KILLS} kills for one without, beside starts of nodes");
        rows.push(Row::new(name, "", Some(interrupted / whole), None, Some(1.0), Some(1.15)));
    }
    for (name, limit) in [
        ("limit: the same bytes written, synced every 2 MiB", limits.written),
        ("limit: the same bytes through TLS on loopback", limits.copied),
        ("limit: each hashed once, all cores", limits.hashed),
        ("limit: signatures, 64 authors, 1,000 together, all cores", authors),
        ("limit: signatures, one author, 1,000 together, all cores", author),
        ("limit: signatures, one at a time, all cores", one_by_one),
    ] {
        rows.push(Row::new(name, "tx/s", None, None, Some(limit), None));
    }
    rows
}

/// Rates of the cases that replicate, over the number of replicas.
pub(crate) fn plot(measured: &Measured) -> Plot {
    let series = |side: Side| {
        let points = [Case::Stream, Case::Three].into_iter().filter_map(|case| {
            let rates = measured.get(&(side, case))?.iter().map(Outcome::rate).collect();
            Some((f64::from(case.replicas()), median(rates)?))
        });
        Series { name: side.name().to_owned(), points: points.collect() }
    };
    Plot {
        across: "replicas".to_owned(),
        up: "transactions a second, all replicas together".to_owned(),
        series: [Side::Ours, Side::Jetstream, Side::Postgres].map(series).into(),
    }
}
