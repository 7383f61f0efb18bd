//! What a sealer that is back asks the others: one that may have forgotten something before it takes part, and each, how far they
//! are.
//!
//! ```text
//! candidate or leader ─▶ this sealer ─▶ each other: have you a log? / what have you voted?
//!                                        └ half of all, rounded up, agree ─▶ it votes, or follows
//! ```
//!
//! Of every majority that this sealer may have been of, the others are so many that one of them is among those who agree: half of
//! all, rounded up, and a majority without this one, are more than all others. Their votes outlive them, so one of them knows
//! whatever leader was elected or followed with this sealer's help. Who has nothing himself was of no majority, and is not counted.

use super::{Group, candidacy::inquiry};
use crate::{
    raft::{SealerId, Vote},
    wire::{Answer, Request},
};
use futures::{StreamExt, stream::FuturesUnordered};
use openraft::raft::VoteRequest;
use peerwright_secure::NodePublicKey;
use peerwright_store::StoreError;
use std::{sync::PoisonError, time::Duration};
use tokio::time::sleep;

/// How long another sealer is given to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// A majority that does not answer is asked again after so long.
const ASKED_AGAIN: Duration = Duration::from_millis(250);

/// Dockets of a register that want signatures while it is sealed all the time.
const UNCERTIFIED: usize = 4;

/// What another's answer is good for.
enum Said {
    Agrees,
    Objects,
    /// It has nothing: it does not count.
    HasNothing,
}

impl Group {
    /// Whether enough others say that they have no log. The candidate, who has none, is one of them.
    pub(super) async fn nobody_has_begun(&self, candidate: NodePublicKey) -> bool {
        self.enough_agree(candidate, &Request::Begun, |answer| match answer {
            Answer::Begun(false) => Some(Said::Agrees),
            Answer::Begun(true) => Some(Said::Objects),
            _ => None,
        })
        .await
    }

    /// Whether a leader's entries may be taken: always, unless something may have been forgotten.
    pub(super) async fn may_follow(&self, from: NodePublicKey, leader: Vote) -> Result<bool, StoreError> {
        let voted = self.raft.metrics().borrow().vote;
        if self.forgetful.follows(&leader, &voted) {
            return Ok(true);
        }
        self.forgetful.fall_behind();
        self.stand();
        // Each time, for it may not have been kept the last time: a request ends when its sender waits no longer.
        self.ballot.set_behind(true).await?;
        let inquiry = Request::Vote(inquiry());
        let knows_none_later = self.enough_agree(from, &inquiry, |answer| match answer {
            Answer::Vote(answer) if answer.vote > leader => Some(Said::Objects),
            Answer::Vote(answer) if answer.last_log_id.is_none() => Some(Said::HasNothing),
            Answer::Vote(_) => Some(Said::Agrees),
            _ => None,
        });
        let may_follow = knows_none_later.await;
        if may_follow {
            self.forgetful.follow(leader);
        } else {
            tracing::debug!(leader = ?from, term = leader.leader_id.term, "too few others know this leader and no later one");
        }
        Ok(may_follow)
    }

    /// Resolves when this sealer has taken in all that was in the logs of a majority when it asked them, and nearly all of it
    /// has its certificate: then it is not missed in a majority without one of the others. `false` when the sealer ends first.
    pub async fn rejoined(&self) -> bool {
        let target = self.last_of_majority().await;
        self.wait_until(|status| {
            let uncertified = status.registers.saturating_mul(UNCERTIFIED);
            status.leader.is_some() && status.applied_index >= target && status.uncertified <= uncertified
        })
        .await
    }

    /// The last entry in the logs of a majority, once one answers.
    async fn last_of_majority(&self) -> Option<u64> {
        loop {
            let voters = self.voters();
            let answers = self.ask_others(&voters, &Request::Vote(inquiry()), PATIENCE).await.into_iter();
            let lasts: Vec<Option<u64>> = answers
                .filter_map(|(_, answer)| match Answer::decode(&answer).ok()? {
                    Answer::Vote(answer) => Some(answer.last_log_id.map(|last| last.index)),
                    _ => None,
                })
                .collect();
            if 2 * (lasts.len() + 1) > voters.len() {
                return lasts.into_iter().flatten().max();
            }
            sleep(ASKED_AGAIN).await;
        }
    }

    /// Asks the others until half of all agree, rounded up; `speaker` does. Whoever objects ends it.
    async fn enough_agree(
        &self,
        speaker: NodePublicKey,
        request: &Request,
        read: impl Fn(&Answer) -> Option<Said>,
    ) -> bool {
        let me = self.core.me();
        let mut others = self.permitted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if others.is_empty() {
            others = self.voters();
        }
        others.retain(|sealer| *sealer != me && *sealer != speaker);
        let (mut all, mut agree) = (others.len() + 2, 1);
        let calls = others.into_iter().map(|sealer| self.transport.call(sealer, request.encode(), PATIENCE));
        let mut calls: FuturesUnordered<_> = calls.collect();
        while agree < all.div_ceil(2) {
            let Some(answer) = calls.next().await else { return false };
            let answer = answer.ok().and_then(|answer| Answer::decode(&answer).ok());
            match answer.as_ref().and_then(&read) {
                Some(Said::Agrees) => agree += 1,
                Some(Said::Objects) => return false,
                Some(Said::HasNothing) => all -= 1,
                None => {}
            }
        }
        true
    }

    /// Whether a request for a vote is an inquiry.
    pub(super) fn is_inquiry(request: &VoteRequest<SealerId>) -> bool {
        *request == inquiry()
    }
}
