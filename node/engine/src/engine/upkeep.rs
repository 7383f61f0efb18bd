//! What keeps the overlay good while nothing happens: shuffles, addresses, trials, better neighbours.

use super::{Draining, Engine, SHORTEST, Turn, peers::standing};
use crate::{
    Class, Direction, LinkId, MemberState, Output,
    addresses::{Standing, may_dial},
    bounds::{ANCHORS, CHOOSE_PAUSE, MAX_DIALS, NEAREST_OF},
    frame::{Contact, Frame},
    membership::Sample,
    overlay::{Chore, distance},
    timers::Timer,
};
use peerwright_secure::PeerId;
use std::{net::SocketAddr, time::Duration};

/// While neighbours lack, addresses are asked for so many times as often.
const HURRY: u32 = 4;
/// So many looks for better neighbours are the first: whoever has just come has taken those that it met first, and trees
/// that form on them would break.
const FIRST_LOOKS: u32 = 6;
/// They come so many times as often.
const LOOK_OFTEN: u32 = 16;

impl Engine {
    fn interval(&self, chore: Chore) -> Duration {
        let (overlay, addresses) = (&self.config.overlay, &self.config.addresses);
        match chore {
            Chore::Shuffle => overlay.shuffle_interval,
            Chore::Exchange if self.overlay.is_urgent() => addresses.exchange_interval / HURRY,
            Chore::Exchange => addresses.exchange_interval,
            Chore::Feel => addresses.feeler_interval,
            Chore::Improve if self.overlay.looks < FIRST_LOOKS => overlay.improve_interval / LOOK_OFTEN,
            Chore::Improve => overlay.improve_interval,
            Chore::Mingle => overlay.mingle_interval,
        }
    }

    /// Everything is done for the first time after its interval.
    pub(super) fn begin_upkeep(&mut self, turn: &Turn<'_>) {
        for chore in Chore::ALL {
            self.timers.set(Timer::Upkeep(chore), turn.now + self.random.around(self.interval(chore)));
        }
    }

    pub(super) fn keep_up(&mut self, turn: &mut Turn<'_>, chore: Chore) {
        let interval = self.interval(chore).max(SHORTEST);
        self.timers.set(Timer::Upkeep(chore), turn.now + self.random.around(interval));
        if self.limits.is_none() || self.draining != Draining::No || self.bans.is_banned(&self.own) {
            return;
        }
        match chore {
            Chore::Shuffle => {
                self.shuffle(turn);
                self.keep_anchors(turn);
            }
            Chore::Exchange => self.ask_around(turn),
            Chore::Feel => self.feel(turn),
            Chore::Improve => self.improve(turn),
            Chore::Mingle => self.mingle(turn),
        }
    }

    fn shuffle(&mut self, turn: &mut Turn<'_>) {
        let drawn = self.random.index(self.active_links().len());
        let Some(link) = self.active_links().get(drawn).copied() else { return };
        let contacts = self.shuffled();
        self.send(turn, link, &Frame::Shuffle { contacts }, Class::Control);
    }

    fn ask_around(&mut self, turn: &mut Turn<'_>) {
        let mut links = self.links.ids();
        self.random.shuffle(&mut links);
        for link in links.into_iter().take(self.config.addresses.exchange_peers) {
            self.ask_for_addresses(turn, link);
        }
    }

    /// Dials an untried address beyond what neighbours are wanted, so that there are tried ones when they are needed.
    fn feel(&mut self, turn: &mut Turn<'_>) {
        let (bans, links) = (&self.bans, &self.links);
        let drawn = self.book.to_test(turn.now, &mut self.random, |peer| standing(bans, links, peer));
        if let Some(address) = drawn
            && self.dial_beyond(turn, address)
        {
            self.counters.links.feelers += 1;
        }
    }

    /// Dials although no neighbour is wanted. Says whether there was room.
    pub(super) fn dial_beyond(&mut self, turn: &mut Turn<'_>, address: SocketAddr) -> bool {
        let dialling = self.book.dialling();
        let has_room =
            dialling < MAX_DIALS && self.links.count(Direction::Outbound) + dialling < self.config.connections.outbound;
        if !has_room {
            return false;
        }
        let Some(address) = self.book.begin_dial(turn.now, address) else { return false };
        turn.out.push(Output::Dial { address });
        // The dial's end is waited for.
        self.redial(turn);
        true
    }

    /// Asks a linked peer that is clearly better than the worst neighbour, or dials one at hand that is.
    fn improve(&mut self, turn: &mut Turn<'_>) {
        self.overlay.looks = self.overlay.looks.saturating_add(1);
        self.choose(turn, true);
        if self.overlay.lacking() > 0 {
            return;
        }
        let Some(bar) = self.bar(turn) else { return };
        let linked = self.overlay.neighbours.askable().map(|(link, _)| link).filter(|link| !self.is_unwelcome(*link));
        let best = linked.max_by_key(|link| (self.score_of_link(*link), *link));
        if let Some(link) = best.filter(|link| self.score_of_link(*link) >= bar) {
            self.ask_neighbour(turn, link, false);
            return;
        }
        let suits = |contact: &Contact| self.score_of(&contact.peer) >= bar && self.is_dialable(turn, contact);
        let better = self.overlay.passive.iter().find(suits);
        if let Some(contact) = better {
            self.dial_beyond(turn, contact.address);
        }
    }

