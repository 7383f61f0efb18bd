//! The first record of a register.

use super::policy::RegisterPolicy;
use super::refusal::{ControlRefused, check_range};
use crate::{RegisterId, SealerSet};
use peerwright_encoding::{DecodeError, Reader, Writer};
use peerwright_secure::{Context, NodeKey, NodePublicKey, Signature, sha256};
use std::collections::BTreeMap;

/// Most attestations of a register.
pub const MAX_ATTESTATIONS: usize = 25;
/// The longest display name, in characters.
pub const MAX_REGISTER_NAME_CHARS: usize = 38;
/// The longest description, in characters.
pub const MAX_DESCRIPTION_CHARS: usize = 2048;
/// The longest subject of an attestation.
pub const MAX_SUBJECT_BYTES: usize = 512;

const FORMAT: u8 = 1;
/// A character of UTF-8 has at most so many bytes.
const MAX_CHAR_BYTES: usize = 4;

peerwright_encoding::identifier!(
    /// The SHA-256 of a genesis record, of which a register's id is the beginning. In text, 64 lower-case hex digits.
    pub struct GenesisHash([u8; 32]),
    "a genesis hash"
);

/// What a register is from its first docket on.
///
/// Those who attest sign all of it but the signatures, so each knows who the others are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenesisRecord {
    /// The display name: 1 to 38 characters.
    pub name: String,
    /// What the register is for: at most 2048 characters.
    pub description: String,
    /// Whose signature alone replaces the sealers.
    pub authority: NodePublicKey,
    /// The first sealers: version 1.
    pub sealers: SealerSet,
    /// The first policy: version 1.
    pub policy: RegisterPolicy,
    /// When it was made, unix microseconds; docket 0 has this time.
    pub created_at_micros: u64,
    /// Chance, so that two registers that are alike have two ids.
    pub nonce: [u8; 16],
    /// Who stands for it: 1 to 25, one of them its owner.
    pub attestations: BTreeMap<NodePublicKey, Attestation>,
}

/// Somebody's place in a register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attestation {
    /// As what.
    pub role: Role,
    /// Who that is, in words of people: at most 512 bytes.
    pub subject: String,
    /// When they attested, unix microseconds.
    pub attested_at_micros: u64,
    /// Their signature of the record.
    pub signature: Signature,
}

/// What somebody may do in a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Governs it; there is exactly one.
    Owner,
    /// Governs it with the owner.
    Admin,
    /// Looks after it.
    Auditor,
    /// Makes its workflows.
    Designer,
}

impl Role {
    /// Whether they vote.
    #[must_use]
    pub const fn governs(self) -> bool {
        matches!(self, Self::Owner | Self::Admin)
    }

    pub(super) const fn byte(self) -> u8 {
        match self {
            Self::Owner => 0,
            Self::Admin => 1,
            Self::Auditor => 2,
            Self::Designer => 3,
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8("role")? {
            0 => Ok(Self::Owner),
            1 => Ok(Self::Admin),
            2 => Ok(Self::Auditor),
            3 => Ok(Self::Designer),
            value => Err(DecodeError::Unknown { what: "role", value: value.into() }),
        }
    }
}

impl GenesisRecord {
    /// What names the register.
    #[must_use]
    pub fn hash(&self) -> GenesisHash {
        GenesisHash::from_bytes(sha256(&self.encode()))
    }

    /// The register's id: the first 16 bytes of the hash.
    #[must_use]
    pub fn register(&self) -> RegisterId {
        self.hash().register()
    }

    /// Whose the register is.
    #[must_use]
    pub fn owner(&self) -> Option<NodePublicKey> {
        let mut owners = self.attestations.iter().filter(|(_, attestation)| attestation.role == Role::Owner);
        owners.next().map(|(key, _)| *key)
    }

    /// Signs the attestation of `key`'s holder, whose place must be among [`GenesisRecord::attestations`]; the record is
    /// not to be changed afterwards.
    pub fn attest(&mut self, key: &NodeKey) -> Result<(), ControlRefused> {
        let signature = key.sign(Context::Attestation, &self.attested_digest());
        let attestation = self.attestations.get_mut(&key.public()).ok_or(ControlRefused::Author(key.public()))?;
        attestation.signature = signature;
        Ok(())
    }

