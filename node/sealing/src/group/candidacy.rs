//! Standing for leadership: once the leader is silent, and only where the others find it silent, too.
//!
//! ```text
//! nothing of a leader for its lease and a drawn while ─▶ "may I stand?" to all others
//!                                                          │  no: it hears a leader, or its log is longer
//!     a majority with this one says yes ─▶ election        └─ or no majority answers ─▶ listens on
//! ```
//!
//! The library stands by time alone. A sealer that is late itself, because it has just started and catches up or has no
//! processor, would end the term of a leader that all others hear, and everybody would wait for an election. This is the
//! Pre-Vote of Ongaro's thesis (2014, 9.6), with the leader's lease for what the others answer. It decides nothing: whoever is
//! elected is elected by votes.

use super::forgetful::Voting;
use crate::{
    core::Core,
    raft::{LogId, Raft, SealerId, Vote},
    transport::Transport,
    wire::{Answer, Request},
};
use futures::{StreamExt, stream::FuturesUnordered};
use openraft::{ServerState, TokioRuntime, raft::VoteRequest};
use peerwright_secure::NodePublicKey;
use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep_until};

/// What a sealer knows of who leads, by time.
#[derive(Debug, Clone, Copy)]
struct Heard {
    /// When a leader was last heard, since this sealer started.
    leader: Option<Instant>,
    /// Since when this one listens: a leader was heard, a vote was given, or it has stood itself.
    since: Instant,
    /// There may be a leader, which is stood by for its lease.
    has_lease: bool,
    /// When somebody was let stand who goes first where two ask at once.
    gave_way: Option<Instant>,
}

/// Whether and when a sealer stands.
#[derive(Debug)]
pub(super) struct Candidacy {
    may_stand: AtomicBool,
    heard: Mutex<Heard>,
}

impl Candidacy {
    /// A sealer as it starts: there may be a leader.
    pub(super) fn new() -> Self {
        let heard = Heard { leader: None, since: Instant::now(), has_lease: true, gave_way: None };
        Self { may_stand: AtomicBool::new(false), heard: Mutex::new(heard) }
    }

    /// Whether it stands when the time comes.
    pub(super) fn allow(&self, may_stand: bool) {
        self.may_stand.store(may_stand, Ordering::Relaxed);
    }

    /// A leader has said something that is taken.
    pub(super) fn hear_leader(&self) {
        let now = Instant::now();
        *self.heard() = Heard { leader: Some(now), since: now, has_lease: true, gave_way: None };
    }

    /// Somebody got this sealer's vote, and is given the time to show that it leads.
    pub(super) fn give_vote(&self) {
        self.listen(false);
    }

    fn give_way(&self) {
        self.heard().gave_way = Some(Instant::now());
    }

    /// Whether nobody has led, been voted for or gone first since then. Who goes first is given the time to be elected.
    fn was_quiet_since(&self, then: Instant) -> bool {
        let heard = *self.heard();
        let gave_way = heard.gave_way.is_some_and(|at| at >= then);
        if gave_way && heard.since <= then {
            self.give_vote();
        }
        heard.since <= then && !gave_way
    }

    /// Listens from now on, for a lease longer where there may be a leader.
    fn listen(&self, has_lease: bool) {
        let mut heard = self.heard();
        (heard.since, heard.has_lease) = (Instant::now(), has_lease);
    }

    /// Whether a leader was heard within this time.
    pub(super) fn hears_within(&self, lease: Duration) -> bool {
        self.heard().leader.is_some_and(|at| at.elapsed() <= lease)
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stands for leadership when the time comes.
pub(super) struct Candidate {
    pub(super) core: Arc<Core>,
    pub(super) raft: Raft,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) candidacy: Arc<Candidacy>,
}

impl Candidate {
    pub(super) async fn run(self) {
        let core = Arc::clone(&self.core);
        tokio::select! {
            biased;
            () = core.cancelled() => {}
            () = self.stand() => {}
        }
    }