    /// Looks for near members where such lack among the neighbours, and, if it `replaces`, where those there are are farther.
    pub(super) fn choose(&mut self, turn: &mut Turn<'_>, replaces: bool) {
        self.overlay.chosen.clear();
        self.overlay.choose_from = turn.now + CHOOSE_PAUSE;
        let first = u8::try_from(self.random.below(256)).unwrap_or(0);
        let wanted = self.overlay.settings.near();
        let mut near = self.overlay.near(|link| self.distance_of_link(turn, link));
        let (bans, links, book, ranges) = (&self.bans, &self.links, &self.book, &self.config.addresses.own_ranges);
        let standing = |peer: &PeerId| standing(bans, links, peer);
        let suits = |member: &Sample| {
            let is_due = |at: SocketAddr| may_dial(&at, ranges).is_ok() && book.is_due(turn.now, &at, standing);
            let stands = match standing(&member.peer) {
                Standing::Free => member.address.is_some_and(is_due),
                Standing::Linked => links.of_peer(&member.peer).is_some_and(|link| !self.is_active(link)),
                Standing::Banned => false,
            };
            member.state == MemberState::Alive && stands && !links.pauses.remembers(&member.peer)
        };
        let by = |peer: &PeerId| distance(turn.wall, &self.own, peer);
        let nearest = self.members.nearest_members(first, NEAREST_OF, wanted, by, suits);
        let mut lacking = wanted.saturating_sub(near.len()).max(self.overlay.lacking_outbound());
        for (far, member) in nearest {
            if lacking > 0 {
                lacking -= 1;
            } else {
                // Who is hardly nearer is not worth a change.
                let is_nearer = |(farthest, _): &(u64, LinkId)| far / 3 < farthest / 4;
                if !replaces || !near.pop().as_ref().is_some_and(is_nearer) {
                    return;
                }
            }
            self.overlay.chosen.insert(member.peer);
            match (self.links.of_peer(&member.peer), member.address) {
                (Some(link), _) => _ = self.ask_neighbour(turn, link, true),
                (None, Some(address)) => _ = self.dial_beyond(turn, address),
                (None, None) => {}
            }
        }
    }

    /// The score from which a newcomer takes the place of the worst neighbour.
    fn bar(&self, turn: &Turn<'_>) -> Option<u8> {
        let worst = self.worst(turn)?;
        Some(self.score_of_link(worst).saturating_add(self.overlay.settings.swap_margin))
    }

    fn is_dialable(&self, turn: &Turn<'_>, contact: &Contact) -> bool {
        let standing = |peer: &PeerId| standing(&self.bans, &self.links, peer);
        standing(&contact.peer) == Standing::Free && self.book.is_due(turn.now, &contact.address, standing)
    }

    /// Dials somebody by lot and takes them as a neighbour in place of another, whatever the scores: two clusters that
    /// have lost each other are full of neighbours that praise each other.
    fn mingle(&mut self, turn: &mut Turn<'_>) {
        if self.overlay.lacking() > 0 {
            return;
        }
        let (bans, links) = (&self.bans, &self.links);
        let drawn = self.book.draw(turn.now, &mut self.random, |peer| standing(bans, links, peer));
        if let Some(address) = drawn
            && self.dial_beyond(turn, address)
        {
            self.overlay.stranger = Some(address);
        }
    }

    /// A link that this node dialled is up while nobody is wanted: the stranger is to be a neighbour, and so is who is
    /// clearly better than the worst.
    pub(super) fn consider(&mut self, turn: &mut Turn<'_>, link: LinkId) {
        let address = self.links.get(link).and_then(|link| link.address);
        let is_stranger = address.is_some() && self.overlay.stranger == address;
        if is_stranger {
            (self.overlay.stranger, self.overlay.guest) = (None, Some(link));
        }
        let is_chosen = self.links.get(link).is_some_and(|link| self.overlay.chosen.contains(&link.peer));
        let is_wanted = is_chosen || (self.overlay.lacking() == 0 && (is_stranger || self.is_better(turn, link)));
        if is_wanted && !self.is_unwelcome(link) {
            self.ask_neighbour(turn, link, is_stranger || is_chosen);
        }
    }

    /// Whether the peer of a link is clearly better than the worst neighbour.
    pub(super) fn is_better(&self, turn: &Turn<'_>, link: LinkId) -> bool {
        self.bar(turn).is_some_and(|bar| self.score_of_link(link) >= bar)
    }

    /// Tells the driver of the oldest neighbours of own choice: the next life begins with them.
    fn keep_anchors(&mut self, turn: &mut Turn<'_>) {
        let chosen = self.active_links().iter().filter_map(|link| self.links.get(*link));
        let mut chosen: Vec<_> = chosen
            .filter(|link| link.direction == Direction::Outbound)
            .filter_map(|link| Some((link.since, link.address?)))
            .collect();
        chosen.sort_unstable();
        let addresses: Vec<SocketAddr> = chosen.into_iter().take(ANCHORS).map(|(_, address)| address).collect();
        if !addresses.is_empty() && addresses != self.anchors {
            self.anchors.clone_from(&addresses);
            turn.out.push(Output::Anchors { addresses });
        }
    }
}
