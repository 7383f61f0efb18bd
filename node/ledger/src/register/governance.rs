//! Who governs a register now.

use super::control::ControlRecord;
use super::genesis::GenesisRecord;
use super::policy::RegisterPolicy;
use super::refusal::ControlRefused;
use crate::{SealerSet, Transaction};
use peerwright_encoding::{Reader, Writer};
use peerwright_secure::NodePublicKey;

/// What the control dockets of a register come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Governance {
    authority: NodePublicKey,
    sealers: SealerSet,
    policy: RegisterPolicy,
}

impl Governance {
    /// What a register begins with.
    pub(crate) fn begin(record: &GenesisRecord) -> Self {
        Self { authority: record.authority, sealers: record.sealers.clone(), policy: record.policy }
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

    /// What a control transaction makes of it. Its author's signature was checked.
    pub(crate) fn changed_by(&self, transaction: &Transaction) -> Result<Self, ControlRefused> {
        let author = transaction.body().author;
        match ControlRecord::of(transaction)? {
            ControlRecord::Genesis(_) => Err(ControlRefused::Genesis),
            ControlRecord::SealerChange(sealers) => {
                if author != self.authority && !self.sealers.contains(&author) {
                    return Err(ControlRefused::Author(author));
                }
                let (expected, found) = (self.sealers.version().saturating_add(1), sealers.version());
                if found != expected {
                    return Err(ControlRefused::Version { what: "set of sealers", expected, found });
                }
                if let Some(weak) = sealers.sealers().iter().find(|key| key.is_weak()) {
                    return Err(ControlRefused::WeakKey(*weak));
                }
                Ok(Self { sealers, ..self.clone() })
            }
        }
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.raw(self.authority.as_bytes());
        self.sealers.write(writer);
        self.policy.write(writer);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, ControlRefused> {
        Ok(Self {
            authority: NodePublicKey::from_bytes(reader.array("authority")?),
            sealers: SealerSet::read(reader)?,
            policy: RegisterPolicy::read(reader)?,
        })
    }
}
