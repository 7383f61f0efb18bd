//! Whether the nodes of a placement keep up with their sources. Pure.
//!
//! A live register lacks a docket for a moment all the time. That is current. What has never been current, though, becomes
//! so only when nothing is lacking: a node that has just begun to copy is not up to date because it is early.

use std::time::Duration;

use peerwright_crds::RegisterSubscriptionStatus;

use super::{Earliest, Facts, kept, nobody, unreachable};
use crate::{
    conditions::Verdict,
    controllers::{
        network::plan::list,
        reach::{Reach, Reached, SILENCE},
    },
    nodes::{RegisterReport, ReplicaState},
};

const KIND: &str = "Current";

/// Nodes by what is to be said of them.
#[derive(Debug, Default)]
struct Sorted {
    forked: Vec<String>,
    failed: Vec<String>,
    behind: Vec<String>,
    unreachable: Vec<String>,
    /// Silent, and not for long.
    quiet: bool,
    /// Something is lacking, and not for long.
    lacking: bool,
}

/// Judges whether the nodes of the placement keep up.
pub(super) fn current(
    facts: &Facts<'_>,
    register: &[u8; 16],
    reach: &Reach,
    before: &RegisterSubscriptionStatus,
    look_again: &mut Earliest,
) -> Verdict {
    let mut sorted = Sorted::default();
    let (mut any, has_dockets) = (false, reach.has_dockets(register));
    for (pod, node) in reach.holders(|pod| facts.is_placed_on(pod)) {
        any = true;
        sorted.sort(facts, pod, node, node.register(register), has_dockets, look_again);
    }
    if !any {
        return nobody(KIND);
    }
    let Sorted { forked, failed, behind, unreachable: silent, quiet, lacking } = sorted;
    if !forked.is_empty() {
        let message = format!("two histories are certified; these nodes keep both and take no more: {}", list(&forked));
        return Verdict::new(KIND, false, "Forked", message);
    }
    if !failed.is_empty() {
        let message = format!("these nodes fail to replicate it, and go on trying: {}", list(&failed));
        return Verdict::new(KIND, false, "ReplicaFailed", message);
    }
    if !behind.is_empty() {
        let seconds = facts.subscription.spec.effective_max_lag_seconds();
        let message = format!("lack for longer than {seconds} s what their source holds: {}", list(&behind));
        return Verdict::new(KIND, false, "Behind", message);
    }
    if !silent.is_empty() {
        return unreachable(KIND, &silent);
    }
    let was = kept(before, KIND);
    let never_was = was.reason == "Syncing";
    if quiet || (lacking && never_was) {
        return was;
    }
    let seconds = facts.subscription.spec.effective_max_lag_seconds();
    Verdict::new(KIND, true, "Current", format!("no running node lags for longer than {seconds} s"))
}

impl Sorted {
    fn sort(
        &mut self,
        facts: &Facts<'_>,
        pod: &str,
        node: &Reached,
        row: Option<&RegisterReport>,
        has_dockets: bool,
        look_again: &mut Earliest,
    ) {
        let state = row.and_then(|row| row.state);
        if state == Some(ReplicaState::Frozen) {
            self.forked.push(pod.to_owned());
            return;
        }
        if let Some(since) = node.silent_since {
            let end = since + SILENCE;
            if facts.now < end {
                self.quiet = true;
                look_again.or(Some(end));
            } else {
                self.unreachable.push(pod.to_owned());
            }
            return;
        }
        match row {
            None => self.lacking = true,
            Some(row) if state == Some(ReplicaState::Error) => {
                let why = if row.problem.is_empty() { String::new() } else { format!(" ({})", row.problem) };
                self.failed.push(format!("{pod}{why}"));
            }
            Some(row) => {
                let left = row.behind_since.map(|since| time_left(facts, since));
                match left {
                    Some(None) => self.behind.push(pod.to_owned()),
                    Some(Some(left)) => {
                        self.lacking = true;
                        look_again.or(facts.now.checked_add(left));
                    }
                    None => {
                        let is_under_way = matches!(state, Some(ReplicaState::Subscribing | ReplicaState::Syncing));
                        self.lacking |= is_under_way && has_dockets;
                    }
                }
            }
        }
    }
}

/// For how long a node that lacks something `since` then is current still; nothing when it is no longer.
fn time_left(facts: &Facts<'_>, since: u64) -> Option<Duration> {
    let now = u64::try_from(facts.wall.as_second()).unwrap_or_default();
    let end = since.saturating_add(facts.subscription.spec.effective_max_lag_seconds().into());
    end.checked_sub(now).filter(|left| *left > 0).map(Duration::from_secs)
}

#[cfg(test)]
mod tests;
