//! Which links are neighbours': the active view, as both ends of a link agree on it.
//!
//! ```text
//!              ask                    accepted
//!   plain ───────────▶ asked ─────────────────────▶ active
//!    ▲ ▲ ▲               │ refused                    │ │
//!    │ │ └───────────────┘                            │ │
//!    │ └── this end sends Demote ─────────────────────┘ │
//!    └──── the other end sent Demote ───────────────────┘
//! ```
//!
//! Links deliver in order, so no frame needs a number: an answer is to the one question that is open, a Demote that
//! arrives while a question is open was sent before the question was read and means nothing any more. Both ends asking
//! at once is agreement, before either answer has come; no second question is put before the first is answered.

use crate::{Direction, LinkId};
use std::collections::BTreeMap;

/// How a link stands to the active view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stance {
    /// Not in it.
    Plain,
    /// This node has asked and the peer has not answered yet.
    Asked,
    /// In it.
    Active,
}

#[derive(Debug, Clone, Copy)]
struct Neighbour {
    stance: Stance,
    direction: Direction,
    /// A question of this node has not been answered yet, whatever has happened since.
    is_open: bool,
    /// The peer has refused since the link came up: it is not asked again on this link for a while.
    refused: bool,
}

/// What follows from something that a peer said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Agreed {
    /// Nothing.
    Nothing,
    /// The link is in the active view from now on.
    Joined,
    /// The link is not in the active view any more.
    Left,
    /// The peer does not want to be a neighbour.
    Refused,
}

/// The links and their stances.
#[derive(Debug, Default)]
pub(crate) struct Neighbours {
    links: BTreeMap<LinkId, Neighbour>,
    /// Those whose stance is active, ascending.
    active: Vec<LinkId>,
    asked: usize,
    outbound: usize,
}

impl Neighbours {
    /// The active view, ascending.
    pub(crate) fn active(&self) -> &[LinkId] {
        &self.active
    }

    pub(crate) fn is_active(&self, link: LinkId) -> bool {
        self.active.binary_search(&link).is_ok()
    }

    /// How many of the active view this node dialled.
    pub(crate) fn outbound(&self) -> usize {
        self.outbound
    }

    /// Questions that wait for their answers.
    pub(crate) fn asked(&self) -> usize {
        self.asked
    }

    pub(crate) fn stance(&self, link: LinkId) -> Option<Stance> {
        self.links.get(&link).map(|neighbour| neighbour.stance)
    }

    pub(crate) fn direction(&self, link: LinkId) -> Option<Direction> {
        self.links.get(&link).map(|neighbour| neighbour.direction)
    }

    /// Links that are in no view and whose peers have not refused.
    pub(crate) fn askable(&self) -> impl Iterator<Item = (LinkId, Direction)> {
        let is_askable =
            |neighbour: &Neighbour| neighbour.stance == Stance::Plain && !neighbour.refused && !neighbour.is_open;
        self.links.iter().filter(move |(_, link)| is_askable(link)).map(|(id, link)| (*id, link.direction))
    }

    /// All refusals are forgotten: whoever had no room then may have some now.
    pub(crate) fn forgive(&mut self) {
        for neighbour in self.links.values_mut() {
            neighbour.refused = false;
        }
    }

    pub(crate) fn link_up(&mut self, link: LinkId, direction: Direction) {
        self.links.insert(link, Neighbour { stance: Stance::Plain, direction, is_open: false, refused: false });
    }

    /// A link is gone. Says whether it was in the active view.
    pub(crate) fn link_ended(&mut self, link: LinkId) -> bool {
        let was_active = self.set(link, Stance::Plain) == Some(Stance::Active);
        self.links.remove(&link);
        was_active
    }

    /// This node asks. Says whether it may: only a plain link's peer is asked.
    pub(crate) fn ask(&mut self, link: LinkId) -> bool {
        let Some(neighbour) = self.links.get_mut(&link) else { return false };
        let may_ask = neighbour.stance == Stance::Plain && !neighbour.is_open;
        if may_ask {
            neighbour.is_open = true;
            self.set(link, Stance::Asked);
        }
        may_ask
    }

    /// The peer's answer came.
    pub(crate) fn answered(&mut self, link: LinkId, accepted: bool) -> Agreed {
        let Some(neighbour) = self.links.get_mut(&link) else { return Agreed::Nothing };
        neighbour.is_open = false;
        if neighbour.stance != Stance::Asked {
            return Agreed::Nothing;
        }
        if accepted {
            self.set(link, Stance::Active);
            return Agreed::Joined;
        }
        self.set(link, Stance::Plain);
        if let Some(neighbour) = self.links.get_mut(&link) {
            neighbour.refused = true;
        }
        Agreed::Refused
    }

    /// This node has agreed to what the peer asked.
    pub(crate) fn accept(&mut self, link: LinkId) -> Agreed {
        match self.stance(link) {
            Some(Stance::Plain | Stance::Asked) => {
                self.set(link, Stance::Active);
                Agreed::Joined
            }
            Some(Stance::Active) | None => Agreed::Nothing,
        }
    }

    /// This node takes a link out of its view. Says whether it was there.
    pub(crate) fn demote(&mut self, link: LinkId) -> bool {
        let is_active = self.stance(link) == Some(Stance::Active);
        if is_active {
            self.set(link, Stance::Plain);
        }
        is_active
    }

    /// The peer has taken the link out of its view.
    pub(crate) fn demoted(&mut self, link: LinkId) -> Agreed {
        if self.demote(link) {
            if let Some(neighbour) = self.links.get_mut(&link) {
                neighbour.refused = true;
            }
            Agreed::Left
        } else {
            Agreed::Nothing
        }
    }

    /// Changes a stance, with the sums; gives the one before.
    fn set(&mut self, link: LinkId, stance: Stance) -> Option<Stance> {
        let neighbour = self.links.get_mut(&link)?;
        let before = std::mem::replace(&mut neighbour.stance, stance);
        let is_outbound = neighbour.direction == Direction::Outbound;
        match before {
            Stance::Asked => self.asked = self.asked.saturating_sub(1),
            Stance::Active => {
                self.outbound = self.outbound.saturating_sub(usize::from(is_outbound));
                if let Ok(index) = self.active.binary_search(&link) {
                    self.active.remove(index);
                }
            }
            Stance::Plain => {}
        }
        match stance {
            Stance::Asked => self.asked += 1,
            Stance::Active => {
                self.outbound += usize::from(is_outbound);
                if let Err(index) = self.active.binary_search(&link) {
                    self.active.insert(index, link);
                }
            }
            Stance::Plain => {}
        }
        Some(before)
    }
}
