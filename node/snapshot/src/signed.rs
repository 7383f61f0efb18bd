//! A snapshot with its signature.

use crate::Snapshot;
use peerwright_encoding::{DecodeError, Reader, Writer};
use peerwright_secure::{
    ChainRefused, Context, MAX_CERTIFICATE_BYTES, NodeKey, Signature, SignatureRefused, sha256, signer_public_key,
};
use thiserror::Error;

/// The one URI name of a certificate whose key signs snapshots.
pub const SIGNER_URI: &str = "spiffe://peerwright.dev/snapshot-signer";

/// The longest signed snapshot: every list at its limit fits, and so does a ConfigMap.
pub const MAX_SNAPSHOT_BYTES: usize = 768 * 1024;

const FORMAT: u8 = 1;

/// Why a snapshot is not believed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SnapshotRefused {
    /// Not the canonical encoding of a snapshot within the limits.
    #[error("the snapshot cannot be read: {0}")]
    Malformed(#[from] DecodeError),
    /// The signer's certificate does not speak for the install root.
    #[error("the snapshot's signer is not trusted: {0}")]
    Signer(#[from] ChainRefused),
    /// The signer did not sign this payload.
    #[error("the snapshot's signature is not its signer's")]
    Signature(#[from] SignatureRefused),
    /// A snapshot of another network.
    #[error("the snapshot is for the network with UID {0}")]
    ForeignNetwork(String),
}

impl SnapshotRefused {
    /// The refusal as a metric label.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "snapshot_malformed",
            Self::Signer(refused) => refused.code(),
            Self::Signature(refused) => refused.code(),
            Self::ForeignNetwork(_) => "snapshot_foreign_network",
        }
    }
}

/// A snapshot as it travels and is stored: payload, signer's certificate, signature over the SHA-256 of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedSnapshot {
    payload: Vec<u8>,
    signer: Vec<u8>,
    signature: Signature,
}

impl SignedSnapshot {
    /// Signs `snapshot` with the key that `signer`, a certificate (DER), is about. A snapshot over a limit is refused
    /// here rather than by every node.
    pub fn sign(snapshot: &Snapshot, key: &NodeKey, signer: Vec<u8>) -> Result<Self, SnapshotRefused> {
        let payload = snapshot.encode();
        Snapshot::decode(&payload)?;
        let signature = key.sign(Context::Snapshot, &signed_message(&payload, &signer));
        Ok(Self { payload, signer, signature })
    }

    /// The bytes that travel.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(self.payload.len() + self.signer.len() + 128);
        writer.u8(FORMAT).bytes(&self.payload).bytes(&self.signer).raw(self.signature.as_bytes());
        writer.finish()
    }

    /// Reads the bytes that travel. Nothing in them is believed until [`SignedSnapshot::verify`].
    pub fn decode(bytes: &[u8]) -> Result<Self, SnapshotRefused> {
        if bytes.len() > MAX_SNAPSHOT_BYTES {
            let (length, limit) = (bytes.len() as u64, MAX_SNAPSHOT_BYTES as u64);
            return Err(DecodeError::TooLong { what: "signed snapshot", length, limit }.into());
        }
        let mut reader = Reader::new(bytes);
        match reader.u8("signed snapshot format")? {
            FORMAT => {}
            value => return Err(DecodeError::Unknown { what: "signed snapshot format", value: value.into() }.into()),
        }
        let signed = Self {
            payload: reader.bytes(MAX_SNAPSHOT_BYTES, "snapshot payload")?.to_vec(),
            signer: reader.bytes(MAX_CERTIFICATE_BYTES, "snapshot signer")?.to_vec(),
            signature: Signature::from_bytes(reader.array("snapshot signature")?),
        };
        reader.finish()?;
        Ok(signed)
    }

    /// SHA-256 of the payload: what a node acknowledges.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        sha256(&self.payload)
    }

    /// Gives the snapshot, once the signer is known to speak for the install root (DER) at `now_unix_seconds`, the
    /// signature is its, and the network is this one. Whether it is newer than another, [`Snapshot::supersedes`] says.
    pub fn verify(
        &self,
        install_root: &[u8],
        network_uid: &str,
        now_unix_seconds: u64,
    ) -> Result<Snapshot, SnapshotRefused> {
        let key = signer_public_key(&self.signer, install_root, SIGNER_URI, now_unix_seconds)?;
        key.verify(Context::Snapshot, &signed_message(&self.payload, &self.signer), &self.signature)?;
        let snapshot = Snapshot::decode(&self.payload)?;
        if snapshot.network_uid != network_uid {
            return Err(SnapshotRefused::ForeignNetwork(snapshot.network_uid));
        }
        Ok(snapshot)
    }
}

/// The certificate is signed too: its wrapper can be written in more than one way, and a document has one form.
fn signed_message(payload: &[u8], signer: &[u8]) -> Vec<u8> {
    [sha256(payload), sha256(signer)].concat()
}
