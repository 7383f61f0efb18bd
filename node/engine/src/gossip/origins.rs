//! The origins that this node follows, each under a small number that stays while its messages travel.
//!
//! ```text
//! public key ─▶ slot ─▶ lives, newest first: what was seen        parent: the link whose copies come first
//!                                                                 announcers: who else has its messages
//! ```

use super::{Life, Place};
use crate::{
    LinkId, Micros,
    bounds::{CLOCK_SKEW, MAX_INCARNATIONS, MAX_SEEN_ORIGINS, STEADY},
};
use peerwright_ledger::MessageBody;
use peerwright_secure::NodePublicKey;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// An origin's number in this process, below [`MAX_SEEN_ORIGINS`]. Given anew once the origin is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Slot(pub u16);

const _: () = assert!(MAX_SEEN_ORIGINS <= u16::MAX as usize);

/// What is known of a message's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing was verified for it.
    Unseen,
    /// It was verified before, or its origin no longer stands for it.
    Seen(Slot),
    /// Its incarnation is older than those that gossip follows.
    Stale,
}

/// Why a message cannot be remembered. It is not passed on then; sync brings it to those who lack it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Untracked {
    /// There are too many origins.
    Full,
    /// The origin's life has too many holes.
    Behind,
    /// The incarnation is too old.
    Stale,
}

impl Untracked {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Full => "seen_full",
            Self::Behind => "behind",
            Self::Stale => "stale_incarnation",
        }
    }
}

/// What remembering a message led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Inserted {
    pub slot: Slot,
    pub is_new: bool,
    /// An older life of the origin has published after this newer one had begun.
    pub lives_twice: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct Origin {
    pub key: NodePublicKey,
    lives: Vec<Life>,
    /// Rises with each newer life.
    pub generation: u8,
    /// The link that is to push this origin's messages to this node.
    pub parent: Option<LinkId>,
    /// The links that announced messages of it last, the latest first.
    pub announcers: [Option<LinkId>; 2],
    /// A link by which all messages since then would have come sooner than by the parent.
    ahead: Option<(LinkId, Micros)>,
    /// When the parent was last given up for such a link.
    turned: Micros,
    /// The parent was one, and has brought nothing yet.
    pub is_on_trial: bool,
    /// Life and sequence of the message of it that was spread last: no other is what neighbours were told before.
    pub last_spread: (u64, u64),
    /// The link by which messages would come soonest but for the parent, and how much later.
    pub next_best: Option<(LinkId, Duration)>,
}

impl Origin {
    /// The newest life.
    pub(crate) fn newest(&self) -> Option<&Life> {
        self.lives.first()
    }

    pub(crate) fn life(&self, incarnation: u64) -> Option<&Life> {
        self.lives.iter().find(|life| life.incarnation == incarnation)
    }

    pub(crate) fn life_mut(&mut self, incarnation: u64) -> Option<&mut Life> {
        self.lives.iter_mut().find(|life| life.incarnation == incarnation)
    }

    /// The link says that it has messages of this origin.
    pub(crate) fn announced_by(&mut self, link: LinkId) {
        let [latest, before] = &mut self.announcers;
        if *latest != Some(link) {
            *before = latest.replace(link);
        }
    }

    /// A message would have come sooner by this link than by the parent. Says whether the link is to be the parent: when it
    /// has been ahead for a while, or the origin's messages are too rare to wait for more, and the parent is no new one.
    pub(crate) fn is_ahead(&mut self, link: LinkId, now: Micros, is_rare: bool) -> bool {
        // Whoever is not heard of any more makes room for others.
        let (ahead, since) = *self.ahead.insert(match self.ahead {
            Some((ahead, since)) if ahead == link || now < since + STEADY * 2 => (ahead, since),
            _ => (link, now),
        });
        let is_steady = ahead == link && now >= since + STEADY;
        (is_rare || is_steady) && now >= self.turned + STEADY
    }

    pub(crate) fn not_ahead(&mut self, link: LinkId) {
        self.ahead = self.ahead.filter(|(ahead, _)| *ahead != link);
    }

    /// The link is the parent from now on; by the parent so far messages come so much later.
    pub(crate) fn turn_to(&mut self, link: LinkId, later: Duration, now: Micros) {
        self.next_best = self.parent.replace(link).map(|parent| (parent, later));
        (self.ahead, self.turned, self.is_on_trial) = (None, now, true);
    }

    /// Messages would have come by this link so much later.
    pub(crate) fn could_come_by(&mut self, link: LinkId, late: Duration) {
        if self.next_best.is_none_or(|(best, least)| best == link || late < least) {
            self.next_best = Some((link, late));
        }
    }

    fn is_stale(&self, incarnation: u64) -> bool {
        self.lives.len() >= MAX_INCARNATIONS && self.lives.iter().all(|life| life.incarnation > incarnation)
    }
}

/// All origins.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    by_key: BTreeMap<NodePublicKey, Slot>,
    slots: Vec<Option<Origin>>,
    free: BTreeSet<Slot>,
    /// This node itself is never forgotten.
    own: Option<NodePublicKey>,
}

