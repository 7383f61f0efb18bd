//! Handing leadership over before a planned stop.
//!
//! ```text
//! leader: takes nothing more in ─▶ what waits is sealed and certified ─▶ "take over now" to who has all of it
//!                                                                           └▶ election: the old leader votes for it at once
//! ```
//!
//! A docket proposed after that would make the old leader refuse the successor, whose log is then the shorter one, and everybody
//! would wait for an election by time.

use super::Group;
use crate::{
    GroupRefused,
    wire::{Answer, Request},
};
use peerwright_secure::NodePublicKey;
use std::{sync::atomic::Ordering, time::Duration};

/// How long what is under way is waited for.
const DRAIN_PATIENCE: Duration = Duration::from_secs(5);
/// How long the successor is given to answer.
const ELECT_PATIENCE: Duration = Duration::from_secs(1);

impl Group {
    /// Lets another sealer lead, and tells who. From now on this one does not stand for leadership and takes nothing in,
    /// until it is started anew or [`stay`](Group::stay) is called. A sealer that does not lead only stands back. Refused when
    /// nobody else has taken over; then this one goes on.
    pub async fn hand_over(&self) -> Result<Option<NodePublicKey>, GroupRefused> {
        let _changing = self.changing.lock().await;
        self.leave(|_| true).await
    }

    /// Takes part again as before [`hand_over`](Group::hand_over).
    pub fn stay(&self) {
        self.is_leaving.store(false, Ordering::Relaxed);
        self.stand();
    }

    /// Stands for leadership from now on, or does not any more: as one that stays, and has forgotten nothing.
    pub(super) fn stand(&self) {
        self.candidacy.allow(!self.is_leaving.load(Ordering::Relaxed) && self.forgetful.may_stand());
    }

    /// As [`Group::hand_over`], to one of those who may.
    pub(super) async fn leave(
        &self,
        may_lead: impl Fn(&NodePublicKey) -> bool,
    ) -> Result<Option<NodePublicKey>, GroupRefused> {
        self.is_leaving.store(true, Ordering::Relaxed);
        self.stand();
        let handed_over = self.let_another_lead(may_lead).await;
        if handed_over.is_err() {
            self.stay();
        }
        handed_over
    }

    async fn let_another_lead(
        &self,
        may_lead: impl Fn(&NodePublicKey) -> bool,
    ) -> Result<Option<NodePublicKey>, GroupRefused> {
        let me = self.core.me();
        if self.status().leader != Some(me) {
            return Ok(self.status().leader);
        }
        if self.voters().len() < 2 {
            return Err(GroupRefused::NotLeader { leader: None });
        }
        // What does not get its certificate in time gets it under the next leader.
        let is_drained = async {
            self.queue.emptied().await;
            self.wait_until(|status| {
                let is_settled = status.uncertified == 0 && status.applied_index == status.last_index;
                let next = self.successors().into_iter().find(&may_lead);
                let has_all = next.is_none_or(|next| self.matched(next).map(|id| id.index) == status.last_index);
                status.leader != Some(me) || (is_settled && has_all)
            })
            .await
        };
        drop(tokio::time::timeout(DRAIN_PATIENCE, is_drained).await);
        for successor in self.successors().into_iter().filter(&may_lead) {
            let asked = self.transport.call(successor, Request::Elect.encode(), ELECT_PATIENCE).await;
            if !matches!(asked.map(|answer| Answer::decode(&answer)), Ok(Ok(Answer::Elect))) {
                continue;
            }
            let is_led = self.wait_until(|status| status.leader.is_some_and(|leader| leader != me));
            let patience = self.settings.leader_timeout * 3;
            if tokio::time::timeout(patience, is_led).await == Ok(true) {
                return Ok(self.status().leader);
            }
        }
        Err(GroupRefused::TimedOut("the hand-over"))
    }

    /// The other members, who has most of the log first.
    fn successors(&self) -> Vec<NodePublicKey> {
        let me = self.core.me();
        let mut successors: Vec<NodePublicKey> = self.voters().into_iter().filter(|key| *key != me).collect();
        successors.sort_by_key(|sealer| std::cmp::Reverse(self.matched(*sealer)));
        successors
    }
}
