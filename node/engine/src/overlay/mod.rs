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
//! it gives itself to; a passive view stands in for those who leave. It differs where attackers are expected: some of
//! the view is always of this node's own choice, and scores decide who makes room.

mod chore;
mod neighbours;
mod passive;
mod search;
mod settings;
#[cfg(test)]
mod tests;

pub(crate) use chore::Chore;
pub(crate) use neighbours::{Agreed, Neighbours, Stance};
pub(crate) use passive::Passive;
pub(crate) use search::Search;
pub use settings::{OverlayRefused, OverlaySettings};

use crate::{Direction, LinkId};
use std::net::SocketAddr;

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

    /// How many more may be looked for now, with `dialling` dials under way.
    pub(crate) fn wanted(&self, dialling: usize) -> usize {
        let lacking = self.lacking().max(self.lacking_outbound());
        lacking.min(self.settings.searching).saturating_sub(self.neighbours.asked() + dialling)
    }

    /// Who leaves the view for another, by `score`, the worst first and of equals the newest. Neighbours of own choice stay
    /// while there are no more of them than there are to be, and so does the guest.
    pub(crate) fn worst(&self, score: impl Fn(LinkId) -> u8) -> Option<LinkId> {
        let has_spare_outbound = self.neighbours.outbound() > self.settings.active_outbound;
        let may_leave = |link: &LinkId| {
            self.guest != Some(*link)
                && (has_spare_outbound || self.neighbours.direction(*link) != Some(Direction::Outbound))
        };
        let candidates = self.neighbours.active().iter().copied().filter(may_leave);
        candidates.min_by_key(|link| (score(*link), std::cmp::Reverse(*link)))
    }
}
