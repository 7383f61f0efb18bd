//! Nodes at hand for when neighbours leave.

use crate::{addresses::Group, bounds::PASSIVE_GROUP_SHARE, frame::Contact, random::Random};
use peerwright_secure::PeerId;

/// The passive view: a bounded random sample of nodes that somebody said are alive. Full: a newcomer takes the place of
/// one drawn by lot, so that no rush of new addresses pushes out all others in order; of one neighbourhood there are only
/// so many, whose newcomers take each other's places.
#[derive(Debug, Default)]
pub(crate) struct Passive {
    contacts: Vec<(Group, Contact)>,
}

impl Passive {
    pub(crate) fn len(&self) -> usize {
        self.contacts.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Contact> {
        self.contacts.iter().map(|(_, contact)| *contact)
    }

    /// Adds a node, or learns its newer address. `limit` is how many there are at most.
    pub(crate) fn add(&mut self, contact: Contact, group: Group, limit: usize, random: &mut Random) {
        self.remove(&contact.peer);
        let of_group = || self.contacts.iter().enumerate().filter(|(_, (known, _))| *known == group);
        let count = of_group().count();
        let place = if count >= (limit / PASSIVE_GROUP_SHARE).max(1) {
            of_group().nth(random.index(count)).map(|(index, _)| index)
        } else if self.contacts.len() >= limit {
            Some(random.index(self.contacts.len()))
        } else {
            None
        };
        match place.and_then(|index| self.contacts.get_mut(index)) {
            Some(place) => *place = (group, contact),
            None => self.contacts.push((group, contact)),
        }
    }

    pub(crate) fn remove(&mut self, peer: &PeerId) {
        if let Some(index) = self.contacts.iter().position(|(_, known)| known.peer == *peer) {
            self.contacts.swap_remove(index);
        }
    }

    /// Takes out everybody known at an address: nobody answered there.
    pub(crate) fn unreachable(&mut self, address: std::net::SocketAddr) {
        self.contacts.retain(|(_, known)| known.address != address);
    }

    /// Takes out one node by lot among those that `suits`.
    pub(crate) fn take(&mut self, random: &mut Random, suits: impl Fn(&Group, &Contact) -> bool) -> Option<Contact> {
        let start = random.index(self.contacts.len());
        let (before, behind) = self.contacts.split_at_checked(start)?;
        let suits = |(group, contact): &(Group, Contact)| suits(group, contact);
        let found =
            behind.iter().position(suits).map(|offset| start + offset).or_else(|| before.iter().position(suits))?;
        Some(self.contacts.swap_remove(found).1)
    }

    /// At most `count` nodes by lot.
    pub(crate) fn sample(&self, count: usize, random: &mut Random) -> impl Iterator<Item = Contact> {
        let start = random.index(self.contacts.len());
        self.contacts.iter().cycle().skip(start).take(count.min(self.contacts.len())).map(|(_, contact)| *contact)
    }
}

#[cfg(test)]
mod tests {
    use super::Passive;
    use crate::{addresses::Group, frame::Contact, random::Random};
    use peerwright_secure::PeerId;
    use std::net::SocketAddr;

    fn add(passive: &mut Passive, random: &mut Random, number: u8, ip: [u8; 4]) {
        let contact = Contact { peer: PeerId::from_bytes([number; 32]), address: SocketAddr::from((ip, 5000)) };
        passive.add(contact, Group::of(contact.address.ip(), &[]), 16, random);
    }

    #[test]
    fn one_neighbourhood_fills_only_its_share() {
        let (mut passive, mut random) = (Passive::default(), Random::new(1));
        for number in 0..10 {
            add(&mut passive, &mut random, number, [8, number, 0, 1]);
        }
        for number in 10..200 {
            add(&mut passive, &mut random, number, [9, 9, 0, number]);
        }
        assert_eq!(passive.len(), 12);
        assert_eq!(passive.iter().filter(|contact| contact.peer.as_bytes()[0] < 10).count(), 10);
    }

    #[test]
    fn a_full_view_stays_full_and_takes_newcomers() {
        let (mut passive, mut random) = (Passive::default(), Random::new(1));
        for number in 0..100 {
            add(&mut passive, &mut random, number, [8, number, 0, 1]);
        }
        assert_eq!(passive.len(), 16);
        assert!(passive.iter().any(|contact| contact.peer.as_bytes()[0] == 99));
        add(&mut passive, &mut random, 99, [7, 7, 0, 1]);
        let of_last: Vec<_> = passive.iter().filter(|contact| contact.peer.as_bytes()[0] == 99).collect();
        assert_eq!(of_last.len(), 1, "a node has one address here");
        assert_eq!(of_last[0].address, "7.7.0.1:5000".parse().unwrap());
    }
}
