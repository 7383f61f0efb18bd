//! Changes of a register's policy and roster, by vote.

use super::genesis::{Attestation, MAX_ATTESTATIONS, MAX_SUBJECT_BYTES, Role};
use super::policy::RegisterPolicy;
use super::refusal::ControlRefused;
use crate::RegisterId;
use peerwright_encoding::{DecodeError, Reader, Writer};
use peerwright_secure::{Context, NodeKey, NodePublicKey, Signature, sha256};
use std::collections::BTreeMap;

const FORMAT: u8 = 1;
/// Begins what a newcomer attests; a genesis record, which is attested too, begins with 1.
const ADMISSION_FORMAT: u8 = 2;

/// A change of a register's policy or roster with the votes for it, of those who govern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GovernanceChange {
    /// The change's number in the register, from 1: votes for one count for no other.
    pub version: u32,
    /// When it was proposed, unix microseconds; the policy says for how long votes count from then on.
    pub proposed_at_micros: u64,
    /// What changes.
    pub change: Change,
    /// Who has voted for it.
    pub votes: BTreeMap<NodePublicKey, Signature>,
}

/// What changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The policy.
    Policy(RegisterPolicy),
    /// Somebody gets a place in the register, or another one. To admit who has the place already changes nothing, and
    /// is no mistake.
    Admit {
        /// Who.
        key: NodePublicKey,
        /// As what; they attest it themselves.
        attestation: Attestation,
    },
    /// Somebody loses their place.
    Dismiss(NodePublicKey),
}

impl Change {
    /// Admits the holder of `key` to `register`, and attests it.
    #[must_use]
    pub fn admit(register: RegisterId, role: Role, subject: &str, now_micros: u64, key: &NodeKey) -> Self {
        let mut attestation = Attestation {
            role,
            subject: subject.to_owned(),
            attested_at_micros: now_micros,
            signature: Signature::from_bytes([0; 64]),
        };
        attestation.signature = key.sign(Context::Attestation, &admission(register, &key.public(), &attestation));
        Self::Admit { key: key.public(), attestation }
    }

    /// Checks what needs no register to check: that who is admitted wants to be.
    pub(super) fn verify(&self, register: RegisterId) -> Result<(), ControlRefused> {
        let Self::Admit { key, attestation } = self else { return Ok(()) };
        if key.is_weak() {
            return Err(ControlRefused::WeakKey(*key));
        }
        let verdict = key.verify(Context::Attestation, &admission(register, key, attestation), &attestation.signature);
        verdict.map_err(|refused| ControlRefused::Attestation { key: *key, refused })
    }

    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Policy(policy) => policy.write(writer.u8(0)),
            Self::Admit { key, attestation } => {
                write_place(writer.u8(1), key, attestation);
                writer.raw(attestation.signature.as_bytes());
            }
            Self::Dismiss(key) => {
                writer.u8(2).raw(key.as_bytes());
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, ControlRefused> {
        Ok(match reader.u8("change")? {
            0 => Self::Policy(RegisterPolicy::read(reader)?),
            1 => {
                let key = NodePublicKey::from_bytes(reader.array("newcomer")?);
                let attestation = Attestation {
                    role: Role::read(reader)?,
                    subject: reader.text(MAX_SUBJECT_BYTES, "subject")?.to_owned(),
                    attested_at_micros: reader.u64("attestation time")?,
                    signature: Signature::from_bytes(reader.array("attestation's signature")?),
                };
                Self::Admit { key, attestation }
            }
            2 => Self::Dismiss(NodePublicKey::from_bytes(reader.array("dismissed")?)),
            value => return Err(DecodeError::Unknown { what: "change", value: value.into() }.into()),
        })
    }
}

impl GovernanceChange {
    /// Adds a vote. The change is not to be altered afterwards.
    pub fn vote(&mut self, register: RegisterId, key: &NodeKey) {
        let signature = key.sign(Context::Governance, &self.digest(register));
        self.votes.insert(key.public(), signature);
    }

    /// Checks the votes' signatures; whose votes count, the register knows.
    pub(super) fn verify_votes(&self, register: RegisterId) -> Result<(), ControlRefused> {
        let digest = self.digest(register);
        self.votes.iter().try_for_each(|(key, signature)| {
            let verdict = key.verify(Context::Governance, &digest, signature);
            verdict.map_err(|refused| ControlRefused::Vote { key: *key, refused })
        })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.u32(self.version).u64(self.proposed_at_micros);
        self.change.write(writer);
        let votes: Vec<_> = self.votes.iter().collect();
        writer.list(&votes, |writer, (key, signature)| {
            writer.raw(key.as_bytes()).raw(signature.as_bytes());
        });
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ControlRefused> {
        let version = reader.u32("change's version")?;
        let proposed_at_micros = reader.u64("time of proposal")?;
        let change = Change::read(reader)?;
        let votes = reader.list(MAX_ATTESTATIONS, "votes", |reader| {
            let key = NodePublicKey::from_bytes(reader.array("voter")?);
            Ok((key, Signature::from_bytes(reader.array("vote")?)))
        })?;
        if !votes.is_sorted_by(|(earlier, _), (later, _)| earlier < later) {
            return Err(DecodeError::Invalid("the votes are not in ascending order").into());
        }
        Ok(Self { version, proposed_at_micros, change, votes: votes.into_iter().collect() })
    }

    fn digest(&self, register: RegisterId) -> [u8; 32] {
        let mut writer = Writer::new();
        writer.u8(FORMAT).raw(register.as_bytes()).u32(self.version).u64(self.proposed_at_micros);
        self.change.write(&mut writer);
        sha256(writer.as_slice())
    }
}

/// What a newcomer signs.
fn admission(register: RegisterId, key: &NodePublicKey, attestation: &Attestation) -> [u8; 32] {
    let mut writer = Writer::new();
    writer.u8(ADMISSION_FORMAT).raw(register.as_bytes());
    write_place(&mut writer, key, attestation);
    sha256(writer.as_slice())
}

fn write_place(writer: &mut Writer, key: &NodePublicKey, attestation: &Attestation) {
    writer.raw(key.as_bytes()).u8(attestation.role.byte());
    writer.text(&attestation.subject).u64(attestation.attested_at_micros);
}
