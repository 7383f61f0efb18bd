//! What others may see of a membership.

use super::{InForce, InstallRoot, Membership};
use crate::{
    identity::Volume,
    tls::{Anchors, Bans, Leaf},
    transport::Connections,
};
use peerwright_ledger::RegisterId;
use peerwright_secure::{MemberCertificate, NodeKey, PeerId, SpiffeId};
use std::sync::Arc;
use tokio::sync::watch;

impl Membership {
    /// This node's peer id.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.key.peer_id()
    }

    /// This node's key.
    #[must_use]
    pub fn key(&self) -> &NodeKey {
        &self.key
    }

    /// This node's name in its network.
    #[must_use]
    pub fn spiffe(&self) -> &SpiffeId {
        &self.spiffe
    }

    /// UID of the network.
    #[must_use]
    pub fn network_uid(&self) -> &str {
        &self.network_uid
    }

    /// The certificate of the operator's install root.
    #[must_use]
    pub fn install_root(&self) -> &InstallRoot {
        &self.install_root
    }

    /// The volume.
    #[must_use]
    pub fn volume(&self) -> &Volume {
        &self.volume
    }

    /// The open connections with members.
    #[must_use]
    pub fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    /// What this node presents.
    #[must_use]
    pub fn leaf(&self) -> &Arc<Leaf> {
        &self.leaf
    }

    /// Whose certificates count.
    #[must_use]
    pub fn anchors(&self) -> &Arc<Anchors> {
        &self.anchors
    }

    /// Who is banned.
    #[must_use]
    pub fn bans(&self) -> &Arc<Bans> {
        &self.bans
    }

    /// The snapshot in force, and every one after it.
    #[must_use]
    pub fn watch_snapshot(&self) -> watch::Receiver<Option<Arc<InForce>>> {
        self.in_force.subscribe()
    }

    /// The snapshot that is in force and on the volume, and every one after it: what may be acknowledged.
    #[must_use]
    pub fn watch_kept(&self) -> watch::Receiver<Option<Arc<InForce>>> {
        self.kept.subscribe()
    }

    /// Whether the snapshot in force is on the volume.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        *self.in_force.borrow() == *self.kept.borrow()
    }

    /// The snapshot in force.
    #[must_use]
    pub fn snapshot(&self) -> Option<Arc<InForce>> {
        self.in_force.borrow().clone()
    }

    /// Whether a member is a node of this network that has to do with a register, as the snapshot says.
    pub(crate) fn concerns(&self, register: RegisterId, member: &MemberCertificate) -> bool {
        let (own, theirs) = (self.spiffe(), &member.spiffe);
        let is_at_home = own.trust_domain() == theirs.trust_domain() && own.namespace() == theirs.namespace();
        is_at_home
            && self.snapshot().is_some_and(|current| {
                current.snapshot.content.concerns(register.as_bytes(), theirs.node(), &member.peer_id)
            })
    }

    /// This node's certificate, and every one after it.
    #[must_use]
    pub fn watch_certificate(&self) -> watch::Receiver<Option<Arc<MemberCertificate>>> {
        self.certificate.subscribe()
    }
}
