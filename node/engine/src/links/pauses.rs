//! Who is kept away for a while.
//!
//! A peer that was convicted loses its link at once. Would it link again at once, too, every conviction would cost each
//! neighbour a change of its trees. So it waits, twice as long each time, and when it is back it is no neighbour for some
//! minutes more, unless neighbours lack. This is no ban: it ends by itself, goes nowhere, and befalls whomever nobody may
//! ban, a seed as well.

use crate::{
    Micros,
    bounds::{FIRST_PAUSE, LONGEST_PAUSE, MAX_PAUSES},
};
use peerwright_secure::PeerId;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Copy)]
struct Pause {
    until: Micros,
    /// Pauses in a row.
    times: u32,
    holds: bool,
}

/// The peers that are kept away, and those that were lately.
#[derive(Debug, Default)]
pub(crate) struct Pauses {
    peers: BTreeMap<PeerId, Pause>,
}

impl Pauses {
    /// Keeps a peer away, longer than the last time. Full: who comes back first comes back now.
    pub(crate) fn begin(&mut self, now: Micros, peer: PeerId) {
        self.end(now);
        if !self.peers.contains_key(&peer) && self.peers.len() >= MAX_PAUSES {
            let first = self.peers.iter().min_by_key(|(_, pause)| pause.until).map(|(peer, _)| *peer);
            first.map(|first| self.peers.remove(&first));
        }
        let pause = self.peers.entry(peer).or_insert(Pause { until: now, times: 0, holds: false });
        let factor = 1u32.checked_shl(pause.times).unwrap_or(u32::MAX);
        pause.until = now + FIRST_PAUSE.saturating_mul(factor).min(LONGEST_PAUSE);
        pause.times = pause.times.saturating_add(1);
        pause.holds = true;
    }

    /// Whether a peer was convicted lately: it is kept away, or was, and is no neighbour unless others lack.
    pub(crate) fn remembers(&self, peer: &PeerId) -> bool {
        self.peers.contains_key(peer)
    }

    pub(crate) fn holds(&self, peer: &PeerId) -> bool {
        self.peers.get(peer).is_some_and(|pause| pause.holds)
    }

    /// Ends what is over, and forgets what was over as long ago as the longest pause is.
    pub(crate) fn end(&mut self, now: Micros) {
        for pause in self.peers.values_mut() {
            pause.holds &= pause.until > now;
        }
        self.peers.retain(|_, pause| pause.holds || pause.until + LONGEST_PAUSE > now);
    }

    /// A moderator wants the peer back.
    pub(crate) fn lift(&mut self, peer: &PeerId) {
        self.peers.remove(peer);
    }

    /// When the next pause ends.
    pub(crate) fn next_end(&self) -> Option<Micros> {
        self.peers.values().filter(|pause| pause.holds).map(|pause| pause.until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::Pauses;
    use crate::{
        Micros,
        bounds::{FIRST_PAUSE, LONGEST_PAUSE, MAX_PAUSES},
    };
    use peerwright_secure::PeerId;

    fn peer(number: usize) -> PeerId {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        PeerId::from_bytes(bytes)
    }

    #[test]
    fn each_pause_is_twice_as_long_until_the_longest() {
        let (mut pauses, mut now) = (Pauses::default(), Micros(1_000_000));
        let mut expected = FIRST_PAUSE;
        for _ in 0..12 {
            pauses.begin(now, peer(1));
            assert_eq!(pauses.next_end(), Some(now + expected));
            now = now + expected;
            pauses.end(now);
            assert!(!pauses.holds(&peer(1)) && pauses.next_end().is_none());
            expected = (expected * 2).min(LONGEST_PAUSE);
        }
    }

    #[test]
    fn who_behaves_for_long_begins_anew() {
        let (mut pauses, now) = (Pauses::default(), Micros(1_000_000));
        pauses.begin(now, peer(1));
        pauses.begin(now, peer(1));
        let later = now + FIRST_PAUSE * 2 + LONGEST_PAUSE;
        pauses.end(later);
        pauses.begin(later, peer(1));
        assert_eq!(pauses.next_end(), Some(later + FIRST_PAUSE));
        assert!(pauses.remembers(&peer(1)) && !pauses.remembers(&peer(2)));
    }

    #[test]
    fn of_too_many_the_first_to_come_back_comes_back() {
        let mut pauses = Pauses::default();
        for number in 0..=MAX_PAUSES {
            pauses.begin(Micros(1_000_000 + number as u64), peer(number));
        }
        let held = (0..=MAX_PAUSES).filter(|number| pauses.holds(&peer(*number)));
        assert_eq!(held.collect::<Vec<_>>(), (1..=MAX_PAUSES).collect::<Vec<_>>());
    }
}
