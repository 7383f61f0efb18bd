//! The active view: asking, agreeing, making room.

use super::{Draining, Engine, Turn};
use crate::{
    Class, CloseReason, DepartureReason, Direction, Event, LinkId,
    bounds::UNNEEDED_AFTER,
    frame::Frame,
    overlay::{Agreed, Stance, distance},
};

impl Engine {
    /// The links of the active view, ascending: what gossip and membership spread on.
    pub(super) fn active_links(&self) -> &[LinkId] {
        self.overlay.neighbours.active()
    }

    /// Whether a link is in the active view.
    pub(super) fn is_active(&self, link: LinkId) -> bool {
        self.overlay.neighbours.is_active(link)
    }

    /// What other parts do when a link has become a neighbour's.
    fn neighbour_joined(&mut self, turn: &mut Turn<'_>, link: LinkId) {
        self.counters.links.neighbours_joined += 1;
        self.overlay.search.begin_anew();
        if let Some(peer) = self.links.get(link).map(|link| link.peer) {
            self.overlay.passive.remove(&peer);
            turn.out.event(Event::NeighbourJoined { peer, link });
        }
        self.join_trees(turn, link);
        // What was published since the digests of link-up did not come this way.
        self.send_digest(turn, link, false);
        self.take_offers(turn, link);
        if self.overlay.neighbours.direction(link) == Some(Direction::Outbound) {
            self.compare_soon(turn, link);
        }
    }

    /// What other parts do when a link is a neighbour's no longer; it may be gone already.
    fn neighbour_left(
        &mut self,
        turn: &mut Turn<'_>,
        link: LinkId,
        peer: peerwright_secure::PeerId,
        reason: DepartureReason,
    ) {
        self.counters.links.neighbours_left += 1;
        turn.out.event(Event::NeighbourLeft { peer, link, reason });
        if self.overlay.is_urgent() {
            self.overlay.search.begin_anew();
        }
        self.overlay.neighbours.forgive();
        self.leave_trees(turn, link);
    }

    pub(super) fn overlay_link_up(&mut self, turn: &mut Turn<'_>, link: LinkId, direction: Direction) {
        self.overlay.neighbours.link_up(link, direction);
        if direction == Direction::Outbound {
            self.introduce(turn, link);
            self.consider(turn, link);
        }
    }

    /// A link that is not in the table any more leaves the views.
    pub(super) fn overlay_link_ended(&mut self, turn: &mut Turn<'_>, link: LinkId, peer: peerwright_secure::PeerId) {
        self.exchange.link_ended(link);
        if self.overlay.neighbours.link_ended(link) {
            self.neighbour_left(turn, link, peer, DepartureReason::LinkEnded);
        }
    }

    /// Asks peers that have a link already, as many as are wanted. Those that this node dialled come first.
    pub(super) fn ask_neighbours(&mut self, turn: &mut Turn<'_>) {
        if turn.now < self.overlay.search.not_before() {
            return;
        }
        let mut wanted = self.overlay.wanted(self.book.hopeful(turn.now));
        let lacks_any = self.overlay.lacking() > 0;
        let mut askable: Vec<(Direction, LinkId)> = Vec::new();
        if wanted > 0 {
            askable.extend(self.overlay.neighbours.askable().map(|(link, direction)| (direction, link)));
            askable.sort_unstable();
        }
        for (direction, link) in askable {
            if wanted == 0 {
                return;
            }
            // A neighbour of own choice is one that this node dialled.
            if (direction == Direction::Inbound && !lacks_any) || self.is_unwelcome(link) {
                continue;
            }
            let priority = self.overlay.search.has_priority(self.overlay.is_urgent());
            if self.ask_neighbour(turn, link, priority) {
                wanted -= 1;
            }
        }
    }

    /// Whether the peer of a link was convicted lately, and there are neighbours enough without it.
    pub(super) fn is_unwelcome(&self, link: LinkId) -> bool {
        let is_convicted = self.links.get(link).is_some_and(|link| self.links.pauses.remembers(&link.peer));
        is_convicted && self.overlay.neighbours.active().len() >= self.overlay.settings.active_minimum
    }

    /// Asks the peer of a link to be a neighbour. Says whether it may be asked.
    pub(super) fn ask_neighbour(&mut self, turn: &mut Turn<'_>, link: LinkId, priority: bool) -> bool {
        let is_asked = self.overlay.neighbours.ask(link);
        if is_asked {
            self.counters.links.neighbours_asked += 1;
            self.send(turn, link, &Frame::Neighbour { priority }, Class::Control);
        }
        is_asked
    }

    pub(super) fn neighbour_asks(&mut self, turn: &mut Turn<'_>, link: LinkId, priority: bool) {
        let accepted = match self.overlay.neighbours.stance(link) {
            None => return,
            Some(Stance::Active | Stance::Asked) => true,
            Some(Stance::Plain) if self.draining != Draining::No || self.is_unwelcome(link) => false,
            Some(Stance::Plain) if self.overlay.lacking() > 0 => true,
            Some(Stance::Plain) if priority && self.is_nearer(turn, link) => {
                let farthest = self.farthest(turn);
                self.make_room(turn, farthest, DepartureReason::MadeRoom)
            }
            Some(Stance::Plain) if self.is_better(turn, link) => {
                let worst = self.worst(turn);
                self.make_room(turn, worst, DepartureReason::Replaced)
            }
            Some(Stance::Plain) => false,
        };
        self.send(turn, link, &Frame::NeighbourAnswer { accepted }, Class::Control);
        if accepted && self.overlay.neighbours.accept(link) == Agreed::Joined {
            self.neighbour_joined(turn, link);
            self.trim(turn);
        }
        self.redial(turn);
    }

