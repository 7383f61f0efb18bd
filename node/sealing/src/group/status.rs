//! How the group stands, as this sealer sees it.

use super::Group;
use crate::{GroupRefused, raft::SealerId};
use openraft::ServerState;
use peerwright_secure::NodePublicKey;
use std::{collections::BTreeSet, sync::atomic::Ordering};

/// How the group stands, as one of its sealers sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupStatus {
    /// Who leads, as far as is known.
    pub leader: Option<NodePublicKey>,
    /// How often leadership was stood for.
    pub term: u64,
    /// Whether this sealer leads, a majority has answered it lately, and it takes something in.
    pub is_leading: bool,
    /// The members: a majority of them commits.
    pub sealers: BTreeSet<NodePublicKey>,
    /// Those who are brought up to date before they become members.
    pub learners: BTreeSet<NodePublicKey>,
    /// The volume has no room. The sealer goes on by itself when it has.
    pub is_full: bool,
    /// Registers sealed here.
    pub registers: usize,
    /// Dockets that wait for their certificates.
    pub uncertified: usize,
    /// Sealed transactions that are still valid and therefore remembered.
    pub remembered: usize,
    /// The last entry of the log here.
    pub last_index: Option<u64>,
    /// The last entry that the group has committed, as far as is known here.
    pub applied_index: Option<u64>,
}

impl Group {
    /// How the group stands now.
    #[must_use]
    pub fn status(&self) -> GroupStatus {
        let (registers, uncertified, remembered) =
            self.core.registers(|registers| (registers.ids().len(), registers.pending(), registers.remembered()));
        let is_leading = self.check_leading().is_ok();
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        let membership = metrics.membership_config.membership();
        GroupStatus {
            leader: metrics.current_leader.map(SealerId::key),
            term: metrics.current_term,
            is_leading,
            sealers: membership.voter_ids().map(SealerId::key).collect(),
            learners: membership.learner_ids().map(SealerId::key).collect(),
            is_full: self.core.durable.is_full(),
            registers,
            uncertified,
            remembered,
            last_index: metrics.last_log_index,
            applied_index: metrics.last_applied.map(|id| id.index),
        }
    }

    /// Resolves when `holds` is true of the status, at every change looked at anew; `false` when the sealer ends first.
    pub async fn wait_until(&self, mut holds: impl FnMut(&GroupStatus) -> bool) -> bool {
        let (mut metrics, mut recorded) = (self.raft.metrics(), self.core.recorded.subscribe());
        loop {
            if holds(&self.status()) {
                return true;
            }
            tokio::select! {
                biased;
                () = self.core.cancelled() => return false,
                changed = metrics.changed() => {
                    if changed.is_err() {
                        return false;
                    }
                }
                Ok(()) = recorded.changed() => {}
            }
        }
    }

    /// Refuses unless this sealer leads and a majority has answered it lately.
    pub(super) fn check_leading(&self) -> Result<(), GroupRefused> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        let leader = metrics.current_leader.map(SealerId::key);
        if leader != Some(self.core.me()) || metrics.state != ServerState::Leader {
            return Err(GroupRefused::NotLeader { leader: leader.filter(|leader| *leader != self.core.me()) });
        }
        let is_member = metrics.membership_config.voter_ids().any(|sealer| sealer.key() == self.core.me());
        let is_alone = metrics.membership_config.voter_ids().count() == 1;
        let patience = self.settings.leader_timeout * 2;
        let is_heard = metrics.millis_since_quorum_ack.is_none_or(|millis| u128::from(millis) <= patience.as_millis());
        if self.core.durable.is_full() {
            return Err(GroupRefused::DiskFull);
        }
        if self.core.durable.is_away() {
            return Err(GroupRefused::StoreUnreachable);
        }
        if self.is_leaving.load(Ordering::Relaxed) || !is_member || !(is_alone || is_heard) {
            return Err(GroupRefused::NotLeader { leader: None });
        }
        Ok(())
    }

    /// The members.
    pub(super) fn voters(&self) -> BTreeSet<NodePublicKey> {
        self.raft.metrics().borrow().membership_config.voter_ids().map(SealerId::key).collect()
    }
}
