//! This node's membership of its network: its certificate and the snapshot in force.
//!
//! ```text
//! volume, ConfigMap, Certify, Watch ──▶ verify ──▶ enforce: anchors, bans, cut connections ──▶ persist (fsync)
//!                                                  └──▶ tell: driver, REST                    └──▶ tell: operator
//! ```
//!
//! A ban does not wait for a disk. The operator hears of a snapshot only when it is enforced and on the volume: what could
//! not be kept is tried again until it is.

mod access;
mod installation;
mod request;
mod standing;

pub use installation::{InstallRoot, InstallRootRefused};
pub use request::CertificateRequest;
pub use standing::Standing;

use crate::{
    identity::{LeafMaterial, Volume, VolumeError},
    tls::{Anchors, AnchorsRefused, Bans, Leaf, LeafRefused, unix_now},
    transport::{Connections, Remote},
};
use peerwright_secure::{BanSubject, MemberCertificate, NodeKey, SpiffeId, SpiffeRefused};
use peerwright_snapshot::{Ban, Older, SignedSnapshot, Snapshot, SnapshotRefused, Version};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use thiserror::Error;
use tokio::sync::watch;

/// The snapshot that this node enforces.
#[derive(Debug, PartialEq, Eq)]
pub struct InForce {
    /// What it says.
    pub snapshot: Arc<Snapshot>,
    /// SHA-256 of its payload.
    pub digest: [u8; 32],
}