    /// Checks that all have attested, with keys that only they have.
    pub fn verify(&self) -> Result<(), ControlRefused> {
        let sealers = self.sealers.sealers().iter();
        let mut keys = self.attestations.keys().chain(sealers).chain([&self.authority]);
        if let Some(weak) = keys.find(|key| key.is_weak()) {
            return Err(ControlRefused::WeakKey(*weak));
        }
        let digest = self.attested_digest();
        self.attestations.iter().try_for_each(|(key, attestation)| {
            let verdict = key.verify(Context::Attestation, &digest, &attestation.signature);
            verdict.map_err(|refused| ControlRefused::Attestation { key: *key, refused })
        })
    }

    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = self.write_attested();
        for attestation in self.attestations.values() {
            writer.raw(attestation.signature.as_bytes());
        }
        writer.finish()
    }

    /// Reads a record, and checks all but its signatures.
    pub fn decode(encoded: &[u8]) -> Result<Self, ControlRefused> {
        let mut reader = Reader::new(encoded);
        match reader.u8("genesis format")? {
            FORMAT => {}
            value => return Err(DecodeError::Unknown { what: "genesis format", value: value.into() }.into()),
        }
        let name = reader.text(MAX_REGISTER_NAME_CHARS * MAX_CHAR_BYTES, "register name")?.to_owned();
        let description = reader.text(MAX_DESCRIPTION_CHARS * MAX_CHAR_BYTES, "register description")?.to_owned();
        let authority = NodePublicKey::from_bytes(reader.array("authority")?);
        let sealers = SealerSet::read(&mut reader)?;
        let policy = RegisterPolicy::read(&mut reader)?;
        let created_at_micros = reader.u64("creation time")?;
        let nonce = reader.array("nonce")?;
        let mut attested = reader.list(MAX_ATTESTATIONS, "attestations", read_attestation)?;
        for (_, attestation) in &mut attested {
            attestation.signature = Signature::from_bytes(reader.array("attestation's signature")?);
        }
        reader.finish()?;
        if !attested.is_sorted_by(|(earlier, _), (later, _)| earlier < later) {
            return Err(DecodeError::Invalid("the attestations are not in ascending order").into());
        }
        let attestations = attested.into_iter().collect();
        let record = Self { name, description, authority, sealers, policy, created_at_micros, nonce, attestations };
        record.check()?;
        Ok(record)
    }

    /// Refuses what every reader would refuse.
    pub fn check(&self) -> Result<(), ControlRefused> {
        let characters = |text: &str| text.chars().count() as u64;
        check_range("the name's length", characters(&self.name), 1, MAX_REGISTER_NAME_CHARS as u64)?;
        check_range("the description's length", characters(&self.description), 0, MAX_DESCRIPTION_CHARS as u64)?;
        check_range("the number of attestations", self.attestations.len() as u64, 1, MAX_ATTESTATIONS as u64)?;
        for attestation in self.attestations.values() {
            check_range("a subject's length", attestation.subject.len() as u64, 0, MAX_SUBJECT_BYTES as u64)?;
        }
        let owners = self.attestations.values().filter(|attestation| attestation.role == Role::Owner).count();
        if owners != 1 {
            return Err(ControlRefused::Owners(owners));
        }
        for (what, found) in [("set of sealers", self.sealers.version()), ("policy", self.policy.version)] {
            if found != 1 {
                return Err(ControlRefused::Version { what, expected: 1, found });
            }
        }
        self.policy.check()
    }

    /// The digest of everything but the signatures.
    fn attested_digest(&self) -> [u8; 32] {
        sha256(&self.write_attested().finish())
    }

    fn write_attested(&self) -> Writer {
        let mut writer = Writer::new();
        writer.u8(FORMAT).text(&self.name).text(&self.description).raw(self.authority.as_bytes());
        self.sealers.write(&mut writer);
        self.policy.write(&mut writer);
        writer.u64(self.created_at_micros).raw(&self.nonce);
        let attestations: Vec<_> = self.attestations.iter().collect();
        writer.list(&attestations, |writer, (key, attestation)| {
            writer.raw(key.as_bytes()).u8(attestation.role.byte());
            writer.text(&attestation.subject).u64(attestation.attested_at_micros);
        });
        writer
    }
}

impl GenesisHash {
    /// The id of the register that begins with the record.
    #[must_use]
    pub fn register(&self) -> RegisterId {
        RegisterId::from_bytes(std::array::from_fn(|place| self.0.get(place).copied().unwrap_or_default()))
    }
}

/// An attestation without its signature, which is behind all of them.
fn read_attestation(reader: &mut Reader<'_>) -> Result<(NodePublicKey, Attestation), DecodeError> {
    let key = NodePublicKey::from_bytes(reader.array("attestor")?);
    let attestation = Attestation {
        role: Role::read(reader)?,
        subject: reader.text(MAX_SUBJECT_BYTES, "subject")?.to_owned(),
        attested_at_micros: reader.u64("attestation time")?,
        signature: Signature::from_bytes([0; 64]),
    };
    Ok((key, attestation))
}
