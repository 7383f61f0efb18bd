//! The engine, in the project's simulator: its scenarios `members` and `verdicts`.

use crate::{Conditions, figures::Figures, timed};
use anyhow::{Context as _, Result, anyhow};
use peerwright_sim::{Report, Scenario, run as simulate};
use std::time::Duration;

pub(crate) fn run(conditions: Conditions) -> Result<Figures> {
    let ((members, verdicts), busy) = timed(|| {
        let members = scenario("members", conditions, conditions.steady)?;
        Ok((members, scenario("verdicts", conditions, conditions.pauses)?))
    })?;
    let [absent, others, _] = verdicts.measured.verdicts();
    let simulated = (members.simulated + verdicts.simulated).as_secs_f64() * f64::from(conditions.nodes);
    Ok(Figures {
        full_view: found(&members, "full view at all after a mass join")? / 1_000.0,
        crash_known: found(&members, "silent crash unreachable at all")? / 1_000.0,
        steady_bytes: members.measured.frame_rate(),
        false_verdicts: others as f64,
        absent_verdicts: absent as f64,
        processor_micros: busy * 1e6 / simulated,
    })
}

fn scenario(name: &str, conditions: Conditions, safety: Duration) -> Result<Report> {
    let scenario = Scenario::named(name).with_context(|| format!("the simulator has no scenario {name}"))?;
    let options = scenario.options(conditions.seed, conditions.nodes, safety);
    simulate(scenario, options).map_err(|failure| anyhow!("{failure}"))
}

fn found(report: &Report, what: &str) -> Result<f64> {
    let finding = report.findings.iter().find(|finding| finding.what == what);
    finding.map(|finding| finding.value).with_context(|| format!("the simulator found no `{what}`"))
}
