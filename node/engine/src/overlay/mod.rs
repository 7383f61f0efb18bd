//! Who is linked to whom, so that what one node says reaches all.
//!
//! ```text
//!   addresses ─┐                      ask        ┌──────────────── active view: 6-8 links, agreed by both ends,
//!   passive ───┴──▶ dial ──▶ link ───────────────┤                 at least 3 dialled by this node
//!     ▲                                accepted  └─ plain links: in use for something else, closed when idle
//!     └── shuffles, exchange, members
//! ```
//!
//! The active view is HyParView's (Leitão, Pereira, Rodrigues 2007): symmetric, so that a node has as many neighbours as
//! it gives itself to; a passive view stands in for those who leave. It differs where attackers are expected: five of
//! eight are to be the nearest members (`affinity`), whoever of the two dialled, and at least three are dialled by this
//! node. Who asks for a place gets it from one that is farther, and who is better from the worst of those that are not
//! near: a good name takes longer to earn than a place to fill.

mod affinity;
mod chore;
mod neighbours;
mod passive;
mod search;
mod settings;
#[cfg(test)]
mod tests;

pub(crate) use affinity::distance;
pub(crate) use chore::Chore;
pub(crate) use neighbours::{Agreed, Neighbours, Stance};
pub(crate) use passive::Passive;
pub(crate) use search::Search;
pub use settings::{OverlayRefused, OverlaySettings};

use crate::{Direction, LinkId, Micros};
use peerwright_secure::PeerId;
use std::{cmp::Reverse, collections::BTreeSet, net::SocketAddr};

/// The views of one node.
#[derive(Debug)]
pub(crate) struct Overlay {
    pub settings: OverlaySettings,
    pub neighbours: Neighbours,
    pub passive: Passive,
    pub search: Search,
    /// Somebody unknown who is dialled to become a neighbour whatever the scores.
    pub stranger: Option<SocketAddr>,
    /// The last stranger that was reached: it is a neighbour for some time, not for as long as its score holds.
    pub guest: Option<LinkId>,
    /// Near members that are dialled or asked to become neighbours.
    pub chosen: BTreeSet<PeerId>,
    /// When such are looked for again although neighbours that this node dialled lack.
    pub choose_from: Micros,
    /// How often this node has looked for better neighbours.
    pub looks: u32,
}

impl Overlay {
    pub(crate) fn new(settings: OverlaySettings) -> Self {
        Self {
            settings,
            neighbours: Neighbours::default(),
            passive: Passive::default(),
            search: Search::default(),
            stranger: None,
            guest: None,
            chosen: BTreeSet::new(),
            choose_from: Micros(0),
            looks: 0,
        }
    }

    /// Neighbours that lack in all.
    pub(crate) fn lacking(&self) -> usize {
        self.settings.active.saturating_sub(self.neighbours.active().len())
    }

    /// Neighbours of own choice that lack.
    pub(crate) fn lacking_outbound(&self) -> usize {
        self.settings.active_outbound.saturating_sub(self.neighbours.outbound())
    }

    /// Whether so many lack that others are to make room.
    pub(crate) fn is_urgent(&self) -> bool {
        self.neighbours.active().len() < self.settings.active_minimum || self.lacking_outbound() > 0
    }

    /// How many more may be looked for now, when so many dials may soon be answered.
    pub(crate) fn wanted(&self, hopeful: usize) -> usize {
        let lacking = self.lacking().max(self.lacking_outbound());
        lacking.min(self.settings.searching).saturating_sub(self.neighbours.asked() + hopeful)
    }

    /// The nearest neighbours, the nearest first: as many as are looked for.
    pub(crate) fn near(&self, distance: impl Fn(LinkId) -> u64) -> Vec<(u64, LinkId)> {
        self.nearest(self.settings.near(), |_| true, distance)
    }

    fn nearest(
        &self,
        count: usize,
        counts: impl Fn(LinkId) -> bool,
        distance: impl Fn(LinkId) -> u64,
    ) -> Vec<(u64, LinkId)> {
        let active = self.neighbours.active().iter().copied().filter(|link| counts(*link));
        let mut nearest: Vec<_> = active.map(|link| (distance(link), link)).collect();
        nearest.sort_unstable();
        nearest.truncate(count);
        nearest
    }

    /// Who may have to leave the view for another: neither the guest nor one of the nearest that this node dialled.
    fn leavable(&self, distance: impl Fn(LinkId) -> u64) -> impl Iterator<Item = LinkId> {
        let is_dialled = |link| self.neighbours.direction(link) == Some(Direction::Outbound);
        let own = self.nearest(self.settings.active_outbound, is_dialled, distance);
        let may_leave = move |link: &LinkId| self.guest != Some(*link) && own.iter().all(|(_, chosen)| chosen != link);
        self.neighbours.active().iter().copied().filter(may_leave)
    }

    /// Who leaves for somebody better: of those that are not near the one with the worst `score`, of equals the newest.
    pub(crate) fn worst(&self, distance: impl Fn(LinkId) -> u64, score: impl Fn(LinkId) -> u8) -> Option<LinkId> {
        let near = self.near(&distance);
        let is_far = |link: &LinkId| near.iter().all(|(_, near)| near != link);
        self.leavable(distance).filter(is_far).min_by_key(|link| (score(*link), Reverse(*link)))
    }

    /// Who leaves for somebody nearer.
    pub(crate) fn farthest(&self, distance: impl Fn(LinkId) -> u64) -> Option<(u64, LinkId)> {
        self.leavable(&distance).map(|link| (distance(link), link)).max()
    }
}
