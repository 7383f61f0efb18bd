//! What this sealer does for the others.

use super::{
    Group,
    forgetful::{Voting, last_of},
};
use crate::{
    exchange, fetch,
    raft::{SealerId, Vote},
    snapshot::Heads,
    wire::{Answer, Request, out_of_generation},
};
use bytes::Bytes;
use openraft::{Snapshot, raft::VoteRequest};
use peerwright_secure::NodePublicKey;
use std::{collections::BTreeSet, sync::PoisonError};

impl Group {
    /// Answers a request that came from `from`, whose key its link has proven.
    pub async fn serve(&self, from: NodePublicKey, request: Bytes) -> Bytes {
        let answer =
            if self.knows(&from) { self.answer_in_generation(from, request).await } else { refused("not_a_sealer") };
        answer.encode()
    }

    async fn answer_in_generation(&self, from: NodePublicKey, request: Bytes) -> Answer {
        let request = out_of_generation(request);
        match request.and_then(|(generation, request)| Ok((generation, Request::decode(&request)?))) {
            Ok((generation, request)) if generation == self.generation => self.answer(from, request).await,
            Ok((generation, _)) => {
                tracing::debug!(sealer = ?from, generation, own = self.generation, "a sealer is of another group");
                refused("other_generation")
            }
            Err(error) => {
                tracing::warn!(sealer = ?from, %error, "a sealer's request cannot be read");
                refused("malformed")
            }
        }
    }

    /// Says anew who may be a sealer.
    pub fn permit(&self, permitted: BTreeSet<NodePublicKey>) {
        *self.permitted.lock().unwrap_or_else(PoisonError::into_inner) = permitted;
    }

    /// Whether there is more of a log than the entry that a group begins with.
    fn has_begun(&self) -> bool {
        self.raft.metrics().borrow().last_log_index.is_some_and(|last| last > 0)
    }

    fn knows(&self, from: &NodePublicKey) -> bool {
        let is_permitted = self.permitted.lock().unwrap_or_else(PoisonError::into_inner).contains(from);
        let metrics = self.raft.metrics();
        let is_member = || metrics.borrow().membership_config.membership().get_node(&SealerId::from(*from)).is_some();
        is_permitted || is_member()
    }

    async fn answer(&self, from: NodePublicKey, request: Request) -> Answer {
        match request {
            Request::Vote(request) => {
                let is_inquiry = Self::is_inquiry(&request);
                if !is_inquiry && !self.may_vote(from, &request).await {
                    return refused("forgetful");
                }
                let Ok(answer) = self.raft.vote(request).await else { return refused("stopped") };
                if answer.vote_granted && !is_inquiry {
                    self.candidacy.give_vote();
                }
                Answer::Vote(answer)
            }
            Request::Append(request) => {
                match self.may_follow(from, request.vote).await {
                    Ok(true) => {}
                    Ok(false) => return refused("forgetful"),
                    Err(_) => return refused("stopped"),
                }
                let (leader, last, committed) = (request.vote, last_of(&request), request.leader_commit);
                self.hear(leader);
                let Ok(answer) = self.raft.append_entries(request).await else { return refused("stopped") };
                if self.forgetful.caught_up(&leader, last, committed, &answer) {
                    if self.ballot.set_behind(false).await.is_err() {
                        return refused("stopped");
                    }
                    self.stand();
                }
                Answer::Append(answer)
            }
            Request::Snapshot { vote, meta, heads } => {
                match self.may_follow(from, vote).await {
                    Ok(true) => {}
                    Ok(false) => return refused("forgetful"),
                    Err(_) => return refused("stopped"),
                }
                self.hear(vote);
                if let Err(error) = self.fetch(from, &heads).await {
                    tracing::warn!(sealer = ?from, %error, "a snapshot could not be followed up");
                    return refused("not_fetched");
                }
                let snapshot = Snapshot { meta, snapshot: Box::new(heads) };
                let Ok(installed) = self.raft.install_full_snapshot(vote, snapshot).await else {
                    return refused("stopped");
                };
                Answer::Snapshot(installed.vote)
            }
            Request::Signatures(dockets) => {
                let answer = exchange::answer(&self.core, from, dockets).await;
                answer.map_or_else(|error| refused(error.code()), Answer::Signatures)
            }
            Request::Dockets { register, from, max_bytes } => {
                let dockets = fetch::serve(&self.core, register, from, max_bytes).await;
                dockets.map_or_else(
                    |error| {
                        tracing::warn!(%register, number = from, %error, "dockets cannot be given");
                        refused("not_served")
                    },
                    Answer::Dockets,
                )
            }
            Request::Begun => Answer::Begun(self.has_begun()),
            Request::MayStand(last) => Answer::MayStand(self.lets_stand(from, last).await),
            Request::Elect if !self.forgetful.may_stand() => refused("forgetful"),
            Request::Elect => self.raft.trigger().elect().await.map_or_else(|_| refused("stopped"), |()| Answer::Elect),
        }
    }

    /// A leader speaks; one of an earlier term does not count. Whoever is told of a change in the consensus library finds that
    /// it was heard.
    fn hear(&self, leader: Vote) {
        if leader >= self.raft.metrics().borrow().vote {
            self.candidacy.hear_leader();
        }
    }

    async fn may_vote(&self, from: NodePublicKey, request: &VoteRequest<SealerId>) -> bool {
        let voted = self.raft.metrics().borrow().vote;
        match self.forgetful.voting(request, &voted) {
            Voting::Free => true,
            Voting::IfNobodyHasBegun => self.nobody_has_begun(from).await,
            Voting::Abstains => false,
        }
    }

    async fn fetch(&self, from: NodePublicKey, heads: &Heads) -> Result<(), fetch::NotFetched> {
        fetch::fetch(&self.core, self.transport.as_ref(), from, heads).await
    }
}

fn refused(code: &str) -> Answer {
    Answer::Refused(code.to_owned())
}
