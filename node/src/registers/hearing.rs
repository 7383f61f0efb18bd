//! Whether a member may hear that this node holds a register, and until when.

use super::advertised::Advertised;
use crate::member::Membership;
use peerwright_ledger::RegisterId;
use peerwright_secure::MemberCertificate;
use std::sync::Arc;

/// What a member who asks about a register may hear: everything of what everybody may know, and of what it has to do with
/// itself; of all else as much as if it were not held.
pub(crate) struct Hearing {
    pub(crate) advertised: Arc<Advertised>,
    pub(crate) membership: Arc<Membership>,
    pub(crate) member: Arc<MemberCertificate>,
    pub(crate) register: RegisterId,
}

impl Hearing {
    pub(crate) fn is_granted(&self) -> bool {
        self.advertised.is_public(&self.register) || self.membership.concerns(self.register, &self.member)
    }

    /// Resolves when it is granted no longer: the register was withdrawn, or is to be held elsewhere.
    pub(crate) async fn ended(&self) {
        let (mut choices, mut snapshots) = (self.advertised.watch(), self.membership.watch_snapshot());
        while self.is_granted() {
            let changed = tokio::select! {
                biased;
                changed = choices.changed() => changed,
                changed = snapshots.changed() => changed,
            };
            if changed.is_err() {
                // The node is ending, and with it whoever waits here.
                return;
            }
        }
    }
}
