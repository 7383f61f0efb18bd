//! Nodes at hand for when neighbours leave.

use crate::{frame::Contact, random::Random};
use peerwright_secure::PeerId;

/// The passive view: a bounded random sample of nodes that somebody said are alive. Full: a newcomer takes the place of
/// one drawn by lot, so that no rush of new addresses pushes out all others in order.
#[derive(Debug, Default)]
pub(crate) struct Passive {
    contacts: Vec<Contact>,
}

impl Passive {
    pub(crate) fn len(&self) -> usize {
        self.contacts.len()
    }

    /// Adds a node, or learns its newer address.
    pub(crate) fn add(&mut self, contact: Contact, limit: usize, random: &mut Random) {
        if let Some(known) = self.contacts.iter_mut().find(|known| known.peer == contact.peer) {
            known.address = contact.address;
        } else if self.contacts.len() < limit {
            self.contacts.push(contact);
        } else if let Some(place) = pick_mut(&mut self.contacts, random) {
            *place = contact;
        }
    }

    pub(crate) fn remove(&mut self, peer: &PeerId) {
        if let Some(index) = self.contacts.iter().position(|known| known.peer == *peer) {
            self.contacts.swap_remove(index);
        }
    }

    /// Takes out everybody known at an address: nobody answered there.
    pub(crate) fn unreachable(&mut self, address: std::net::SocketAddr) {
        self.contacts.retain(|known| known.address != address);
    }

    /// Takes out one node by lot among those that `suits`.
    pub(crate) fn take(&mut self, random: &mut Random, suits: impl Fn(&Contact) -> bool) -> Option<Contact> {
        let start = random.index(self.contacts.len());
        let (before, behind) = self.contacts.split_at_checked(start)?;
        let found =
            behind.iter().position(&suits).map(|offset| start + offset).or_else(|| before.iter().position(&suits))?;
        Some(self.contacts.swap_remove(found))
    }

    /// At most `count` nodes by lot.
    pub(crate) fn sample(&self, count: usize, random: &mut Random) -> impl Iterator<Item = Contact> {
        let start = random.index(self.contacts.len());
        self.contacts.iter().cycle().skip(start).take(count.min(self.contacts.len())).copied()
    }
}

fn pick_mut<'a, T>(list: &'a mut [T], random: &mut Random) -> Option<&'a mut T> {
    let index = random.index(list.len());
    list.get_mut(index)
}
