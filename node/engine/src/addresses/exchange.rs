//! Who is asked for addresses, and who has been given some.
//!
//! Only answers to open questions are read, and a link may name only so many addresses, so nobody can flood; and nobody is
//! answered more often than every few seconds on one link, so asking costs nobody much.

use crate::{
    LinkId, Micros,
    bounds::{EXCHANGE_PAUSE, NAMED_BURST, NAMED_EVERY},
};
use std::collections::BTreeMap;

/// The exchange on one link.
#[derive(Debug, Default, Clone, Copy)]
struct Talk {
    /// This node has asked and waits for the answer.
    awaits: bool,
    /// When the peer was last given addresses.
    answered: Option<Micros>,
    /// When the peer's allowance of addresses will be full again.
    spent_until: Micros,
}

/// The exchange on all links; a link on which nothing was exchanged has no entry.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    talks: BTreeMap<LinkId, Talk>,
}

impl Exchange {
    /// This node asks. Says whether no earlier question is open.
    pub(crate) fn ask(&mut self, link: LinkId) -> bool {
        !std::mem::replace(&mut self.talks.entry(link).or_default().awaits, true)
    }

    /// An answer came. Says whether it was asked for.
    pub(crate) fn answered(&mut self, link: LinkId) -> bool {
        self.talks.get_mut(&link).is_some_and(|talk| std::mem::take(&mut talk.awaits))
    }

    /// The peer asks. Says whether it is to be answered.
    pub(crate) fn may_answer(&mut self, now: Micros, link: LinkId) -> bool {
        let talk = self.talks.entry(link).or_default();
        let is_early = talk.answered.is_some_and(|at| now.since(at) < EXCHANGE_PAUSE);
        if !is_early {
            talk.answered = Some(now);
        }
        !is_early
    }

    /// The peer names an address. Says whether its allowance holds one more (the virtual scheduling form of the leaky
    /// bucket, ITU-T I.371).
    pub(crate) fn may_name(&mut self, now: Micros, link: LinkId) -> bool {
        let talk = self.talks.entry(link).or_default();
        let spent_until = talk.spent_until.max(now) + NAMED_EVERY;
        let is_within = spent_until <= now + NAMED_EVERY * NAMED_BURST;
        if is_within {
            talk.spent_until = spent_until;
        }
        is_within
    }

    pub(crate) fn link_ended(&mut self, link: LinkId) {
        self.talks.remove(&link);
    }
}

#[cfg(test)]
mod tests {
    use super::Exchange;
    use crate::{
        LinkId, Micros,
        bounds::{EXCHANGE_PAUSE, NAMED_BURST, NAMED_EVERY},
    };

    const LINK: LinkId = LinkId(1);

    #[test]
    fn one_question_takes_one_answer() {
        let mut exchange = Exchange::default();
        assert!(!exchange.answered(LINK), "nobody asked");
        assert!(exchange.ask(LINK) && !exchange.ask(LINK));
        assert!(exchange.answered(LINK) && !exchange.answered(LINK));
        exchange.ask(LINK);
        exchange.link_ended(LINK);
        assert!(!exchange.answered(LINK));
    }

    #[test]
    fn a_link_names_a_burst_of_addresses_and_then_one_at_a_time() {
        let mut exchange = Exchange::default();
        let start = Micros(1_000_000_000);
        assert!((0..NAMED_BURST).all(|_| exchange.may_name(start, LINK)));
        assert!(!exchange.may_name(start, LINK));
        assert!(exchange.may_name(start, LinkId(2)), "another link has its own allowance");
        let later = start + NAMED_EVERY * 3;
        assert_eq!((0..10).filter(|_| exchange.may_name(later, LINK)).count(), 3);
    }

    #[test]
    fn who_asks_too_often_is_not_answered() {
        let mut exchange = Exchange::default();
        let start = Micros(1_000_000_000);
        assert!(exchange.may_answer(start, LINK));
        assert!(!exchange.may_answer(start + EXCHANGE_PAUSE / 2, LINK));
        assert!(exchange.may_answer(start + EXCHANGE_PAUSE, LINK));
    }
}
