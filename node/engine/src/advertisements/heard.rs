//! What peers have said that they hold.

use crate::{
    Advertisement, AdvertisementView, Micros,
    bounds::{MAX_ADVERTISEMENTS_HEARD, MAX_ADVERTISEMENTS_OF_A_PEER},
};
use peerwright_ledger::RegisterId;
use peerwright_secure::PeerId;
use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

#[derive(Debug)]
struct Row {
    advertisement: Advertisement,
    heard: Micros,
    /// The peer's list that named it last.
    list: u64,
}

#[derive(Debug)]
struct Speaker {
    /// The incarnation that said all this.
    life: u64,
    rows: usize,
    /// Whole lists that it has told.
    lists: u64,
}

/// What peers hold by their own word, each row until its time is over.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    rows: BTreeMap<(PeerId, RegisterId), Row>,
    speakers: BTreeMap<PeerId, Speaker>,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// The peer did not say that it holds the register before.
    New,
    /// It says something else of it.
    Changed,
    /// It says the same.
    Repeated,
    /// There is no room for another.
    Full,
}

fn all_of(peer: PeerId) -> RangeInclusive<(PeerId, RegisterId)> {
    (peer, RegisterId::from_bytes([0; 16]))..=(peer, RegisterId::from_bytes([0xff; 16]))
}

impl Heard {
    /// A link with a life of the peer is up. What a former one said counts no longer, and is given: the new one tells
    /// all that it holds, and is silent when that is nothing.
    pub(crate) fn link_up(&mut self, peer: PeerId, life: u64) -> Vec<RegisterId> {
        let is_new = self.speakers.get(&peer).is_some_and(|speaker| speaker.life != life);
        if is_new { self.forget(peer) } else { Vec::new() }
    }

    /// A peer in a life of it says what it holds; `whole` when that is part of the list of all that it holds.
    pub(crate) fn take(
        &mut self,
        now: Micros,
        (peer, life): (PeerId, u64),
        advertisement: Advertisement,
        whole: bool,
    ) -> Taken {
        let total = self.rows.len();
        let speaker = self.speakers.entry(peer).or_insert(Speaker { life, rows: 0, lists: 0 });
        let list = speaker.lists + u64::from(whole);
        let key = (peer, advertisement.register);
        if let Some(row) = self.rows.get_mut(&key) {
            let is_same = row.advertisement == advertisement;
            *row = Row { advertisement, heard: now, list: list.max(row.list) };
            return if is_same { Taken::Repeated } else { Taken::Changed };
        }
        if total >= MAX_ADVERTISEMENTS_HEARD || speaker.rows >= MAX_ADVERTISEMENTS_OF_A_PEER {
            self.left(peer, 0);
            return Taken::Full;
        }
        speaker.rows += 1;
        self.rows.insert(key, Row { advertisement, heard: now, list });
        Taken::New
    }

    /// A peer holds a register no longer, or says so no longer. Says whether it had.
    pub(crate) fn withdraw(&mut self, peer: PeerId, register: RegisterId) -> bool {
        let was_there = self.rows.remove(&(peer, register)).is_some();
        if was_there {
            self.left(peer, 1);
        }
        was_there
    }

    /// A peer has told all that it holds. Gives what it left out: that it holds no longer.
    pub(crate) fn list_ended(&mut self, peer: PeerId) -> Vec<RegisterId> {
        let Some(speaker) = self.speakers.get_mut(&peer) else { return Vec::new() };
        speaker.lists += 1;
        let lists = speaker.lists;
        let left_out: Vec<RegisterId> =
            self.rows.extract_if(all_of(peer), |_, row| row.list < lists).map(|((_, register), _)| register).collect();
        self.left(peer, left_out.len());
        left_out
    }

    /// A peer's list is not told to its end: the next one begins anew.
    pub(crate) fn list_broke_off(&mut self, peer: &PeerId) {
        if let Some(speaker) = self.speakers.get_mut(peer) {
            speaker.lists += 1;
        }
    }

    /// Nothing that a peer said counts any more.
    pub(crate) fn forget(&mut self, peer: PeerId) -> Vec<RegisterId> {
        self.speakers.remove(&peer);
        self.rows.extract_if(all_of(peer), |_, _| true).map(|((_, register), _)| register).collect()
    }

    /// Forgets what was not said again in time.
    pub(crate) fn sweep(&mut self, now: Micros, expiry: Duration) -> Vec<(PeerId, RegisterId)> {
        let expired: Vec<_> =
            self.rows.extract_if(.., |_, row| now.since(row.heard) >= expiry).map(|(key, _)| key).collect();
        for (peer, _) in &expired {
            self.left(*peer, 1);
        }
        expired
    }

    fn left(&mut self, peer: PeerId, rows: usize) {
        if let Some(speaker) = self.speakers.get_mut(&peer) {
            speaker.rows = speaker.rows.saturating_sub(rows);
            if speaker.rows == 0 {
                self.speakers.remove(&peer);
            }
        }
    }

    /// What counts now, by peer and register.
    pub(crate) fn views(&self, now: Micros, expiry: Duration) -> impl Iterator<Item = AdvertisementView> {
        let counts = self.rows.iter().filter(move |(_, row)| now.since(row.heard) < expiry);
        counts.map(|((peer, _), row)| AdvertisementView {
            peer: *peer,
            advertisement: row.advertisement.clone(),
            heard: row.heard,
        })
    }

    /// What counts now of one register, by peer.
    pub(crate) fn of<'a>(
        &'a self,
        now: Micros,
        expiry: Duration,
        register: &RegisterId,
    ) -> impl Iterator<Item = (PeerId, &'a Advertisement)> {
        let register = *register;
        self.speakers.keys().filter_map(move |peer| {
            let row = self.rows.get(&(*peer, register)).filter(|row| now.since(row.heard) < expiry)?;
            Some((*peer, &row.advertisement))
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn peers(&self) -> usize {
        self.speakers.len()
    }
}
