//! Which of the addresses that others named are kept: two tables whose places nobody outside can predict.
//!
//! ```text
//!   named ──▶ new: place by (who named it, its group) ──▶ a link came of it ──▶ tried: place by its group
//!                 taken by one that fails ? replace : drop                         taken ? test the older first
//! ```
//!
//! Bitcoin's address manager (`addrman`), made small. All places follow from a secret: whoever fills the tables cannot aim.
//! What one source may fill of the new table, and one group of the tried one, is a small share, however many addresses it
//! has: a flood of names pushes out its own.

use super::Group;
use crate::{
    bounds::{MAX_COLLISIONS, NEW_BUCKETS, NEW_BUCKETS_PER_SOURCE, TABLE_SLOTS, TRIED_BUCKETS},
    random::Random,
};
use peerwright_secure::sha256;
use std::{collections::BTreeMap, net::SocketAddr};

/// A place in one of the two tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    is_tried: bool,
    bucket: u64,
    slot: u64,
}

impl Place {
    pub(crate) fn is_tried(self) -> bool {
        self.is_tried
    }

    /// Places of one bucket share this.
    pub(crate) fn bucket(self) -> (bool, u64) {
        (self.is_tried, self.bucket)
    }
}

/// What came of a wish to have an address in the tried table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promotion {
    /// It has the place.
    Done(Place),
    /// Another has it, and is tested before it has to go.
    Collides,
}

/// The two tables.
#[derive(Debug)]
pub(crate) struct Tables {
    secret: [u8; 32],
    places: BTreeMap<Place, SocketAddr>,
    /// Addresses that wait for a tried place, and who has it.
    collisions: BTreeMap<SocketAddr, SocketAddr>,
}

impl Tables {
    pub(crate) fn new(random: &mut Random) -> Self {
        let mut secret = [0; 32];
        for chunk in secret.chunks_mut(8) {
            chunk.copy_from_slice(&random.next().to_be_bytes());
        }
        Self { secret, places: BTreeMap::new(), collisions: BTreeMap::new() }
    }

    /// How many places of the tables are taken: new, tried.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let tried = self.places.keys().filter(|place| place.is_tried).count();
        (self.places.len() - tried, tried)
    }

    /// Where an address belongs that `source` has named.
    pub(crate) fn new_place(&self, address: &SocketAddr, group: &Group, source: &Group) -> Place {
        let choice = self.draw(&[b"which", group.as_bytes(), source.as_bytes()]) % NEW_BUCKETS_PER_SOURCE;
        let bucket = self.draw(&[b"new", source.as_bytes(), &choice.to_be_bytes()]) % NEW_BUCKETS;
        self.slot(false, bucket, address)
    }

    /// Where an address belongs that a link came of.
    pub(crate) fn tried_place(&self, address: &SocketAddr, group: &Group) -> Place {
        let bucket = self.draw(&[b"tried", group.as_bytes()]) % TRIED_BUCKETS;
        self.slot(true, bucket, address)
    }

    /// Who has a place.
    pub(crate) fn occupant(&self, place: Place) -> Option<SocketAddr> {
        self.places.get(&place).copied()
    }

    /// Gives a place to an address; whoever had it is gone.
    pub(crate) fn put(&mut self, place: Place, address: SocketAddr) {
        self.places.insert(place, address);
    }

    /// Takes an address out of its place.
    pub(crate) fn remove(&mut self, place: Place, address: &SocketAddr) {
        if self.places.get(&place) == Some(address) {
            self.places.remove(&place);
        }
        self.collisions.retain(|newcomer, occupant| newcomer != address && occupant != address);
    }

    /// Moves an address from its place to the tried table, unless somebody is there.
    pub(crate) fn promote(&mut self, from: Place, address: SocketAddr, group: &Group) -> Promotion {
        let place = self.tried_place(&address, group);
        match self.occupant(place) {
            Some(occupant) if occupant != address => {
                if self.collisions.len() < MAX_COLLISIONS {
                    self.collisions.insert(address, occupant);
                }
                Promotion::Collides
            }
            _ => {
                self.remove(from, &address);
                self.put(place, address);
                Promotion::Done(place)
            }
        }
    }

    /// The address has just answered: nobody takes its place.
    pub(crate) fn answered(&mut self, address: &SocketAddr) {
        self.collisions.retain(|_, occupant| occupant != address);
    }

    /// Who waits for the tried place of an address.
    pub(crate) fn waiting_for(&self, occupant: &SocketAddr) -> Option<SocketAddr> {
        self.collisions.iter().find(|(_, has)| *has == occupant).map(|(newcomer, _)| *newcomer)
    }

    /// The address to test next: one whose tried place another waits for, or an untried one drawn by lot, each bucket as
    /// likely as any other.
    pub(crate) fn to_test(&self, random: &mut Random, suits: impl Fn(&SocketAddr) -> bool) -> Option<SocketAddr> {
        if let Some(occupant) = self.collisions.values().find(|occupant| suits(occupant)) {
            return Some(*occupant);
        }
        let mut buckets: BTreeMap<u64, Vec<SocketAddr>> = BTreeMap::new();
        for (place, address) in self.places.iter().filter(|(place, address)| !place.is_tried && suits(address)) {
            buckets.entry(place.bucket).or_default().push(*address);
        }
        let drawn = random.index(buckets.len());
        let bucket = buckets.into_values().nth(drawn)?;
        bucket.get(random.index(bucket.len())).copied()
    }

    fn slot(&self, is_tried: bool, bucket: u64, address: &SocketAddr) -> Place {
        let slot = self.draw(&[b"slot", &[u8::from(is_tried)], &bucket.to_be_bytes(), address.to_string().as_bytes()]);
        Place { is_tried, bucket, slot: slot % TABLE_SLOTS }
    }

    /// A number that follows from the secret and the parts, each shorter than 256 bytes.
    fn draw(&self, parts: &[&[u8]]) -> u64 {
        let mut bytes = self.secret.to_vec();
        for part in parts {
            bytes.push(u8::try_from(part.len()).unwrap_or(u8::MAX));
            bytes.extend_from_slice(part);
        }
        let hash = sha256(&bytes);
        hash.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }
}