/// Why a snapshot was not put in force.
#[derive(Debug, Error)]
pub enum AdoptionRefused {
    /// It cannot be believed.
    #[error(transparent)]
    Snapshot(#[from] SnapshotRefused),
    /// It would take this node back.
    #[error(transparent)]
    Older(#[from] Older),
    /// Two documents of one version.
    #[error("snapshot {0} differs from the one of the same version that this node has")]
    Conflicting(Version),
    /// It is for another trust domain than this node's.
    #[error("the snapshot is for trust domain {0}")]
    ForeignTrustDomain(String),
    /// Its authority cannot be used.
    #[error(transparent)]
    Anchors(#[from] AnchorsRefused),
    /// It is enforced, but could not be kept: it must not be acknowledged before [`Membership::keep_again`] has kept it.
    #[error("the snapshot could not be kept: {0}")]
    NotKept(#[from] VolumeError),
}

impl AdoptionRefused {
    /// The refusal as a metric label.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Snapshot(refused) => refused.code(),
            Self::Older(older) => older.code(),
            Self::Conflicting(_) => "snapshot_conflicting",
            Self::ForeignTrustDomain(_) => "foreign_trust_domain",
            Self::Anchors(_) => "anchors_invalid",
            Self::NotKept(_) => "not_kept",
        }
    }
}

/// Why a certificate was not taken.
#[derive(Debug, Error)]
pub enum CertificateNotTaken {
    /// It cannot be presented.
    #[error(transparent)]
    Leaf(#[from] LeafRefused),
    /// It is somebody else's.
    #[error("the certificate is for {found}, this node is {expected}")]
    Foreign {
        /// Whom it names.
        found: String,
        /// Who this node is.
        expected: String,
    },
    /// It could not be kept.
    #[error("the certificate could not be kept: {0}")]
    NotKept(#[from] VolumeError),
}

/// Who this node is to be.
#[derive(Debug, Clone)]
pub struct Claim {
    /// UID of the network.
    pub network_uid: String,
    /// Trust domain of the network.
    pub trust_domain: String,
    /// Kubernetes namespace.
    pub namespace: String,
    /// Name of the node.
    pub node: String,
}

struct Unkept {
    in_force: Arc<InForce>,
    encoded: Vec<u8>,
}

/// Certificate, snapshot, and everything that is enforced by them.
pub struct Membership {
    network_uid: String,
    spiffe: SpiffeId,
    install_root: InstallRoot,
    volume: Volume,
    key: NodeKey,
    leaf: Arc<Leaf>,
    anchors: Arc<Anchors>,
    bans: Arc<Bans>,
    connections: Arc<Connections>,
    /// Serialises changes, and holds the snapshot that is enforced and not on the volume yet.
    changing: Mutex<Option<Unkept>>,
    in_force: watch::Sender<Option<Arc<InForce>>>,
    kept: watch::Sender<Option<Arc<InForce>>>,
    certificate: watch::Sender<Option<Arc<MemberCertificate>>>,
    refused_as_banned: AtomicBool,
}

impl Membership {
    /// A node that has neither certificate nor snapshot yet; [`Membership::recall`] reads what it had.
    pub fn new(
        claim: &Claim,
        install_root: InstallRoot,
        volume: Volume,
        key: NodeKey,
        connections: Arc<Connections>,
    ) -> Result<Self, SpiffeRefused> {
        Ok(Self {
            network_uid: claim.network_uid.clone(),
            spiffe: SpiffeId::new(&claim.trust_domain, &claim.namespace, &claim.node)?,
            install_root,
            volume,
            key,
            leaf: Arc::default(),
            anchors: Arc::default(),
            bans: Arc::default(),
            connections,
            changing: Mutex::default(),
            in_force: watch::Sender::new(None),
            kept: watch::Sender::new(None),
            certificate: watch::Sender::new(None),
            refused_as_banned: AtomicBool::new(false),
        })
    }

    /// Puts in force what the volume holds: the certificate, and the newer of its snapshot and `mounted`, the one of the
    /// network's ConfigMap. What cannot be used is logged and left: the operator will send better.
    pub fn recall(&self, mounted: Option<Vec<u8>>) -> Result<(), VolumeError> {
        if let Some(material) = self.volume.leaf()?
            && let Err(refused) = self.present(&material)
        {
            tracing::warn!(%refused, "the certificate on the volume cannot be used; another will be asked for");
        }
        for (place, bytes) in [("volume", self.volume.snapshot()?), ("ConfigMap", mounted)] {
            let Some(bytes) = bytes else { continue };
            match self.adopt_snapshot(&bytes) {
                Ok(_) => {}
                Err(AdoptionRefused::NotKept(error)) => return Err(error),
                Err(AdoptionRefused::Older(older)) => tracing::info!(place, %older, "kept the newer snapshot"),
                Err(refused) => tracing::warn!(place, %refused, "a snapshot cannot be used"),
            }
        }
        Ok(())
    }

    /// Verifies an encoded snapshot, enforces and persists it. Of the one that is in force already nothing changes, but it
    /// is persisted if it could not be before.
    pub fn adopt_snapshot(&self, bytes: &[u8]) -> Result<Arc<InForce>, AdoptionRefused> {
        let signed = SignedSnapshot::decode(bytes)?;
        let snapshot = signed.verify(self.install_root.der(), &self.network_uid, unix_now())?;
        if snapshot.content.trust_domain != self.spiffe.trust_domain() {
            return Err(AdoptionRefused::ForeignTrustDomain(snapshot.content.trust_domain));
        }
        let adopted = Arc::new(InForce { snapshot: Arc::new(snapshot), digest: signed.digest() });
        let mut unkept = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.in_force.borrow().clone();
        if let Some(current) = current {
            adopted.snapshot.supersedes(Some(current.snapshot.version()))?;
            if adopted.snapshot.version() == current.snapshot.version() {
                if adopted.digest != current.digest {
                    return Err(AdoptionRefused::Conflicting(current.snapshot.version()));
                }
                self.keep(&mut unkept)?;
                return Ok(current);
            }
        }
        self.anchors.replace(adopted.snapshot.content.trust.iter().map(Vec::as_slice))?;
        self.bans.replace_snapshot(adopted.snapshot.content.bans.clone());
        self.in_force.send_replace(Some(adopted.clone()));
        self.cut_banned();
        let version = adopted.snapshot.version();
        tracing::info!(%version, bans = adopted.snapshot.content.bans.len(), "a snapshot is in force");
        *unkept = Some(Unkept { in_force: adopted.clone(), encoded: bytes.to_vec() });
        self.keep(&mut unkept)?;
        Ok(adopted)
    }

    /// Tries again to persist the snapshot in force, when it could not be persisted before.
    pub fn keep_again(&self) -> Result<(), VolumeError> {
        self.keep(&mut self.changing.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn keep(&self, unkept: &mut Option<Unkept>) -> Result<(), VolumeError> {
        if let Some(waiting) = unkept {
            self.volume.keep_snapshot(&waiting.encoded)?;
            self.kept.send_replace(Some(waiting.in_force.clone()));
            *unkept = None;
        }
        Ok(())
    }

    /// Takes a certificate that the operator issued for this node's request: keeps it, then presents it.
    pub fn adopt_certificate(&self, material: &LeafMaterial) -> Result<(), CertificateNotTaken> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, member) = Leaf::read(material)?;
        self.check_own(&member)?;
        self.volume.keep_leaf(material)?;
        self.present(material)
    }

    /// Trusts these anchors until a snapshot says whom to trust: what `Certify` answers before the first is published.
    pub fn adopt_trust(&self, certificates: &[impl AsRef<[u8]>]) -> Result<(), AnchorsRefused> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.in_force.borrow().is_some() {
            return Ok(());
        }
        self.anchors.replace(certificates.iter().map(AsRef::as_ref))
    }

    /// Puts this node's own bans in force, in place of those before: for handshakes and for open connections. They add to
    /// the snapshot's and never lift one of them.
    pub fn replace_local_bans(&self, bans: BTreeMap<BanSubject, Ban>) {
        self.bans.replace_local(bans);
        self.cut_banned();
    }

    /// Puts the bans that this node has made by itself in force, in place of those before.
    pub fn replace_automatic_bans(&self, bans: BTreeMap<BanSubject, Ban>) {
        self.bans.replace_automatic(bans);
        self.cut_banned();
    }

    fn present(&self, material: &LeafMaterial) -> Result<(), CertificateNotTaken> {
        let (key, member) = Leaf::read(material)?;
        self.check_own(&member)?;
        self.leaf.replace(key, member);
        self.certificate.send_replace(self.leaf.member());
        Ok(())
    }

    fn check_own(&self, member: &MemberCertificate) -> Result<(), CertificateNotTaken> {
        if member.spiffe == self.spiffe && member.peer_id == self.key.peer_id() {
            return Ok(());
        }
        Err(CertificateNotTaken::Foreign {
            found: format!("{} with key {}", member.spiffe, member.peer_id),
            expected: format!("{} with key {}", self.spiffe, self.key.peer_id()),
        })
    }

    fn cut_banned(&self) {
        let now = unix_now();
        let cut = self.connections.cut_banned(|remote| match remote {
            Remote::Member(member) => self.bans.is_banned(member, now),
            Remote::Stranger(address) => self.bans.is_range_banned(*address, now),
        });
        if cut > 0 {
            tracing::info!(connections = cut, "cut connections that a ban names");
        }
    }

    /// Addresses of good neighbours of this node's former life.
    #[must_use]
    pub fn neighbours(&self) -> Vec<SocketAddr> {
        self.volume.neighbours()
    }

    /// Keeps addresses of good neighbours for the next start.
    pub fn keep_neighbours(&self, addresses: &[SocketAddr]) -> Result<(), VolumeError> {
        self.volume.keep_neighbours(addresses)
    }

    /// A new TLS key and the request for its certificate, to be sent with `token`.
    pub fn request_certificate(&self, token: String) -> Result<CertificateRequest, rcgen::Error> {
        CertificateRequest::new(&self.key, token, &self.network_uid)
    }

    /// Remembers what the operator answered to the last request: whether it refused because this node is banned.
    pub fn set_refused_as_banned(&self, refused: bool) {
        self.refused_as_banned.store(refused, Ordering::Relaxed);
    }

    /// Where this node stands in its network now.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let now = unix_now();
        let leaf = self.leaf.member();
        let is_banned = self.bans.is_peer_banned_by_snapshot(&self.peer_id(), now)
            || leaf.as_ref().is_some_and(|leaf| self.bans.is_banned_by_snapshot(leaf, now));
        let has_leaf = leaf.is_some_and(|leaf| i64::try_from(now).is_ok_and(|now| now <= leaf.not_after));
        if is_banned || (!has_leaf && self.refused_as_banned.load(Ordering::Relaxed)) {
            Standing::Banned
        } else if has_leaf && self.in_force.borrow().is_some() {
            Standing::Member
        } else {
            Standing::Waiting
        }
    }
}

#[cfg(test)]
mod tests;
