//! The live links: one a peer, bounded, and which of two stays.

mod admission;
mod pauses;
mod pulse;
#[cfg(test)]
mod tests;

pub(crate) use admission::{Admission, Offer};
pub(crate) use pauses::Pauses;
pub(crate) use pulse::Pulse;

use crate::{Direction, LinkId, Micros, PeerCertificate, PeerView};
use peerwright_secure::PeerId;
use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

/// What a peer last said of itself in a state heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PeerState {
    pub ready: bool,
    pub registers: u32,
    pub messages: u64,
}

/// A live link.
#[derive(Debug)]
pub(crate) struct Link {
    pub peer: PeerId,
    pub incarnation: u64,
    /// What its certificate says, once the driver has told.
    pub certificate: Option<Box<PeerCertificate>>,
    pub direction: Direction,
    pub address: Option<SocketAddr>,
    pub since: Micros,
    pub last_sent: Micros,
    pub last_heard: Micros,
    /// Its peer is not suspected again before.
    pub suspect_from: Micros,
    pub round_trip: Option<Duration>,
    pub state: Option<PeerState>,
    /// State heartbeats sent on it.
    pub heartbeats: u64,
    pub sent_bytes: u64,
    pub received_bytes: u64,
    /// Where the peer listens: what was dialled, or what the peer has said.
    pub listens_at: Option<SocketAddr>,
    /// When the link last carried something that was asked for.
    pub last_used: Micros,
}

impl Link {
    fn new(now: Micros, offer: &Offer) -> Self {
        Self {
            peer: offer.peer,
            incarnation: offer.incarnation,
            certificate: None,
            direction: offer.direction,
            address: offer.address,
            since: now,
            last_sent: now,
            last_heard: now,
            suspect_from: now,
            round_trip: None,
            state: None,
            heartbeats: 0,
            sent_bytes: 0,
            received_bytes: 0,
            listens_at: offer.address.filter(|_| offer.direction == Direction::Outbound),
            last_used: now,
        }
    }

    /// What is shown of the link; `missing` is what is still wanted from it, `active` whether it is a neighbour's.
    pub(crate) fn view(&self, link: LinkId, missing: u64, active: bool) -> PeerView {
        PeerView {
            peer: self.peer,
            link,
            incarnation: self.incarnation,
            direction: self.direction,
            address: self.address,
            since: self.since,
            last_heard: self.last_heard,
            round_trip: self.round_trip,
            ready: self.state.map(|state| state.ready),
            registers: self.state.map_or(0, |state| state.registers),
            messages: self.state.map_or(0, |state| state.messages),
            missing,
            sent_bytes: self.sent_bytes,
            received_bytes: self.received_bytes,
            active,
            listens_at: self.listens_at,
        }
    }
}

/// The live links, by id and by peer.
#[derive(Debug, Default)]
pub(crate) struct Links {
    by_id: BTreeMap<LinkId, Link>,
    by_peer: BTreeMap<PeerId, LinkId>,
    /// Whose links are not kept for a while.
    pub pauses: Pauses,
}

impl Links {
    pub(crate) fn get(&self, link: LinkId) -> Option<&Link> {
        self.by_id.get(&link)
    }

    pub(crate) fn get_mut(&mut self, link: LinkId) -> Option<&mut Link> {
        self.by_id.get_mut(&link)
    }

    pub(crate) fn of_peer(&self, peer: &PeerId) -> Option<LinkId> {
        self.by_peer.get(peer).copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (LinkId, &Link)> {
        self.by_id.iter().map(|(id, link)| (*id, link))
    }

    pub(crate) fn ids(&self) -> Vec<LinkId> {
        self.by_id.keys().copied().collect()
    }

    /// The links in the order of their peers.
    pub(crate) fn by_peer(&self) -> impl Iterator<Item = (LinkId, &Link)> {
        self.by_peer.values().filter_map(|id| Some((*id, self.by_id.get(id)?)))
    }

    pub(crate) fn count(&self, direction: Direction) -> usize {
        self.by_id.values().filter(|link| link.direction == direction).count()
    }

    /// Adds a link that was admitted; there is no other to its peer.
    pub(crate) fn insert(&mut self, now: Micros, id: LinkId, offer: &Offer) {
        self.by_peer.insert(offer.peer, id);
        self.by_id.insert(id, Link::new(now, offer));
    }

    pub(crate) fn remove(&mut self, id: LinkId) -> Option<Link> {
        let link = self.by_id.remove(&id)?;
        self.by_peer.remove(&link.peer);
        Some(link)
    }
}
