//! Records that neighbours have offered and that this node has asked for.
//!
//! ```text
//!   offered, not known ──▶ asked of the first who offers it ──▶ comes: verified, offered on to who has not offered it
//!                                     └── not in time, or the link ends: left to a comparison with another neighbour
//! ```

use crate::{
    LinkId, Micros,
    bounds::{MAX_FRAME_ITEMS, MAX_VERIFYING_STATEMENTS, STRIKE_PAUSE, WANT_PATIENCE},
};
use std::collections::BTreeMap;

/// A record that was asked for.
#[derive(Debug, Clone, Copy)]
struct Want {
    ask: u64,
    /// One bit a link that has offered it.
    offered_by: u64,
}

/// Records that were asked of a link at one time.
#[derive(Debug, Clone, Copy)]
struct Ask {
    link: LinkId,
    until: Micros,
    /// How many of them have not come.
    missing: usize,
    /// Some of them have.
    was_answered: bool,
}

/// Records that were asked for, by their fingerprints.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    records: BTreeMap<u64, Want>,
    asks: BTreeMap<u64, Ask>,
    last_ask: u64,
    /// Links that have given nothing of what they had offered, and until when they are not asked again.
    unasked: BTreeMap<LinkId, Micros>,
}

impl Wanted {
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether a record was asked for. If so, it is noted who else has it.
    pub(crate) fn is_asked(&mut self, fingerprint: u64, has: u64) -> bool {
        let want = self.records.get_mut(&fingerprint);
        want.map(|want| want.offered_by |= has).is_some()
    }

    /// How many records a link may be asked for now.
    pub(crate) fn room(&self, now: Micros, link: LinkId) -> usize {
        if self.unasked.get(&link).is_some_and(|until| *until > now) {
            return 0;
        }
        let of_link: usize = self.asks.values().filter(|ask| ask.link == link).map(|ask| ask.missing).sum();
        let of_all = MAX_VERIFYING_STATEMENTS.saturating_sub(self.records.len());
        MAX_FRAME_ITEMS.saturating_sub(of_link).min(of_all)
    }

    /// These are asked of a link, which has offered them: none was asked for before.
    pub(crate) fn ask(&mut self, now: Micros, link: LinkId, fingerprints: &[u64], has: u64) {
        self.last_ask += 1;
        let (ask, before) = (self.last_ask, self.records.len());
        self.records.extend(fingerprints.iter().map(|fingerprint| (*fingerprint, Want { ask, offered_by: has })));
        let missing = self.records.len() - before;
        self.asks.insert(ask, Ask { link, until: now + WANT_PATIENCE, missing, was_answered: false });
    }

    /// A record has come, from whomever. Gives one bit for each link that has offered it.
    pub(crate) fn came(&mut self, fingerprint: u64) -> u64 {
        let Some(want) = self.records.remove(&fingerprint) else { return 0 };
        if let Some(ask) = self.asks.get_mut(&want.ask) {
            (ask.missing, ask.was_answered) = (ask.missing - 1, true);
            if ask.missing == 0 {
                self.asks.remove(&want.ask);
            }
        }
        want.offered_by
    }

    /// When the next of what was asked for is not waited for any longer.
    pub(crate) fn next_overdue(&self) -> Option<Micros> {
        self.asks.values().map(|ask| ask.until).min()
    }

    /// Waits no longer for what has not come in time. Says whether there was any.
    pub(crate) fn give_up(&mut self, now: Micros) -> bool {
        self.unasked.retain(|_, until| *until > now);
        let overdue: Vec<(u64, Ask)> = self.asks.extract_if(.., |_, ask| ask.until <= now).collect();
        for (_, ask) in overdue.iter().filter(|(_, ask)| !ask.was_answered) {
            self.unasked.insert(ask.link, now + STRIKE_PAUSE);
        }
        self.forget(&overdue);
        !overdue.is_empty()
    }

    /// The link, which has the bits of `has`, has ended. Says whether something was asked of it.
    pub(crate) fn link_down(&mut self, link: LinkId, has: u64) -> bool {
        self.unasked.remove(&link);
        let ended: Vec<(u64, Ask)> = self.asks.extract_if(.., |_, ask| ask.link == link).collect();
        self.forget(&ended);
        self.records.values_mut().for_each(|want| want.offered_by &= !has);
        !ended.is_empty()
    }

    fn forget(&mut self, asks: &[(u64, Ask)]) {
        if !asks.is_empty() {
            self.records.retain(|_, want| asks.iter().all(|(ask, _)| *ask != want.ask));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Wanted;
    use crate::{
        LinkId, Micros,
        bounds::{MAX_FRAME_ITEMS, STRIKE_PAUSE, WANT_PATIENCE},
    };

    const ONE: LinkId = LinkId(1);
    const OTHER: LinkId = LinkId(2);

    #[test]
    fn what_was_asked_for_is_asked_once_and_who_else_offers_it_is_noted() {
        let mut wanted = Wanted::default();
        assert!(!wanted.is_asked(7, 1));
        wanted.ask(Micros(0), ONE, &[7, 8], 1);
        assert!(wanted.is_asked(7, 2));
        assert_eq!(wanted.came(7), 3);
        assert_eq!(wanted.came(7), 0, "it was waited for once");
        assert_eq!(wanted.came(8), 1);
        assert!(wanted.is_empty() && wanted.next_overdue().is_none());
    }

    #[test]
    fn who_gives_nothing_in_time_is_not_asked_for_a_while() {
        let mut wanted = Wanted::default();
        let late = Micros(0) + WANT_PATIENCE;
        wanted.ask(Micros(0), ONE, &[1, 2], 0);
        wanted.ask(Micros(0), OTHER, &[3, 4], 0);
        wanted.came(3);
        assert_eq!(wanted.next_overdue(), Some(late));
        assert!(!wanted.give_up(Micros(1)));
        assert!(wanted.give_up(late) && wanted.is_empty());
        assert_eq!(wanted.room(late, ONE), 0);
        assert_eq!(wanted.room(late, OTHER), MAX_FRAME_ITEMS, "it has given some");
        assert_eq!(wanted.room(late + STRIKE_PAUSE, ONE), MAX_FRAME_ITEMS);
    }

    #[test]
    fn nothing_is_waited_for_from_a_link_that_has_ended() {
        let mut wanted = Wanted::default();
        wanted.ask(Micros(0), ONE, &[1], 1);
        wanted.ask(Micros(0), OTHER, &[2], 2);
        assert!(wanted.is_asked(2, 1));
        assert!(wanted.link_down(ONE, 1));
        assert!(!wanted.is_asked(1, 0));
        assert_eq!(wanted.came(2), 2, "who has the bit next has not offered it");
        assert!(!wanted.link_down(ONE, 1));
    }

    #[test]
    fn a_link_is_asked_for_a_frame_of_records_at_a_time() {
        let mut wanted = Wanted::default();
        let most: Vec<u64> = (0..MAX_FRAME_ITEMS as u64).collect();
        wanted.ask(Micros(0), ONE, &most, 0);
        assert_eq!(wanted.room(Micros(0), ONE), 0);
        wanted.came(0);
        assert_eq!(wanted.room(Micros(0), ONE), 1);
    }
}
