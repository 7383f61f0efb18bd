//! Who is accused, by whom, since when, and what is to happen next.
//!
//! A case is open while its member is accused, unreachable, or gone and still remembered. Members are named by their
//! number in the table; what is due at one time is given in the order of the numbers, and the caller orders it anew.

use crate::{Micros, bounds::MAX_ACCUSERS};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// How far a case has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Accused,
    Unreachable,
    /// Dead or left.
    Gone,
}

/// An open case.
#[derive(Debug)]
pub(crate) struct Case {
    pub stage: Stage,
    /// Since when it is open.
    pub since: Micros,
    due: Micros,
    /// Beginnings of the accusers' keys; unused places are behind `accuser_count`.
    accusers: [u64; MAX_ACCUSERS],
    accuser_count: u8,
    /// The first accusation; `None` for who left.
    pub evidence: Option<Arc<[u8]>>,
}

impl Case {
    pub(crate) fn accusers(&self) -> &[u64] {
        self.accusers.get(..usize::from(self.accuser_count)).unwrap_or_default()
    }
}

/// What an accusation is to an open case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It opens the case, or adds an accuser: others are to hear of it.
    News,
    /// The accuser is known.
    Known,
    /// There are accusers enough, or the verdict is spoken.
    Enough,
}

/// All open cases.
#[derive(Debug, Default)]
pub(crate) struct Cases {
    by_member: BTreeMap<u32, Case>,
    queue: BTreeSet<(Micros, u32)>,
}

impl Cases {
    pub(crate) fn get(&self, member: u32) -> Option<&Case> {
        self.by_member.get(&member)
    }

    /// What a further accusation would be.
    pub(crate) fn hear(&self, member: u32, accuser: u64) -> Heard {
        match self.by_member.get(&member) {
            None => Heard::News,
            Some(case) if case.accusers().contains(&accuser) => Heard::Known,
            Some(case) if case.stage == Stage::Accused && case.accusers().len() < MAX_ACCUSERS => Heard::News,
            Some(_) => Heard::Enough,
        }
    }

    /// Takes an accusation that is news. It stands for `standing`, and half as long once there are three.
    pub(crate) fn accuse(
        &mut self,
        now: Micros,
        member: u32,
        accuser: u64,
        standing: Duration,
        evidence: impl FnOnce() -> Arc<[u8]>,
    ) {
        let case = self.by_member.entry(member).or_insert_with(|| Case {
            stage: Stage::Accused,
            since: now,
            due: Micros(u64::MAX),
            accusers: [0; MAX_ACCUSERS],
            accuser_count: 0,
            evidence: Some(evidence()),
        });
        if let Some(place) = case.accusers.get_mut(usize::from(case.accuser_count)) {
            *place = accuser;
            case.accuser_count += 1;
        }
        let is_enough = usize::from(case.accuser_count) == MAX_ACCUSERS;
        let due = case.due.min(if is_enough { now + standing / 2 } else { now + standing });
        self.schedule(member, due);
    }

    /// A member has left.
    pub(crate) fn left(&mut self, now: Micros, member: u32, until: Micros) {
        self.close(member);
        let case = Case {
            stage: Stage::Gone,
            since: now,
            due: until,
            accusers: [0; MAX_ACCUSERS],
            accuser_count: 0,
            evidence: None,
        };
        self.by_member.insert(member, case);
        self.schedule(member, until);
    }

    /// Brings a case further, or puts it off.
    pub(crate) fn advance(&mut self, member: u32, stage: Stage, due: Micros) {
        if let Some(case) = self.by_member.get_mut(&member) {
            case.stage = stage;
            self.schedule(member, due);
        }
    }

    /// Ends a case.
    pub(crate) fn close(&mut self, member: u32) -> Option<Case> {
        let case = self.by_member.remove(&member)?;
        self.queue.remove(&(case.due, member));
        Some(case)
    }

    /// The members whose case is to come further now. Each is then advanced or closed.
    pub(crate) fn take_due(&mut self, now: Micros) -> Vec<u32> {
        let mut due = Vec::new();
        while let Some((at, member)) = self.queue.first().copied().filter(|(at, _)| *at <= now) {
            self.queue.remove(&(at, member));
            due.push(member);
        }
        due
    }

    pub(crate) fn next_due(&self) -> Option<Micros> {
        self.queue.first().map(|(at, _)| *at)
    }

    fn schedule(&mut self, member: u32, due: Micros) {
        if let Some(case) = self.by_member.get_mut(&member) {
            self.queue.remove(&(case.due, member));
            case.due = due;
            self.queue.insert((due, member));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cases, Heard, Stage};
    use crate::Micros;
    use std::{sync::Arc, time::Duration};

    const START: Micros = Micros(1_000_000);
    const STANDING: Duration = Duration::from_secs(1);

    fn accuse(cases: &mut Cases, now: Micros, accuser: u64) {
        cases.accuse(now, 7, accuser, STANDING, || Arc::from([1, 2, 3].as_slice()));
    }

    #[test]
    fn one_accusation_stands_for_the_whole_time() {
        let mut cases = Cases::default();
        accuse(&mut cases, START, 1);
        assert_eq!(cases.next_due(), Some(START + STANDING));
        assert_eq!(cases.hear(7, 1), Heard::Known);
        assert_eq!(cases.take_due(START + STANDING / 2), Vec::<u32>::new());
        assert_eq!(cases.take_due(START + STANDING), [7]);
    }

    #[test]
    fn three_accusers_halve_the_time_and_a_fourth_is_not_heard() {
        let mut cases = Cases::default();
        accuse(&mut cases, START, 1);
        accuse(&mut cases, START + STANDING / 10, 2);
        assert_eq!(cases.next_due(), Some(START + STANDING), "a second accuser does not put the verdict off");
        accuse(&mut cases, START + STANDING / 5, 3);
        assert_eq!(cases.next_due(), Some(START + STANDING / 5 + STANDING / 2));
        assert_eq!(cases.hear(7, 4), Heard::Enough);
    }

    #[test]
    fn after_the_verdict_no_accusation_is_news() {
        let mut cases = Cases::default();
        accuse(&mut cases, START, 1);
        cases.advance(7, Stage::Unreachable, START + STANDING * 10);
        assert_eq!(cases.hear(7, 2), Heard::Enough);
        assert_eq!(cases.next_due(), Some(START + STANDING * 10));
        assert!(cases.close(7).is_some());
        assert_eq!((cases.next_due(), cases.hear(7, 2)), (None, Heard::News));
    }
}
