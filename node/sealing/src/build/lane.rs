//! What waits for the next docket of one register.

use super::submission::Item;
use peerwright_ledger::RegisterPolicy;
use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// Transactions of one register in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    waiting: VecDeque<Item>,
    bytes: usize,
    since: Option<Instant>,
    /// A docket was proposed, and is not formed yet.
    pub(crate) is_proposing: bool,
}

impl Lane {
    pub(crate) fn push(&mut self, items: Vec<Item>) {
        self.since.get_or_insert_with(Instant::now);
        self.bytes += items.iter().map(|item| item.encoded.len()).sum::<usize>();
        self.waiting.extend(items);
    }

    /// Puts back what was proposed in vain, in front.
    pub(crate) fn put_back(&mut self, items: Vec<Item>) {
        self.since.get_or_insert_with(Instant::now);
        for item in items.into_iter().rev() {
            self.bytes += item.encoded.len();
            self.waiting.push_front(item);
        }
    }

    /// When the next docket is due: at once when it is full, else so long after the first of them came.
    pub(crate) fn due(&self, policy: &RegisterPolicy) -> Option<Instant> {
        let since = self.since.filter(|_| !self.waiting.is_empty())?;
        let (most, room) = limits(policy);
        let is_full = self.waiting.len() >= most || self.bytes >= room;
        let interval = Duration::from_millis(policy.build_interval_millis.into());
        Some(if is_full { since } else { since + interval })
    }

    /// The transactions of the next docket: as many as it takes, a governing one alone.
    pub(crate) fn take(&mut self, policy: &RegisterPolicy) -> Vec<Item> {
        let (most, room) = limits(policy);
        let mut taken: Vec<Item> = Vec::new();
        let mut bytes = 0;
        while let Some(next) = self.waiting.front() {
            let is_alone = next.is_control || taken.first().is_some_and(|first| first.is_control);
            let has_room = taken.len() < most && bytes + next.encoded.len() + OVERHEAD_BYTES <= room;
            if !taken.is_empty() && (is_alone || !has_room) {
                break;
            }
            let Some(next) = self.waiting.pop_front() else { break };
            bytes += next.encoded.len() + OVERHEAD_BYTES;
            self.bytes -= next.encoded.len();
            taken.push(next);
        }
        self.since = (!self.waiting.is_empty()).then(Instant::now);
        taken
    }

    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Item> {
        self.bytes = 0;
        std::mem::take(&mut self.waiting).into_iter()
    }
}

/// What a body adds to a transaction, and once to all.
const OVERHEAD_BYTES: usize = 8;

fn limits(policy: &RegisterPolicy) -> (usize, usize) {
    let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    (size(policy.max_docket_transactions), size(policy.max_docket_bytes))
}