    pub(super) fn neighbour_answers(&mut self, turn: &mut Turn<'_>, link: LinkId, accepted: bool) {
        match self.overlay.neighbours.answered(link, accepted) {
            Agreed::Joined => {
                self.neighbour_joined(turn, link);
                let peer = self.links.get(link).map(|link| link.peer);
                let is_chosen = peer.is_some_and(|peer| self.overlay.chosen.remove(&peer));
                if is_chosen && self.overlay.neighbours.active().len() > self.overlay.settings.active {
                    let farthest = self.farthest(turn);
                    self.make_room(turn, farthest, DepartureReason::MadeRoom);
                }
                self.trim(turn);
            }
            Agreed::Refused => {
                self.counters.links.neighbours_refused += 1;
                let is_urgent = self.overlay.is_urgent();
                self.overlay.search.refused(turn.now, is_urgent, &mut self.random);
                self.close_unneeded(turn, link);
            }
            Agreed::Left | Agreed::Nothing => {}
        }
        self.redial(turn);
    }

    pub(super) fn demoted(&mut self, turn: &mut Turn<'_>, link: LinkId) {
        if self.overlay.neighbours.demoted(link) == Agreed::Left
            && let Some(peer) = self.links.get(link).map(|link| link.peer)
        {
            self.neighbour_left(turn, link, peer, DepartureReason::Demoted);
            self.close_unneeded(turn, link);
            self.redial(turn);
        }
    }

    /// How far the peer of a link is for now.
    pub(super) fn distance_of_link(&self, turn: &Turn<'_>, link: LinkId) -> u64 {
        self.links.get(link).map_or(u64::MAX, |link| distance(turn.wall, &self.own, &link.peer))
    }

    /// Who leaves the view for somebody better.
    pub(super) fn worst(&self, turn: &Turn<'_>) -> Option<LinkId> {
        self.overlay.worst(|link| self.distance_of_link(turn, link), |link| self.score_of_link(link))
    }

    /// Who leaves the view for somebody nearer.
    fn farthest(&self, turn: &Turn<'_>) -> Option<LinkId> {
        self.overlay.farthest(|link| self.distance_of_link(turn, link)).map(|(_, link)| link)
    }

    /// Whether the peer of a link is nearer than the farthest neighbour that may leave.
    fn is_nearer(&self, turn: &Turn<'_>, link: LinkId) -> bool {
        let farthest = self.overlay.farthest(|link| self.distance_of_link(turn, link));
        farthest.is_some_and(|(distance, _)| self.distance_of_link(turn, link) < distance)
    }

    /// Takes somebody out of a full view. Says whether somebody could go.
    fn make_room(&mut self, turn: &mut Turn<'_>, leaving: Option<LinkId>, reason: DepartureReason) -> bool {
        let Some((link, peer)) = leaving.and_then(|link| Some((link, self.links.get(link)?.peer))) else {
            return false;
        };
        self.overlay.neighbours.demote(link);
        self.send(turn, link, &Frame::Demote, Class::Control);
        self.neighbour_left(turn, link, peer, reason);
        self.close_unneeded(turn, link);
        true
    }

    /// Both ends may have found somebody at once: the view is cut back to its size.
    fn trim(&mut self, turn: &mut Turn<'_>) {
        while self.overlay.neighbours.active().len() > self.overlay.settings.active {
            let leaving = self.worst(turn).or_else(|| self.farthest(turn));
            if !self.make_room(turn, leaving, DepartureReason::Surplus) {
                return;
            }
        }
    }

    /// Closes a link that this node dialled to find a neighbour and did not, unless somebody is catching up on it.
    fn close_unneeded(&mut self, turn: &mut Turn<'_>, link: LinkId) {
        let is_busy = self.sync.links.get(&link).is_some_and(crate::sync::LinkSync::is_busy);
        let is_ours = self.overlay.neighbours.direction(link) == Some(Direction::Outbound);
        if is_ours && !is_busy {
            self.close(turn, link, CloseReason::Unneeded);
        }
    }

    /// Closes a link that is no neighbour's and that nobody has used for long. Says whether it did.
    pub(super) fn close_idle(&mut self, turn: &mut Turn<'_>, link: LinkId) -> bool {
        let Some(state) = self.links.get(link) else { return false };
        let is_busy = self.sync.links.get(&link).is_some_and(crate::sync::LinkSync::is_busy);
        if self.overlay.neighbours.stance(link) != Some(Stance::Plain) || is_busy {
            return false;
        }
        let is_ours = state.direction == Direction::Outbound;
        let is_seed = is_ours && state.address.is_some_and(|address| self.book.is_listed(&address));
        let unused = turn.now.since(state.last_used);
        let reason = if unused >= self.overlay.settings.idle_after && !is_seed {
            CloseReason::Idle
        } else if is_ours && unused >= UNNEEDED_AFTER && self.overlay.wanted(0) == 0 {
            CloseReason::Unneeded
        } else {
            return false;
        };
        self.counters.links.idle += 1;
        self.close(turn, link, reason);
        true
    }

    /// What this node thinks of the peer of a link, 0 to 100.
    pub(super) fn score_of_link(&self, link: LinkId) -> u8 {
        self.links.get(link).map_or(0, |link| self.score_of(&link.peer))
    }
}
