//! A sealer without a log: new, or one that has lost its volume.
//!
//! A majority counts on what each of it has acknowledged. A sealer that has forgotten what it acknowledged, and votes for one
//! that never had it, could undo what was certified. So one that has nothing votes only where there is nothing yet: for a
//! candidate that has no more than the group's first entry. Once a leader has brought it up to date it votes as all do; that it
//! has not come so far yet is kept with its vote, so that a start in between changes nothing.

use crate::raft::{LogId, SealerId, Types, Vote};
use openraft::{
    LogIdOptionExt,
    raft::{AppendEntriesRequest, AppendEntriesResponse, VoteRequest},
};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a sealer may have forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing: it has what it ever acknowledged.
    Whole,
    /// It has no log: there may have been none.
    Empty,
    /// There was a group before, of which it has not all that is committed.
    Behind,
}

/// Whether a sealer may have forgotten something.
#[derive(Debug)]
pub(super) struct Forgetful(Mutex<Standing>);

impl Forgetful {
    /// A sealer as it starts.
    pub(super) const fn new(standing: Standing) -> Self {
        Self(Mutex::new(standing))
    }

    /// Whether it may vote for a candidate, when it has voted so far.
    pub(super) fn may_vote(&self, request: &VoteRequest<SealerId>, voted: &Vote, me: SealerId) -> bool {
        // Its vote for the first leader is kept; that of another life is not.
        let is_beginning = request.last_log_id.index().unwrap_or(0) == 0;
        let has_begun = voted.leader_id.term > 0 && !voted.committed;
        let has_led = voted.committed && voted.leader_id.node_id == me;
        match *self.standing() {
            Standing::Whole => true,
            Standing::Empty => is_beginning || has_begun || has_led,
            Standing::Behind => false,
        }
    }

    /// A leader's entries do not follow what an empty sealer has, or are not all: there was a group before it. One of a
    /// group's first members never comes here. Says whether that is to be kept before they are taken.
    pub(super) fn learns_of_more(&self, request: &AppendEntriesRequest<Types>, held: Option<u64>) -> bool {
        let is_ahead = request.prev_log_id.index() > held.or(Some(0));
        (is_ahead || request.leader_commit > last_of(request)) && self.falls_behind()
    }

    /// As above, for whatever else a group has that an empty sealer lacks.
    pub(super) fn falls_behind(&self) -> bool {
        let mut standing = self.standing();
        let is_empty = *standing == Standing::Empty;
        if is_empty {
            *standing = Standing::Behind;
        }
        is_empty
    }

    /// A leader's entries were taken; with the last that is committed a sealer knows all that a majority counts on. Says
    /// whether that is to be kept.
    pub(super) fn caught_up(
        &self,
        last: Option<LogId>,
        committed: Option<LogId>,
        answer: &AppendEntriesResponse<SealerId>,
    ) -> bool {
        if !answer.is_success() || committed.is_none() || last < committed {
            return false;
        }
        std::mem::replace(&mut *self.standing(), Standing::Whole) == Standing::Behind
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last entry that a sealer has once it has taken these.
pub(super) fn last_of(request: &AppendEntriesRequest<Types>) -> Option<LogId> {
    request.entries.last().map(|entry| entry.log_id).or(request.prev_log_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use openraft::CommittedLeaderId;

    const ME: SealerId = SealerId::from_bytes([9; 32]);

    fn id(index: u64) -> LogId {
        LogId::new(CommittedLeaderId::new(1, SealerId::default()), index)
    }

    fn request(last: Option<LogId>) -> VoteRequest<SealerId> {
        VoteRequest::new(Vote::new(2, SealerId::default()), last)
    }

    #[test]
    fn who_has_nothing_votes_where_nothing_is() {
        let forgetful = Forgetful::new(Standing::Empty);
        assert!(forgetful.may_vote(&request(None), &Vote::default(), ME));
        assert!(forgetful.may_vote(&request(Some(id(0))), &Vote::default(), ME));
        assert!(!forgetful.may_vote(&request(Some(id(1))), &Vote::default(), ME));
        assert!(!forgetful.may_vote(&request(Some(id(1))), &Vote::new_committed(1, SealerId::default()), ME));
        assert!(forgetful.may_vote(&request(Some(id(1))), &Vote::new(1, SealerId::default()), ME));
        assert!(forgetful.may_vote(&request(Some(id(1))), &Vote::new_committed(1, ME), ME));
    }

    #[test]
    fn who_has_what_is_committed_votes_as_all_do() {
        let forgetful = Forgetful::new(Standing::Empty);
        assert!(forgetful.falls_behind() && !forgetful.falls_behind(), "it is kept once");
        assert!(!forgetful.caught_up(Some(id(3)), Some(id(5)), &AppendEntriesResponse::Success));
        assert!(!forgetful.caught_up(Some(id(5)), Some(id(5)), &AppendEntriesResponse::Conflict));
        assert!(!forgetful.caught_up(Some(id(5)), None, &AppendEntriesResponse::Success));
        assert!(!forgetful.may_vote(&request(Some(id(5))), &Vote::new(2, ME), ME), "not for its own candidacy's sake");
        assert!(forgetful.caught_up(Some(id(5)), Some(id(5)), &AppendEntriesResponse::Success));
        assert!(forgetful.may_vote(&request(Some(id(5))), &Vote::default(), ME));
        assert!(!forgetful.caught_up(Some(id(5)), Some(id(5)), &AppendEntriesResponse::Success), "it is kept once");
    }

    #[test]
    fn entries_that_begin_behind_what_it_has_or_end_before_what_is_committed_tell_of_a_group_before() {
        let learns = |standing, prev_log_id, leader_commit, held| {
            let vote = Vote::new_committed(2, SealerId::default());
            let request = AppendEntriesRequest { vote, prev_log_id, entries: Vec::new(), leader_commit };
            Forgetful::new(standing).learns_of_more(&request, held)
        };
        assert!(learns(Standing::Empty, Some(id(5)), None, None));
        assert!(learns(Standing::Empty, Some(id(5)), None, Some(4)));
        assert!(learns(Standing::Empty, Some(id(2)), Some(id(3)), Some(2)));
        assert!(!learns(Standing::Empty, None, None, None));
        assert!(!learns(Standing::Empty, Some(id(0)), Some(id(0)), Some(0)));
        assert!(!learns(Standing::Empty, Some(id(1)), Some(id(1)), Some(1)));
        assert!(!learns(Standing::Whole, Some(id(5)), None, None));
    }
}
