//! Who is asked for addresses, and who has been given some.
//!
//! Only answers to open questions are read, so nobody can push addresses; and nobody is answered more often than every
//! few seconds on one link, so asking costs nobody much.

use crate::{LinkId, Micros, bounds::EXCHANGE_PAUSE};
use std::collections::BTreeMap;

/// The exchange on one link.
#[derive(Debug, Default, Clone, Copy)]
struct Talk {
    /// This node has asked and waits for the answer.
    awaits: bool,
    /// When the peer was last given addresses.
    answered: Option<Micros>,
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

    pub(crate) fn link_ended(&mut self, link: LinkId) {
        self.talks.remove(&link);
    }
}

#[cfg(test)]
mod tests {
    use super::Exchange;
    use crate::{LinkId, Micros, bounds::EXCHANGE_PAUSE};

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
    fn who_asks_too_often_is_not_answered() {
        let mut exchange = Exchange::default();
        let start = Micros(1_000_000_000);
        assert!(exchange.may_answer(start, LINK));
        assert!(!exchange.may_answer(start + EXCHANGE_PAUSE / 2, LINK));
        assert!(exchange.may_answer(start + EXCHANGE_PAUSE, LINK));
    }
}
