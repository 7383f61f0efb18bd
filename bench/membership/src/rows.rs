//! The report: rows for each size, and seconds over size.

use crate::{Sized, figures::Figures};
use peerwright_bench_report::{Plot, Row, Series, median};

type Figure = fn(&Figures) -> f64;

/// Goals by the number of nodes: full view, crash known (seconds).
const GOALS: [(u32, f64, f64); 2] = [(100, 1.5, 3.0), (1_000, 4.0, 4.0)];
/// Bytes a second and node, of membership.
const TRAFFIC: f64 = 500.0;

/// One line of the table for each figure and size; medians over the seeds.
pub(crate) fn rows(measured: &[Sized]) -> Vec<Row> {
    measured.iter().flat_map(of_size).collect()
}

fn of_size(sized: &Sized) -> Vec<Row> {
    let goals = GOALS.iter().find(|(most, ..)| sized.nodes <= *most);
    let row = |name: &str, unit: &str, goal: Option<f64>, figure: Figure| {
        let of = |list: &[Figures]| median(list.iter().map(figure).collect());
        Row::new(format!("{} nodes: {name}", sized.nodes), unit, of(&sized.ours), of(&sized.rival), None, goal)
    };
    vec![
        row("full view at all after a mass join", "s", goals.map(|goal| goal.1), |one| one.full_view),
        row("silent crash known at all", "s", goals.map(|goal| goal.2), |one| one.crash_known),
        row("steady traffic of a node, all frames", "B/s", Some(TRAFFIC), |one| one.steady_bytes),
        row("verdicts on nodes that were there", "", Some(0.0), |one| one.false_verdicts),
        row("verdicts on nodes paused for 5 s or out for 9 s", "", None, |one| one.absent_verdicts),
        row("processor time for a node and simulated second", "us", None, |one| one.processor_micros),
    ]
}

/// How both grow.
pub(crate) fn plot(measured: &[Sized]) -> Plot {
    let series = |name: &str, of: fn(&Sized) -> &[Figures], figure: Figure| {
        let points = measured
            .iter()
            .filter_map(|sized| Some((f64::from(sized.nodes), median(of(sized).iter().map(figure).collect())?)));
        Series { name: name.to_owned(), points: points.collect() }
    };
    Plot {
        across: "nodes".to_owned(),
        up: "seconds".to_owned(),
        series: vec![
            series("ours, full view", |sized| &sized.ours, |one| one.full_view),
            series("foca, full view", |sized| &sized.rival, |one| one.full_view),
            series("ours, crash known", |sized| &sized.ours, |one| one.crash_known),
            series("foca, crash known", |sized| &sized.rival, |one| one.crash_known),
        ],
    }
}