impl Origins {
    /// Follows this node's own messages, whatever else there is room for.
    pub(crate) fn with_own(own: NodePublicKey) -> Self {
        let mut origins = Self { own: Some(own), ..Self::default() };
        origins.slot_for(own);
        origins
    }

    pub(crate) fn find(&self, key: &NodePublicKey) -> Option<Slot> {
        self.by_key.get(key).copied()
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<&Origin> {
        self.slots.get(usize::from(slot.0))?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, slot: Slot) -> Option<&mut Origin> {
        self.slots.get_mut(usize::from(slot.0))?.as_mut()
    }

    pub(crate) fn by_key_mut(&mut self, key: &NodePublicKey) -> Option<&mut Origin> {
        let slot = self.find(key)?;
        self.get_mut(slot)
    }

    pub(crate) fn standing(&self, place: &Place) -> Standing {
        let Some((slot, origin)) = self.find(&place.origin).and_then(|slot| Some((slot, self.get(slot)?))) else {
            return Standing::Unseen;
        };
        match origin.life(place.incarnation) {
            Some(life) if life.has_seen(place.sequence) => Standing::Seen(slot),
            None if origin.is_stale(place.incarnation) => Standing::Stale,
            Some(_) | None => Standing::Unseen,
        }
    }

    /// Remembers a verified message. Of a life that was not known, gossip will ask for `history` messages before it.
    pub(crate) fn insert(&mut self, message: &MessageBody, history: u64) -> Result<Inserted, Untracked> {
        let slot = self.slot_for(message.origin).ok_or(Untracked::Full)?;
        let origin = self.get_mut(slot).ok_or(Untracked::Full)?;
        if origin.is_stale(message.incarnation) {
            return Err(Untracked::Stale);
        }
        let index = origin.lives.partition_point(|life| life.incarnation > message.incarnation);
        if origin.lives.get(index).is_none_or(|life| life.incarnation != message.incarnation) {
            origin.lives.insert(index, Life::beginning_with(message, history));
            origin.lives.truncate(MAX_INCARNATIONS);
            if index == 0 {
                origin.generation = origin.generation.wrapping_add(1);
            }
        }
        let newer = origin.lives.first().map(|life| life.incarnation).filter(|_| index > 0);
        let life = origin.lives.get_mut(index).ok_or(Untracked::Stale)?;
        let is_new = life.insert(message)?;
        // An incarnation is the wall clock at its start, so what an older life signs much later it signs beside a newer.
        let is_beside = |newer: u64| Micros(message.created_at_micros) > Micros(newer) + CLOCK_SKEW * 2;
        let lives_twice = newer.filter(|newer| is_new && is_beside(*newer) && !life.is_told_double);
        life.is_told_double |= lives_twice.is_some();
        Ok(Inserted { slot, is_new, lives_twice })
    }

    fn slot_for(&mut self, key: NodePublicKey) -> Option<Slot> {
        if let Some(slot) = self.by_key.get(&key) {
            return Some(*slot);
        }
        let slot = match self.free.pop_first() {
            Some(slot) => slot,
            None if self.slots.len() >= MAX_SEEN_ORIGINS => return None,
            None => {
                self.slots.push(None);
                Slot(u16::try_from(self.slots.len() - 1).ok()?)
            }
        };
        let origin = Origin {
            key,
            lives: Vec::new(),
            generation: 0,
            parent: None,
            announcers: [None; 2],
            ahead: None,
            turned: Micros(0),
            is_on_trial: false,
            last_spread: (0, 0),
            next_best: None,
        };
        *self.slots.get_mut(usize::from(slot.0))? = Some(origin);
        self.by_key.insert(key, slot);
        Some(slot)
    }

    /// Forgets lives whose messages have all expired: a replay of one would be dropped as expired. Gives the numbers
    /// that name nobody now.
    pub(crate) fn sweep(&mut self, wall: Micros) -> Vec<Slot> {
        let mut forgotten = Vec::new();
        for (index, place) in (0..).zip(&mut self.slots) {
            let Some(origin) = place else { continue };
            origin.lives.retain(|life| life.until > wall);
            if origin.lives.is_empty() && self.own != Some(origin.key) {
                self.by_key.remove(&origin.key);
                *place = None;
                self.free.insert(Slot(index));
                forgotten.push(Slot(index));
            }
        }
        forgotten
    }

    /// The origins that were to come by this link, and by whom they may come now: they have no parent any more.
    pub(crate) fn lose_link(&mut self, link: LinkId) -> Vec<Slot> {
        let mut orphans = Vec::new();
        for (index, place) in (0..).zip(&mut self.slots) {
            let Some(origin) = place else { continue };
            origin.announcers = match origin.announcers {
                [latest, before] if latest == Some(link) => [before, None],
                [latest, before] if before == Some(link) => [latest, None],
                both => both,
            };
            origin.next_best = origin.next_best.filter(|(next, _)| *next != link);
            origin.not_ahead(link);
            if origin.parent == Some(link) {
                origin.parent = None;
                orphans.push(Slot(index));
            }
        }
        orphans
    }

    /// Origins of others that messages were heard of.
    pub(crate) fn count(&self) -> usize {
        self.by_key.len() - usize::from(self.own.is_some_and(|own| self.by_key.contains_key(&own)))
    }
}