    /// Ends when the consensus library has.
    async fn stand(&self) {
        let every = Duration::from_millis(self.raft.config().heartbeat_interval);
        loop {
            let drawn = Duration::from_millis(self.raft.config().new_rand_election_timeout::<TokioRuntime>());
            // Looked at now and then: whoever is alone waits for nobody, and what was heard meanwhile puts it off.
            let others = loop {
                let (others, due) = (self.others(), self.due(drawn));
                sleep_until(due.min(Instant::now() + every)).await;
                if others.as_ref().is_some_and(BTreeSet::is_empty) || Instant::now() >= self.due(drawn) {
                    break others;
                }
            };
            let (may_stand, asked_at) = (self.candidacy.may_stand.load(Ordering::Relaxed), Instant::now());
            let stands = match others.filter(|_| may_stand) {
                Some(others) => self.others_agree(&others).await,
                None => false,
            };
            if !stands {
                self.candidacy.listen(true);
                continue;
            }
            if !self.candidacy.was_quiet_since(asked_at) {
                continue;
            }
            // Another round follows without a lease: nobody leads.
            self.candidacy.listen(false);
            if self.raft.trigger().elect().await.is_err() {
                return;
            }
        }
    }

    fn due(&self, drawn: Duration) -> Instant {
        let heard = *self.candidacy.heard();
        let lease = if heard.has_lease { lease(&self.raft) } else { Duration::ZERO };
        heard.since + lease + drawn
    }

    /// The other voters; `None` when this one is none, or leads.
    fn others(&self) -> Option<BTreeSet<NodePublicKey>> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        let mut voters: BTreeSet<_> = metrics.membership_config.voter_ids().map(SealerId::key).collect();
        (voters.remove(&self.core.me()) && metrics.state != ServerState::Leader).then_some(voters)
    }

    /// Whether a majority, this one among them, has nothing against it. An answer later than a lease is of no use.
    async fn others_agree(&self, others: &BTreeSet<NodePublicKey>) -> bool {
        let Some(last) = last_log(&self.raft).await else { return false };
        let request = Request::MayStand(last).encode();
        let calls = others.iter().map(|sealer| self.transport.call(*sealer, request.clone(), lease(&self.raft)));
        let (mut answers, mut agree): (FuturesUnordered<_>, _) = (calls.collect(), 1);
        while 2 * agree <= others.len() + 1 {
            let Some(answer) = answers.next().await else { return false };
            let answer = answer.ok().and_then(|answer| Answer::decode(&answer).ok());
            agree += usize::from(matches!(answer, Some(Answer::MayStand(true))));
        }
        true
    }
}

impl super::Group {
    /// Whether this sealer has nothing against an election that one with this log would win: nobody leads that it knows of, and
    /// it would vote so, its own log being no longer. Where both ask at once, one gives way: two elections would take each
    /// other's votes.
    pub(super) async fn lets_stand(&self, from: NodePublicKey, last: Option<LogId>) -> bool {
        let lease = lease(&self.raft);
        let (leads, voted) = {
            let metrics = self.raft.metrics();
            let metrics = metrics.borrow();
            let answered = metrics.millis_since_quorum_ack.map(Duration::from_millis);
            (metrics.state == ServerState::Leader && answered.is_some_and(|ago| ago <= lease), metrics.vote)
        };
        let abstains = self.forgetful.voting(&VoteRequest::new(Vote::default(), last), &voted) == Voting::Abstains;
        let may_stand = !leads
            && !abstains
            && !self.candidacy.hears_within(lease)
            && last_log(&self.raft).await.is_some_and(|own| last >= own);
        if may_stand && from > self.core.me() {
            self.candidacy.give_way();
        }
        may_stand
    }
}

/// How long a leader is stood by.
fn lease(raft: &Raft) -> Duration {
    Duration::from_millis(raft.config().election_timeout_max)
}

/// A candidacy of nobody: it changes nothing, and is answered with what was voted and how far the log goes.
pub(super) fn inquiry() -> VoteRequest<SealerId> {
    VoteRequest::new(Vote::default(), None)
}

/// The end of this sealer's log. `None` when the consensus library has ended.
async fn last_log(raft: &Raft) -> Option<Option<LogId>> {
    Some(raft.vote(inquiry()).await.ok()?.last_log_id)
}
