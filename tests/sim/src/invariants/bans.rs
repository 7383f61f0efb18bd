//! A ban holds on every link: once the policy bans a peer, no frame is sent to it, and at the end no link to it lives.

use super::{Broken, holds};
use peerwright_engine::{Engine, Policy};
use peerwright_secure::{BanSubject, PeerId};

/// Whether a policy bans a peer.
pub(crate) fn is_banned(policy: &Policy, peer: &PeerId) -> bool {
    policy.bans.iter().any(|ban| ban.subject == BanSubject::Peer(*peer))
}

/// A frame is sent to a peer.
pub(crate) fn frame_to(policy: &Policy, peer: &PeerId) -> Result<(), Broken> {
    holds("bans", policy.bans.is_empty() || !is_banned(policy, peer), || format!("a frame to the banned {peer}"))
}

/// The links that an engine shows.
pub(crate) fn no_link(policy: &Policy, engine: &Engine) -> Result<(), Broken> {
    if policy.bans.is_empty() {
        return Ok(());
    }
    match engine.peers().into_iter().find(|view| is_banned(policy, &view.peer)) {
        Some(view) => Err(Broken::new("bans", format!("a link to the banned {}", view.peer))),
        None => Ok(()),
    }
}
