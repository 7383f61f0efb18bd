//! Up to where the log is settled: everything that its entries made is certified and stored.
//!
//! ```text
//!   1 2 3 4 5 6 7 8        applied: 8
//!   . . . o . . o .        open: 4 and 7 made dockets that still want signatures
//!       ^ settled: 3       what a restart begins behind, and what a snapshot stands for
//! ```

use super::{LogId, StoredMembership};
use openraft::CommittedLeaderId;
use std::collections::{BTreeMap, BTreeSet};

/// Which applied entries are settled.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    settled: Option<LogId>,
    membership: StoredMembership,
    applied: Option<LogId>,
    open: BTreeSet<u64>,
    /// From which index on each leader's entries are, back to the first that is not settled.
    leaders: BTreeMap<u64, CommittedLeaderId<super::SealerId>>,
    /// Memberships of entries that are not settled.
    memberships: Vec<StoredMembership>,
}

impl Progress {
    /// All up to `settled` is settled, and nothing behind it is applied.
    pub(crate) fn new(settled: Option<LogId>, membership: StoredMembership) -> Self {
        Self { settled, membership, applied: settled, ..Self::default() }
    }

    /// An entry was applied; `is_open` when it made a docket.
    pub(crate) fn apply(&mut self, id: LogId, membership: Option<StoredMembership>, is_open: bool) {
        if self.leaders.last_key_value().is_none_or(|(_, leader)| *leader != id.leader_id) {
            self.leaders.insert(id.index, id.leader_id);
        }
        self.memberships.extend(membership);
        if is_open {
            self.open.insert(id.index);
        }
        self.applied = Some(id);
    }

    /// What the entry made is stored.
    pub(crate) fn settle(&mut self, index: u64) {
        self.open.remove(&index);
    }

    /// The last entry up to which everything is settled, and the membership as of it.
    pub(crate) fn settled(&mut self) -> (Option<LogId>, &StoredMembership) {
        let index = match self.open.first() {
            Some(open) => open.checked_sub(1),
            None => self.applied.map(|applied| applied.index),
        };
        if let Some(index) = index
            && self.settled.is_none_or(|settled| settled.index < index)
            && let Some((start, leader)) = self.leaders.range(..=index).next_back()
        {
            let (start, leader) = (*start, *leader);
            self.settled = Some(LogId::new(leader, index));
            self.leaders = self.leaders.split_off(&start);
        }
        let settled = self.settled;
        while let Some(next) = self.memberships.first()
            && *next.log_id() <= settled
        {
            self.membership = self.memberships.remove(0);
        }
        (self.settled, &self.membership)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::{Membership, SealerId};

    fn id(term: u64, index: u64) -> LogId {
        LogId::new(CommittedLeaderId::new(term, SealerId::default()), index)
    }

    fn membership(at: LogId) -> StoredMembership {
        StoredMembership::new(Some(at), Membership::new(vec![[SealerId::from_bytes([1; 32])].into()], ()))
    }

    #[test]
    fn an_entry_that_waits_for_signatures_holds_back_what_is_behind_it() {
        let mut progress = Progress::default();
        progress.apply(id(1, 0), Some(membership(id(1, 0))), false);
        progress.apply(id(1, 1), None, true);
        progress.apply(id(2, 2), None, false);
        progress.apply(id(2, 3), None, true);
        assert_eq!(progress.settled().0, Some(id(1, 0)));
        progress.settle(3);
        assert_eq!(progress.settled().0, Some(id(1, 0)));
        progress.settle(1);
        assert_eq!(progress.settled().0, Some(id(2, 3)));
        assert_eq!(progress.settled().1.log_id(), &Some(id(1, 0)));
    }

    #[test]
    fn the_first_entry_may_be_the_one_that_waits() {
        let mut progress = Progress::default();
        progress.apply(id(1, 0), Some(membership(id(1, 0))), true);
        assert_eq!(progress.settled().0, None);
        assert_eq!(progress.settled().1, &StoredMembership::default());
    }

    #[test]
    fn it_goes_on_behind_what_was_settled_before() {
        let mut progress = Progress::new(Some(id(1, 9)), membership(id(1, 4)));
        assert_eq!(progress.settled().0, Some(id(1, 9)));
        progress.apply(id(3, 10), None, true);
        assert_eq!(progress.settled().0, Some(id(1, 9)));
        progress.settle(10);
        assert_eq!(progress.settled().0, Some(id(3, 10)));
    }

    #[test]
    fn each_settled_index_has_the_leader_that_wrote_it() {
        let mut progress = Progress::default();
        for (term, index) in [(1, 0), (1, 1), (2, 2), (4, 3), (4, 4)] {
            progress.apply(id(term, index), None, true);
        }
        for (term, index) in [(1, 0), (1, 1), (2, 2), (4, 3), (4, 4)] {
            progress.settle(index);
            assert_eq!(progress.settled().0, Some(id(term, index)));
        }
    }
}
