//! Whether a new link is kept, and at whose cost.
//!
//! Both ends decide alone and must come to one result, so the rules look only at what both know: who dialled, who has
//! the smaller id, which incarnations, and how long the other link has lived. A link that takes another's place may be of
//! the other direction: the limits of the two directions then bound their sum.

use super::Links;
use crate::{CloseReason, Config, Direction, LinkId, Micros, bounds::SETTLED};
use peerwright_secure::PeerId;
use std::net::SocketAddr;

/// A connection that came up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer {
    pub peer: PeerId,
    pub incarnation: u64,
    pub direction: Direction,
    pub address: Option<SocketAddr>,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It is kept.
    Keep,
    /// It is kept and the other is closed.
    Replace(LinkId, CloseReason),
    /// It is closed.
    Refuse(CloseReason),
}

impl Links {
    /// Decides about a link to a peer that is neither this node nor banned.
    pub(crate) fn admit(&self, now: Micros, offer: &Offer, config: &Config) -> Admission {
        if let Some(existing) = self.of_peer(&offer.peer) {
            return self.choose(now, existing, offer, config);
        }
        let limit = match offer.direction {
            Direction::Outbound => config.connections.outbound,
            Direction::Inbound => config.inbound_limit(),
        };
        if self.count(offer.direction) < limit { Admission::Keep } else { Admission::Refuse(CloseReason::Full) }
    }

    fn choose(&self, now: Micros, existing: LinkId, offer: &Offer, config: &Config) -> Admission {
        let Some(link) = self.get(existing) else { return Admission::Keep };
        // The peer has restarted, or the offer comes from a process of it that is gone.
        if offer.incarnation > link.incarnation {
            return Admission::Replace(existing, CloseReason::Superseded);
        }
        if offer.incarnation < link.incarnation {
            return Admission::Refuse(CloseReason::Superseded);
        }
        // Silent for two keepalives and some: the peer would not have dialled if it still had this link.
        let is_healthy = now.since(link.last_heard) <= config.detection.keepalive * 5 / 2;
        if !is_healthy {
            return Admission::Replace(existing, CloseReason::Duplicate);
        }
        if now.since(link.since) >= SETTLED {
            return Admission::Refuse(CloseReason::Duplicate);
        }
        let preferred = if config.key.peer_id() < offer.peer { Direction::Outbound } else { Direction::Inbound };
        if link.direction != preferred && offer.direction == preferred {
            Admission::Replace(existing, CloseReason::Duplicate)
        } else {
            Admission::Refuse(CloseReason::Duplicate)
        }
    }
}
