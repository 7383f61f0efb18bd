//! How far the nodes of a placement are with a register, as a status shows it. Pure.

use peerwright_crds::RegisterSubscriptionStatus;

use super::assess::Facts;
use crate::{controllers::reach::Reach, nodes::RegisterReport};

/// The part of a status that is a measure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    /// The state of the node that is furthest from done.
    pub(super) state: Option<String>,
    /// The least that a node has, percent in whole tens.
    pub(super) progress_percent: Option<i32>,
    /// Running nodes that should hold the register.
    pub(super) nodes: Option<i32>,
    /// Those that do.
    pub(super) synced_nodes: Option<i32>,
}

impl Extent {
    /// What a status said before.
    pub(super) fn of(status: &RegisterSubscriptionStatus) -> Self {
        Self {
            state: status.state.clone(),
            progress_percent: status.progress_percent,
            nodes: status.nodes,
            synced_nodes: status.synced_nodes,
        }
    }

    /// What the nodes say, unless one of them has still to say something.
    pub(super) fn measure(facts: &Facts<'_>, register: &[u8; 16], reach: &Reach, before: Self) -> Self {
        let rows: Vec<Option<&RegisterReport>> =
            reach.holders(|pod| facts.is_placed_on(pod)).map(|(_, node)| node.register(register)).collect();
        if before.state.is_some() && rows.iter().any(Option::is_none) {
            return before;
        }
        let has_dockets = reach.has_dockets(register);
        let count = |number: usize| Some(i32::try_from(number).unwrap_or(i32::MAX));
        let rows_told = || rows.iter().flatten();
        let least = rows_told().map(|row| i32::from(row.percent.unwrap_or(0))).min();
        Self {
            state: rows_told().filter_map(|row| row.state).min().map(|state| state.label().to_owned()),
            progress_percent: least.filter(|_| has_dockets),
            nodes: count(rows.len()),
            synced_nodes: count(rows_told().filter(|row| row.holds(has_dockets)).count()),
        }
    }
}
