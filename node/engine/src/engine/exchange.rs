//! Addresses from others, and for others.

use super::{Engine, Turn};
use crate::{
    Address, AddressSource, Class, Direction, LinkId, Output,
    addresses::{Group, may_dial, may_dial_nearby},
    bounds::MAX_EXCHANGED,
    frame::{Contact, Frame},
};
use peerwright_secure::PeerId;
use std::net::SocketAddr;

impl Engine {
    /// Takes what this node's own means have found.
    pub(super) fn addresses_found(&mut self, turn: &mut Turn<'_>, source: AddressSource, addresses: &[Address]) {
        match source {
            AddressSource::Seeds => self.book.replace(turn.now, addresses),
            AddressSource::Local => {
                for address in addresses {
                    match may_dial_nearby(&address.socket, &self.config.addresses.own_ranges) {
                        Ok(()) => {
                            self.book.learn(turn.now, address.socket, &Group::OWN);
                        }
                        Err(refusal) => self.counters.links.refused_to_dial(refusal),
                    }
                }
            }
            AddressSource::Anchors => {
                for address in addresses {
                    self.book.add_anchor(turn.now, address.socket);
                }
            }
        }
        self.redial(turn);
    }

    /// The peer of a link has said where a node listens: it may be tried, unless there is something against it.
    fn learned(&mut self, turn: &mut Turn<'_>, link: LinkId, contact: Contact) {
        if contact.peer == self.own || Some(contact.address) == self.config.advertised {
            return;
        }
        if !self.exchange.may_name(turn.now, link) {
            self.counters.links.addresses_excess += 1;
            return;
        }
        if let Err(refusal) = may_dial(&contact.address, &self.config.addresses.own_ranges) {
            return self.counters.links.refused_to_dial(refusal);
        }
        self.counters.links.addresses_learnt += 1;
        if self.links.of_peer(&contact.peer).is_none() && !self.bans.is_banned(&contact.peer) {
            let (group, limit) = (self.book.group(&contact.address), self.overlay.settings.passive);
            self.overlay.passive.add(contact, group, limit, &mut self.random);
        }
        let source = self.neighbourhood(link);
        self.book.learn(turn.now, contact.address, &source);
    }

    /// Where the peer of a link is, as far as addresses tell.
    fn neighbourhood(&self, link: LinkId) -> Group {
        let address = self.links.get(link).and_then(|link| link.address);
        address.map_or(Group::OWN, |address| self.book.group(&address))
    }

    /// Says to a peer that was dialled where this node listens, and asks it for addresses while neighbours lack.
    pub(super) fn introduce(&mut self, turn: &mut Turn<'_>, link: LinkId) {
        if let Some(address) = self.config.advertised {
            self.send(turn, link, &Frame::Introduction { address }, Class::Control);
        }
        if self.overlay.lacking() > 0 {
            self.ask_for_addresses(turn, link);
        }
    }

    pub(super) fn ask_for_addresses(&mut self, turn: &mut Turn<'_>, link: LinkId) {
        if self.exchange.ask(link) {
            self.counters.links.addresses_asked += 1;
            self.send(turn, link, &Frame::AddressRequest, Class::Control);
        }
    }

    /// A peer that dialled this node says where it listens. Of its own machine it may say so whatever the machine's
    /// address.
    pub(super) fn introduced(&mut self, turn: &mut Turn<'_>, link: LinkId, address: SocketAddr) {
        let Some(state) = self.links.get_mut(link).filter(|state| state.direction == Direction::Inbound) else {
            return;
        };
        let is_its_own = state.address.is_some_and(|from| from.ip().to_canonical() == address.ip());
        if !is_its_own && let Err(refusal) = may_dial(&address, &self.config.addresses.own_ranges) {
            return self.counters.links.refused_to_dial(refusal);
        }
        state.listens_at = Some(address);
        let peer = state.peer;
        let source = self.neighbourhood(link);
        self.book.learn(turn.now, address, &source);
        if is_its_own {
            self.book.met(turn.now, address, peer);
        }
    }

    pub(super) fn addresses_asked(&mut self, turn: &mut Turn<'_>, link: LinkId) {
        let Some(peer) = self.links.get(link).map(|link| link.peer) else { return };
        if !self.exchange.may_answer(turn.now, link) {
            return self.dropped(turn, "exchange_pause");
        }
        let contacts = self.contacts_for(&peer);
        self.send(turn, link, &Frame::AddressAnswer { contacts }, Class::Control);
    }

    /// Tells a peer for which there is no room where others may have some. Its link is not in the table.
    pub(super) fn refer(&mut self, turn: &mut Turn<'_>, link: LinkId, peer: &PeerId) {
        let contacts = self.contacts_for(peer);
        let bytes = Frame::AddressAnswer { contacts }.encode();
        turn.out.push(Output::Send { link, bytes, class: Class::Control });
    }

    pub(super) fn addresses_answered(&mut self, turn: &mut Turn<'_>, link: LinkId, contacts: &[Contact]) {
        if !self.exchange.answered(link) {
            return self.dropped(turn, "unrequested");
        }
        for contact in contacts {
            self.learned(turn, link, *contact);
        }
        self.redial(turn);
    }

    /// Nodes that `peer` may want to know: those with a link here, then those at hand.
    fn contacts_for(&mut self, peer: &PeerId) -> Vec<Contact> {
        let linked =
            self.links.iter().filter_map(|(_, link)| Some(Contact { peer: link.peer, address: link.listens_at? }));
        let mut contacts: Vec<Contact> = linked.filter(|contact| contact.peer != *peer).collect();
        self.random.shuffle(&mut contacts);
        contacts.truncate(MAX_EXCHANGED);
        let room = MAX_EXCHANGED - contacts.len();
        let at_hand = self.overlay.passive.sample(room, &mut self.random);
        contacts.extend(at_hand.filter(|contact| contact.peer != *peer && !self.bans.is_banned(&contact.peer)));
        contacts
    }

    pub(super) fn shuffle_asked(&mut self, turn: &mut Turn<'_>, link: LinkId, contacts: &[Contact]) {
        if !self.is_active(link) {
            return;
        }
        let own = self.shuffled();
        self.send(turn, link, &Frame::ShuffleReply { contacts: own }, Class::Control);
        self.take_shuffled(turn, link, contacts);
    }

    pub(super) fn shuffle_answered(&mut self, turn: &mut Turn<'_>, link: LinkId, contacts: &[Contact]) {
        if self.is_active(link) {
            self.take_shuffled(turn, link, contacts);
        }
    }

    fn take_shuffled(&mut self, turn: &mut Turn<'_>, link: LinkId, contacts: &[Contact]) {
        for contact in contacts {
            self.learned(turn, link, *contact);
        }
        self.redial(turn);
    }

    /// What this node shows in a shuffle: itself, and some of those that it knows.
    pub(super) fn shuffled(&mut self) -> Vec<Contact> {
        let own = self.own;
        let mut contacts = self.contacts_for(&own);
        self.random.shuffle(&mut contacts);
        contacts.truncate(self.overlay.settings.shuffled.saturating_sub(1));
        contacts.extend(self.config.advertised.map(|address| Contact { peer: own, address }));
        contacts
    }
}
