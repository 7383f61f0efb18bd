//! A sealer without a log: new, or one that has lost its volume.
//!
//! ```text
//! empty ─▶ votes where nobody has begun: has forgotten nothing ──────────────────────▶ whole
//!    └───▶ a leader speaks to it: behind ─▶ has all that this leader has committed ───▶ whole
//!             votes for nobody, stands for nothing, follows whom enough others know
//! ```
//!
//! A majority counts on what each of it has acknowledged. A sealer that has forgotten what it acknowledged, and votes for one
//! that never had it, for itself, or goes along with a leader whose time is over, could undo what was certified. So it votes
//! only where nobody has begun, and follows a leader only once so many others have answered that they know no later one that
//! one of them is of every majority that it may have been of (`inquiry`). That it is behind is kept with its vote, so that a
//! start in between changes nothing. What a leader has committed in its own term is all that was committed before it: who has
//! that lacks nothing. What it commits of earlier terms may be less than was certified.

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
    /// There is a group that was there before it, of which it may lack what it has acknowledged.
    Behind,
}

/// What is said to a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Voting {
    /// What the logs decide, as always.
    Free,
    /// The same if nobody has begun.
    IfNobodyHasBegun,
    /// Nothing: what the candidate lacks might be forgotten here.
    Abstains,
}

/// Whether a sealer may have forgotten something.
#[derive(Debug)]
pub(super) struct Forgetful {
    standing: Mutex<Standing>,
    /// The leader of whom enough others know no later one.
    followed: Mutex<Option<Vote>>,
}

impl Forgetful {
    /// A sealer as it starts.
    pub(super) const fn new(standing: Standing) -> Self {
        Self { standing: Mutex::new(standing), followed: Mutex::new(None) }
    }

    /// Whether it may vote for a candidate, when it has voted so far. One that is empty has voted only where nobody had begun.
    pub(super) fn voting(&self, request: &VoteRequest<SealerId>, voted: &Vote) -> Voting {
        let is_beginning = request.last_log_id.index().unwrap_or(0) == 0;
        match *self.standing() {
            Standing::Whole => Voting::Free,
            Standing::Empty if voted.leader_id.term > 0 => Voting::Free,
            Standing::Empty if is_beginning => Voting::IfNobodyHasBegun,
            Standing::Empty | Standing::Behind => Voting::Abstains,
        }
    }

    /// Whether it may stand for leadership.
    pub(super) fn may_stand(&self) -> bool {
        *self.standing() != Standing::Behind
    }

    /// Whether it may take what this leader gives without asking others, when it has voted so far.
    pub(super) fn follows(&self, leader: &Vote, voted: &Vote) -> bool {
        match *self.standing() {
            Standing::Whole => true,
            Standing::Empty if voted.leader_id.term > 0 => true,
            Standing::Empty | Standing::Behind => *self.followed() == Some(*leader),
        }
    }

    /// Enough others know no later leader.
    pub(super) fn follow(&self, leader: Vote) {
        *self.followed() = Some(leader);
    }

    /// There was a group before; that is to be kept before anything is taken of it.
    pub(super) fn fall_behind(&self) {
        let mut standing = self.standing();
        if *standing == Standing::Empty {
            *standing = Standing::Behind;
        }
    }

    /// A leader's entries were taken, which end with `last`. Says whether it is to be kept that nothing is lacking any more.
    pub(super) fn caught_up(
        &self,
        leader: &Vote,
        last: Option<LogId>,
        committed: Option<LogId>,
        answer: &AppendEntriesResponse<SealerId>,
    ) -> bool {
        let is_its_own = committed.is_some_and(|committed| committed.leader_id == leader.leader_id);
        if !answer.is_success() || !is_its_own || last < committed {
            return false;
        }
        std::mem::replace(&mut *self.standing(), Standing::Whole) == Standing::Behind
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn followed(&self) -> MutexGuard<'_, Option<Vote>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
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
    const TERM: u64 = 2;

    fn id(term: u64, index: u64) -> LogId {
        LogId::new(CommittedLeaderId::new(term, SealerId::default()), index)
    }

    fn request(last: Option<LogId>) -> VoteRequest<SealerId> {
        VoteRequest::new(Vote::new(TERM, SealerId::default()), last)
    }

    #[test]
    fn who_has_nothing_votes_where_nobody_has_begun() {
        let forgetful = Forgetful::new(Standing::Empty);
        let voting = |last, voted| forgetful.voting(&request(last), &voted);
        assert_eq!(voting(None, Vote::default()), Voting::IfNobodyHasBegun);
        assert_eq!(voting(Some(id(1, 0)), Vote::default()), Voting::IfNobodyHasBegun);
        assert_eq!(voting(Some(id(1, 1)), Vote::default()), Voting::Abstains);
        // It stood for leadership or has voted already: of the same group, that nobody had begun.
        assert_eq!(voting(Some(id(1, 1)), Vote::new(1, ME)), Voting::Free);
        assert_eq!(voting(Some(id(1, 1)), Vote::new_committed(1, SealerId::default())), Voting::Free);
    }

    #[test]
    fn who_is_behind_votes_for_nobody_until_it_has_what_is_committed() {
        let forgetful = Forgetful::new(Standing::Empty);
        assert!(forgetful.may_stand());
        forgetful.fall_behind();
        assert_eq!(forgetful.voting(&request(None), &Vote::default()), Voting::Abstains);
        assert_eq!(forgetful.voting(&request(Some(id(2, 9))), &Vote::new(1, ME)), Voting::Abstains);
        assert!(!forgetful.may_stand());
        let leader = Vote::new_committed(TERM, SealerId::default());
        let caught_up = |last, committed, answer| forgetful.caught_up(&leader, last, committed, &answer);
        let success = || AppendEntriesResponse::Success;
        assert!(!caught_up(Some(id(2, 3)), Some(id(2, 5)), success()));
        assert!(!caught_up(Some(id(2, 5)), Some(id(2, 5)), AppendEntriesResponse::Conflict));
        assert!(!caught_up(Some(id(2, 5)), None, success()));
        assert!(
            !caught_up(Some(id(1, 5)), Some(id(1, 5)), success()),
            "a new leader may not know yet what is committed"
        );
        assert!(caught_up(Some(id(2, 5)), Some(id(2, 5)), success()));
        assert!(!caught_up(Some(id(2, 5)), Some(id(2, 5)), success()), "it is kept once");
        assert_eq!(forgetful.voting(&request(None), &Vote::default()), Voting::Free);
        assert!(forgetful.may_stand());
        forgetful.fall_behind();
        assert!(forgetful.may_stand(), "who lacks nothing does not fall behind");
    }

    #[test]
    fn who_has_nothing_follows_where_it_has_voted_or_whom_others_know() {
        let leader = Vote::new_committed(TERM, SealerId::default());
        let voted = Vote::new(TERM, SealerId::default());
        assert!(Forgetful::new(Standing::Whole).follows(&leader, &Vote::default()));
        assert!(Forgetful::new(Standing::Empty).follows(&leader, &voted));
        assert!(Forgetful::new(Standing::Empty).follows(&leader, &Vote::new(1, ME)));
        let forgetful = Forgetful::new(Standing::Empty);
        assert!(!forgetful.follows(&leader, &Vote::default()));
        forgetful.fall_behind();
        assert!(!forgetful.follows(&leader, &voted), "a vote that it has from a leader is none of its own");
        forgetful.follow(leader);
        assert!(forgetful.follows(&leader, &voted));
        assert!(!forgetful.follows(&Vote::new_committed(TERM + 1, SealerId::default()), &voted));
    }
}
