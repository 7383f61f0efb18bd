//! Nodes that are known, many near this one and few far away.

use super::Place;
use crate::{bounds::BUCKET_CONTACTS, frame::Contact};
use peerwright_secure::PeerId;
use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
};

/// A bucket for each number of first bits that ids may share with this node's. Who has been there longest stays, as
/// Kademlia has it: who was there yesterday will be there tomorrow, and a flood of new nodes displaces nobody.
#[derive(Debug)]
pub(crate) struct Buckets {
    own: Place,
    buckets: BTreeMap<u32, VecDeque<Contact>>,
}

impl Buckets {
    pub(crate) fn new(own: &PeerId) -> Self {
        Self { own: Place::of_peer(own), buckets: BTreeMap::new() }
    }

    /// A node is there. Full: it is not kept.
    pub(crate) fn add(&mut self, contact: Contact) {
        let bits = self.own.shared_bits(&contact.peer);
        if bits >= 256 {
            return;
        }
        let bucket = self.buckets.entry(bits).or_default();
        if let Some(known) = bucket.iter_mut().find(|known| known.peer == contact.peer) {
            known.address = contact.address;
        } else if bucket.len() < BUCKET_CONTACTS {
            bucket.push_back(contact);
        }
    }

    /// Whether one more node that shares so many bits would be kept.
    pub(crate) fn has_room_for(&self, peer: &PeerId) -> bool {
        self.buckets.get(&self.own.shared_bits(peer)).is_none_or(|bucket| bucket.len() < BUCKET_CONTACTS)
    }

    /// Nobody answered there.
    pub(crate) fn unreachable(&mut self, address: &SocketAddr) {
        for bucket in self.buckets.values_mut() {
            bucket.retain(|known| known.address != *address);
        }
        self.buckets.retain(|_, bucket| !bucket.is_empty());
    }

    /// The nodes nearest to a place, the nearest first.
    pub(crate) fn nearest(&self, place: &Place, count: usize) -> Vec<Contact> {
        let mut contacts: Vec<_> =
            self.buckets.values().flatten().map(|contact| (place.distance(&contact.peer), *contact)).collect();
        contacts.sort_unstable_by_key(|(distance, _)| *distance);
        contacts.into_iter().take(count).map(|(_, contact)| contact).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.buckets.values().map(VecDeque::len).sum()
    }
}
