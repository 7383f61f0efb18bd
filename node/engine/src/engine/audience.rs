//! Who may hear that this node holds a register.
//!
//! What is advertised everybody may know. Of any other register only those hear who have to do with it: the sealers, and the
//! nodes that the policy names. A peer that is neither is told nothing of it, and told the same as if it were not held when
//! it asks. What gossip passes on is another matter: neighbours pass on each other's messages whoever holds their registers.

use super::{Engine, Turn};
use crate::{Audience, LinkId, Protection};
use peerwright_ledger::RegisterId;

impl Engine {
    /// Whether the peer of a link may hear that a register is held here.
    pub(super) fn may_hear(&self, link: LinkId, register: &RegisterId) -> bool {
        let Some(audience) = self.private.get(register) else { return true };
        let Some(peer) = self.links.get(link).map(|link| link.peer) else { return false };
        if let Some(Protection::Sealer) = self.protected.get(&peer) {
            return true;
        }
        match audience {
            Audience::Network => self.is_at_home(link),
            Audience::Groups(groups) => self.group_of(&peer).is_some_and(|group| groups.contains(&group)),
        }
    }

    /// Whether it matters who the peer of a link is, and its certificate has not said so yet.
    pub(super) fn is_nameless(&self, link: LinkId) -> bool {
        !self.private.is_empty() && self.links.get(link).is_none_or(|link| link.certificate.is_none())
    }

    /// The certificate of a link has come: what waited for it is told and asked.
    pub(super) fn link_named(&mut self, turn: &mut Turn<'_>, link: LinkId) {
        let Some(peer) = self.links.get(link).map(|link| link.peer).filter(|_| !self.private.is_empty()) else {
            return;
        };
        self.send_state(turn, link);
        if let Some(reply) = self.sync.links.get(&link).and_then(|sync| sync.owed_digest) {
            self.send_digest(turn, link, reply);
        }
        self.directory_link_up(turn, link, &peer);
    }

    /// Whether the peer of a link is a node of this node's own network, as its certificate says.
    fn is_at_home(&self, link: LinkId) -> bool {
        let own = self.own_certificate.as_ref().map(|own| &own.spiffe);
        let theirs = self.links.get(link).and_then(|link| link.certificate.as_ref()).map(|theirs| &theirs.spiffe);
        own.zip(theirs).is_some_and(|(own, theirs)| {
            own.trust_domain() == theirs.trust_domain() && own.namespace() == theirs.namespace()
        })
    }
}
