//! Who governs a register now.

use super::control::ControlRecord;
use super::genesis::{GenesisRecord, MAX_ATTESTATIONS, Role};
use super::policy::RegisterPolicy;
use super::refusal::ControlRefused;
use super::vote::{Change, GovernanceChange};
use crate::{RegisterId, SealerSet, Transaction};
use peerwright_encoding::{DecodeError, Reader, Writer};
use peerwright_secure::NodePublicKey;
use std::collections::BTreeMap;

const MICROS_PER_DAY: u64 = 24 * 3_600 * 1_000_000;

/// What the control dockets of a register come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Governance {
    authority: NodePublicKey,
    sealers: SealerSet,
    policy: RegisterPolicy,
    /// How many changes were voted for.
    version: u32,
    roster: BTreeMap<NodePublicKey, Role>,
}

impl Governance {
    /// What a register begins with.
    pub(crate) fn begin(record: &GenesisRecord) -> Self {
        Self {
            authority: record.authority,
            sealers: record.sealers.clone(),
            policy: record.policy,
            version: 0,
            roster: record.attestations.iter().map(|(key, attestation)| (*key, attestation.role)).collect(),
        }
    }

    /// Whose signature alone replaces the sealers.
    #[must_use]
    pub const fn authority(&self) -> &NodePublicKey {
        &self.authority
    }

    /// Who seals the next docket.
    #[must_use]
    pub const fn sealers(&self) -> &SealerSet {
        &self.sealers
    }

    /// The register's own settings.
    #[must_use]
    pub const fn policy(&self) -> &RegisterPolicy {
        &self.policy
    }

    /// How many changes were voted for; the next has the version that follows.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// Who has which place.
    #[must_use]
    pub const fn roster(&self) -> &BTreeMap<NodePublicKey, Role> {
        &self.roster
    }

    /// What a control transaction of a docket that is sealed at `sealed_at_micros` makes of it. The author's signature was
    /// checked.
    pub(crate) fn changed_by(&self, transaction: &Transaction, sealed_at_micros: u64) -> Result<Self, ControlRefused> {
        let register = transaction.body().register;
        match ControlRecord::of(transaction)? {
            ControlRecord::Genesis(_) => Err(ControlRefused::Genesis),
            ControlRecord::SealerChange(sealers) => self.sealed_by(sealers, transaction.body().author),
            ControlRecord::Governance(change) => self.voted(&change, register, sealed_at_micros),
        }
    }

    fn sealed_by(&self, sealers: SealerSet, author: NodePublicKey) -> Result<Self, ControlRefused> {
        if author != self.authority && !self.sealers.contains(&author) {
            return Err(ControlRefused::Author(author));
        }
        check_version("set of sealers", sealers.version(), self.sealers.version().saturating_add(1))?;
        if let Some(weak) = sealers.sealers().iter().find(|key| key.is_weak()) {
            return Err(ControlRefused::WeakKey(*weak));
        }
        Ok(Self { sealers, ..self.clone() })
    }

    fn voted(
        &self,
        change: &GovernanceChange,
        register: RegisterId,
        sealed_at_micros: u64,
    ) -> Result<Self, ControlRefused> {
        check_version("change", change.version, self.version.saturating_add(1))?;
        let age = sealed_at_micros.checked_sub(change.proposed_at_micros).ok_or(ControlRefused::ProposedLater)?;
        let days = self.policy.proposal_life_days;
        if age > u64::from(days) * MICROS_PER_DAY {
            return Err(ControlRefused::ProposalExpired { days });
        }
        let mut changed = self.clone();
        changed.version = change.version;
        changed.apply(&change.change)?;
        self.check_quorum(change)?;
        change.change.verify(register)?;
        change.verify_votes(register)?;
        Ok(changed)
    }

    /// Whether enough of those who govern have voted, and nobody else.
    fn check_quorum(&self, change: &GovernanceChange) -> Result<(), ControlRefused> {
        let governs = |key: &NodePublicKey| self.roster.get(key).is_some_and(|role| role.governs());
        if let Some(foreign) = change.votes.keys().find(|key| !governs(key)) {
            return Err(ControlRefused::ForeignVote(*foreign));
        }
        let is_owner = |key: &NodePublicKey| self.roster.get(key) == Some(&Role::Owner);
        if self.policy.owner_decides_alone && change.votes.keys().any(is_owner) {
            return Ok(());
        }
        let voters = self.roster.values().filter(|role| role.governs()).count();
        let (votes, needed) = (change.votes.len(), self.policy.quorum.of(voters));
        if votes < needed { Err(ControlRefused::Quorum { votes, needed }) } else { Ok(()) }
    }

    fn apply(&mut self, change: &Change) -> Result<(), ControlRefused> {
        match change {
            Change::Policy(policy) => {
                if policy.version <= self.policy.version {
                    check_version("policy", policy.version, self.policy.version.saturating_add(1))?;
                }
                self.policy = *policy;
            }
            Change::Admit { key, attestation } => {
                if self.roster.get(key) == Some(&attestation.role) {
                    return Ok(());
                }
                if attestation.role == Role::Owner {
                    return Err(ControlRefused::OwnerStays);
                }
                self.leave(key)?;
                if self.roster.len() >= MAX_ATTESTATIONS {
                    return Err(ControlRefused::RosterFull);
                }
                self.roster.insert(*key, attestation.role);
            }
            Change::Dismiss(key) => {
                if !self.roster.contains_key(key) {
                    return Err(ControlRefused::NotOnRoster(*key));
                }
                self.leave(key)?;
            }
        }
        Ok(())
    }

    /// Takes the place of who has one.
    fn leave(&mut self, key: &NodePublicKey) -> Result<(), ControlRefused> {
        let admins = self.roster.values().filter(|role| **role == Role::Admin).count();
        match self.roster.get(key) {
            Some(Role::Owner) => return Err(ControlRefused::OwnerStays),
            Some(Role::Admin) if admins == 1 => return Err(ControlRefused::LastAdmin),
            _ => {}
        }
        self.roster.remove(key);
        Ok(())
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.raw(self.authority.as_bytes());
        self.sealers.write(writer);
        self.policy.write(writer);
        let roster: Vec<_> = self.roster.iter().collect();
        writer.u32(self.version).list(&roster, |writer, (key, role)| {
            writer.raw(key.as_bytes()).u8(role.byte());
        });
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, ControlRefused> {
        let authority = NodePublicKey::from_bytes(reader.array("authority")?);
        let sealers = SealerSet::read(reader)?;
        let policy = RegisterPolicy::read(reader)?;
        let version = reader.u32("changes")?;
        let roster = reader.list(MAX_ATTESTATIONS, "roster", |reader| {
            Ok((NodePublicKey::from_bytes(reader.array("member of the roster")?), Role::read(reader)?))
        })?;
        if !roster.is_sorted_by(|(earlier, _), (later, _)| earlier < later) {
            return Err(DecodeError::Invalid("the roster is not in ascending order").into());
        }
        Ok(Self { authority, sealers, policy, version, roster: roster.into_iter().collect() })
    }
}

const fn check_version(what: &'static str, found: u32, expected: u32) -> Result<(), ControlRefused> {
    if found == expected { Ok(()) } else { Err(ControlRefused::Version { what, expected, found }) }
}
