//! How the group stands, as this sealer sees it.

use super::Group;
use crate::{
    GroupRefused,
    raft::{LogId, SealerId},
    wire::Request,
};
use bytes::Bytes;
use futures::future::join_all;
use openraft::ServerState;
use peerwright_ledger::{RegisterId, TransactionId};
use peerwright_secure::NodePublicKey;
use std::{collections::BTreeSet, sync::atomic::Ordering, time::Duration};

/// How long a member is given to show that it is there.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// How the group stands, as one of its sealers sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupStatus {
    /// Who leads, as far as is known.
    pub leader: Option<NodePublicKey>,
    /// Which group of the network it is: 0 the first.
    pub generation: u64,
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
            leader: self.leader(metrics.current_leader),
            generation: self.generation,
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

    /// Which of these transactions a docket of the register may hold, as far as they are valid still: of the others it is
    /// certain that none does. `None` for a register that the group does not know.
    #[must_use]
    pub fn may_have_sealed(&self, register: RegisterId, ids: &[TransactionId]) -> Option<Vec<bool>> {
        self.core.registers(|registers| {
            let horizon = registers.get(&register)?.horizon();
            Some(ids.iter().map(|id| horizon.contains(id)).collect())
        })
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

    /// The members that answer at all, this one among them: whoever is not, another group cannot count on.
    pub async fn answering(&self) -> BTreeSet<NodePublicKey> {
        let (me, members) = (self.core.me(), self.voters());
        let answers = self.ask_others(&members, &Request::Begun, ANSWER_WITHIN).await;
        answers.into_iter().map(|(member, _)| member).chain(members.contains(&me).then_some(me)).collect()
    }

    /// What those of these sealers answer, this one aside, who answer in time.
    pub(super) async fn ask_others(
        &self,
        sealers: &BTreeSet<NodePublicKey>,
        request: &Request,
        patience: Duration,
    ) -> Vec<(NodePublicKey, Bytes)> {
        let me = self.core.me();
        let asking = sealers.iter().filter(|sealer| **sealer != me).map(|sealer| async {
            let answer = self.transport.call(*sealer, request.encode(), patience).await;
            Some((*sealer, answer.ok()?))
        });
        join_all(asking).await.into_iter().flatten().collect()
    }

    /// Who leads, as far as is known: this one, or another that has been heard lately.
    fn leader(&self, known: Option<SealerId>) -> Option<NodePublicKey> {
        known
            .map(SealerId::key)
            .filter(|leader| *leader == self.core.me() || self.candidacy.hears_within(self.settings.leader_timeout * 2))
    }

    /// Refuses unless this sealer leads and a majority has answered it lately.
    pub(super) fn check_leading(&self) -> Result<(), GroupRefused> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        if metrics.current_leader.map(SealerId::key) != Some(self.core.me()) || metrics.state != ServerState::Leader {
            return Err(GroupRefused::NotLeader {
                leader: self.leader(metrics.current_leader).filter(|leader| *leader != self.core.me()),
            });
        }
        let is_member = metrics.membership_config.voter_ids().any(|sealer| sealer.key() == self.core.me());
        let is_alone = metrics.membership_config.voter_ids().count() == 1;
        let patience = self.settings.leader_timeout * 2;
        let is_heard = metrics.millis_since_quorum_ack.is_some_and(|millis| u128::from(millis) <= patience.as_millis());
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

    /// The registers that there are; nothing unless this sealer leads, and has here all that the leaders before it have
    /// begun.
    #[must_use]
    pub fn all_registers(&self) -> Option<Vec<RegisterId>> {
        self.check_leading().ok()?;
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        // The first entry of a leader comes behind those of all before.
        let is_its_own = metrics.last_applied.is_some_and(|id| id.leader_id.term == metrics.current_term);
        is_its_own.then(|| self.core.registers(|registers| registers.ids()))
    }

    /// Registers in which nothing is sealed, because too few of their sealers are members.
    #[must_use]
    pub fn stranded(&self) -> BTreeSet<RegisterId> {
        let registers = self.core.registers(|registers| registers.ids());
        registers.into_iter().filter(|register| self.is_stranded(register)).collect()
    }

    pub(super) fn is_stranded(&self, register: &RegisterId) -> bool {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        let membership = metrics.membership_config.membership();
        self.core.registers(|registers| {
            let Some(tip) = registers.get(register).and_then(crate::registers::Register::tip) else { return false };
            let sealers = tip.governance().sealers();
            let members = sealers.sealers().iter().filter(|key| membership.get_node(&SealerId::from(**key)).is_some());
            members.count() < sealers.majority()
        })
    }

    /// The last entry that another sealer is known to have; nothing where this one does not lead.
    pub(super) fn matched(&self, sealer: NodePublicKey) -> Option<LogId> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        metrics.replication.as_ref()?.get(&SealerId::from(sealer)).copied().flatten()
    }

    /// The members.
    pub(super) fn voters(&self) -> BTreeSet<NodePublicKey> {
        self.raft.metrics().borrow().membership_config.voter_ids().map(SealerId::key).collect()
    }
}
