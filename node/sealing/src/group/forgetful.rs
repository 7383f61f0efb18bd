//! A sealer without a log: new, or one that has lost its volume.
//!
//! A majority counts on what each of it has acknowledged. A sealer that has forgotten what it acknowledged, and votes for one
//! that never had it, could undo what was certified. So one that has nothing votes only where there is nothing yet: for a
//! candidate that has no more than the group's first entry. Once a leader has brought it up to date it votes as all do.

use crate::raft::{LogId, SealerId, Types, Vote};
use openraft::{
    LogIdOptionExt,
    raft::{AppendEntriesRequest, AppendEntriesResponse, VoteRequest},
};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a sealer may have forgotten something.
#[derive(Debug)]
pub(super) struct Forgetful(AtomicBool);

impl Forgetful {
    /// A sealer that begins without a log, or with one.
    pub(super) const fn new(is_empty: bool) -> Self {
        Self(AtomicBool::new(is_empty))
    }

    /// Whether it may vote for a candidate, when it has voted so far.
    pub(super) fn may_vote(&self, request: &VoteRequest<SealerId>, voted: &Vote, me: SealerId) -> bool {
        // Its vote for the first leader is kept; that of another life is not.
        let is_beginning = request.last_log_id.index().unwrap_or(0) == 0;
        let has_begun = voted.leader_id.term > 0 && !voted.committed;
        let has_led = voted.committed && voted.leader_id.node_id == me;
        !self.0.load(Ordering::Relaxed) || is_beginning || has_begun || has_led
    }

    /// A leader's entries were taken; with the last that is committed it knows all that a majority counts on.
    pub(super) fn appended(
        &self,
        last: Option<LogId>,
        committed: Option<LogId>,
        answer: &AppendEntriesResponse<SealerId>,
    ) {
        if answer.is_success() && committed.is_some() && last >= committed {
            self.0.store(false, Ordering::Relaxed);
        }
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
        let forgetful = Forgetful::new(true);
        assert!(forgetful.may_vote(&request(None), &Vote::default(), ME));
        assert!(forgetful.may_vote(&request(Some(id(0))), &Vote::default(), ME));
        assert!(!forgetful.may_vote(&request(Some(id(1))), &Vote::default(), ME));
        assert!(!forgetful.may_vote(&request(Some(id(1))), &Vote::new_committed(1, SealerId::default()), ME));
        assert!(forgetful.may_vote(&request(Some(id(1))), &Vote::new(1, SealerId::default()), ME));
        assert!(forgetful.may_vote(&request(Some(id(1))), &Vote::new_committed(1, ME), ME));
    }

    #[test]
    fn who_has_what_is_committed_votes_as_all_do() {
        let forgetful = Forgetful::new(true);
        forgetful.appended(Some(id(3)), Some(id(5)), &AppendEntriesResponse::Success);
        forgetful.appended(Some(id(5)), Some(id(5)), &AppendEntriesResponse::Conflict);
        forgetful.appended(Some(id(5)), None, &AppendEntriesResponse::Success);
        assert!(!forgetful.may_vote(&request(Some(id(5))), &Vote::default(), ME));
        forgetful.appended(Some(id(5)), Some(id(5)), &AppendEntriesResponse::Success);
        assert!(forgetful.may_vote(&request(Some(id(5))), &Vote::default(), ME));
        assert!(Forgetful::new(false).may_vote(&request(Some(id(5))), &Vote::default(), ME));
    }
}
