//! Changing the members.
//!
//! ```text
//! newcomers learn ─▶ each register: a control docket names the new sealers, the old ones sign it ─▶ the group votes by
//! (log, snapshot)                                                                                  its new members
//! ```
//!
//! The registers change first: a newcomer signs as soon as it has learnt, and a register whose sealers are no members any
//! more would get no certificate. A register that is stranded stays as it is. Every step may be taken again, by whoever leads then.

use super::{Group, GroupStatus};
use crate::{
    GroupRefused,
    command::Command,
    propose::{propose, unless_overtaken},
    raft::{Answer, SealerId},
};
use openraft::{
    EmptyNode,
    error::{ClientWriteError, RaftError},
};
use peerwright_ledger::{ControlRecord, DocketRefused, Proposal, RegisterId, SealerSet};
use peerwright_secure::NodePublicKey;
use std::{collections::BTreeSet, time::Duration};

/// The members of a group.
pub type Sealers = BTreeSet<NodePublicKey>;

/// How long a newcomer may take to learn, and the whole change after it.
const PATIENCE: Duration = Duration::from_secs(600);

impl Group {
    /// Makes these the members of the group and the sealers of all its registers. To be told to the leader, again and again
    /// until it succeeds; nothing happens when they are already. A leader that is not to stay first lets another lead, and
    /// answers who that is.
    pub async fn change(&self, sealers: Sealers) -> Result<(), GroupRefused> {
        let _changing = self.changing.try_lock().map_err(|_| GroupRefused::Changing)?;
        let changed = tokio::time::timeout(PATIENCE, self.change_members(sealers)).await;
        changed.unwrap_or(Err(GroupRefused::TimedOut("the change of members")))
    }

    async fn change_members(&self, sealers: Sealers) -> Result<(), GroupRefused> {
        self.check_leading()?;
        // First: newcomers take nothing from one that is no sealer any more.
        if !sealers.contains(&self.core.me()) && !self.voters().is_disjoint(&sealers) {
            let leader = self.leave(|sealer| sealers.contains(sealer)).await?;
            self.stay();
            return Err(GroupRefused::NotLeader { leader });
        }
        let newcomers: Vec<_> = sealers.difference(&self.voters()).copied().collect();
        for newcomer in newcomers {
            let adding = self.raft.add_learner(SealerId::from(newcomer), EmptyNode::new(), true);
            let added = unless_overtaken(&self.raft, adding).await?;
            added.map_err(|error| refused(&error))?;
            self.caught_up(newcomer).await?;
        }
        for register in self.core.registers(|registers| registers.ids()) {
            if !self.is_stranded(&register) {
                self.change_register(register, &sealers).await?;
            }
        }
        if self.voters() != sealers || !self.status().learners.is_empty() {
            let members: BTreeSet<SealerId> = sealers.iter().copied().map(SealerId::from).collect();
            let changing = self.raft.change_membership(members, false);
            let changed = unless_overtaken(&self.raft, changing).await?;
            changed.map_err(|error| refused(&error))?;
        }
        Ok(())
    }

    /// Waits until a newcomer has what is applied here. The library is content with one that lacks few entries, and where
    /// the log is short that may be all of them; then two could wait for each other.
    async fn caught_up(&self, newcomer: NodePublicKey) -> Result<(), GroupRefused> {
        let (me, applied) = (self.core.me(), self.raft.metrics().borrow().last_applied);
        let has_it = |status: &GroupStatus| status.leader != Some(me) || self.matched(newcomer) >= applied;
        if !self.wait_until(has_it).await {
            return Err(GroupRefused::Stopped);
        }
        self.check_leading()
    }

    /// Seals the change of one register's sealers, unless it has them.
    async fn change_register(&self, register: RegisterId, sealers: &Sealers) -> Result<(), GroupRefused> {
        loop {
            let Some(tip) = self.core.registers(|registers| registers.tip(&register)) else { return Ok(()) };
            let current = tip.governance().sealers();
            if current.sealers() == sealers {
                return self.certified(register, tip.head().number).await;
            }
            let next = SealerSet::new(current.version().saturating_add(1), sealers.clone());
            let next = next.map_err(DocketRefused::from)?;
            let now = self.core.now().max(tip.head().sealed_at_micros);
            let transaction = ControlRecord::SealerChange(next).sign(register, now, &self.core.key);
            let transaction =
                transaction.map_err(|refusal| DocketRefused::Transaction { position: 0, refusal })?.encoded().clone();
            let proposal = Proposal { time_micros: now, proposer: self.core.me(), transactions: vec![transaction] };
            let Some((header, body)) = tip.seal(&proposal) else { return Err(GroupRefused::OtherSealers) };
            match propose(&self.raft, Command { header, body }).await? {
                Answer::Formed { number, .. } => return self.certified(register, number).await,
                // Another docket was faster.
                Answer::Stale | Answer::Nothing => self.check_leading()?,
            }
        }
    }
}

fn refused(error: &RaftError<SealerId, ClientWriteError<SealerId, EmptyNode>>) -> GroupRefused {
    match error {
        RaftError::APIError(ClientWriteError::ForwardToLeader(forward)) => {
            GroupRefused::NotLeader { leader: forward.leader_id.map(SealerId::key) }
        }
        RaftError::APIError(ClientWriteError::ChangeMembershipError(_)) => GroupRefused::Changing,
        RaftError::Fatal(_) => GroupRefused::Stopped,
    }
}
