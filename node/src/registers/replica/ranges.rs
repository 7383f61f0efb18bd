//! Which range is asked of whom: the lowest that nobody was asked for, or else one that another source is slow with.
//!
//! ```text
//! sources        1          2          1, slow        nobody yet
//! ranges     [ 0..40 ]  [ 40..52 ]  [ 52..90 ]  [ 90..94 ]  [ 94..130 ]
//!                                       ▲ after a while also asked of 2, when there is nothing else: who answers first
//!                                         is taken, the other answer is dropped by its number
//! ```

use std::{collections::BTreeMap, ops::Range, time::Duration};

/// A range that is asked for so long may be asked of another source too.
pub(super) const SLOW_AFTER: Duration = Duration::from_secs(1);
/// Sources that are asked for one range at once, at most.
const ASKED_OF: usize = 2;

/// Ranges that are to come, by their first numbers.
#[derive(Debug)]
pub(super) struct Plan<T> {
    rows: BTreeMap<u64, Row<T>>,
}

#[derive(Debug)]
struct Row<T> {
    end: u64,
    what: T,
    /// By which sources, since when.
    asked: Vec<(usize, Duration)>,
}

impl<T: Clone> Plan<T> {
    pub(super) const fn new() -> Self {
        Self { rows: BTreeMap::new() }
    }

    /// A further range to fetch.
    pub(super) fn add(&mut self, range: Range<u64>, what: T) {
        self.rows.insert(range.start, Row { end: range.end, what, asked: Vec::new() });
    }

    /// What is to be asked next of a source that holds these dockets; nothing when it cannot help.
    pub(super) fn next(&mut self, source: usize, holds: &Range<u64>, now: Duration) -> Option<T> {
        let can = |first: u64, row: &Row<T>| holds.start <= first && row.end <= holds.end;
        let is_open = |row: &Row<T>| row.asked.is_empty();
        let is_slow = |row: &Row<T>| {
            row.asked.len() < ASKED_OF
                && row.asked.iter().all(|(asked, since)| *asked != source && now.saturating_sub(*since) >= SLOW_AFTER)
        };
        let find = |wanted: &dyn Fn(&Row<T>) -> bool| {
            let mut rows = self.rows.iter().filter(|(first, row)| can(**first, row) && wanted(row));
            rows.next().map(|(first, _)| *first)
        };
        let first = find(&is_open).or_else(|| find(&is_slow))?;
        let row = self.rows.get_mut(&first)?;
        row.asked.push((source, now));
        Some(row.what.clone())
    }

    /// The range came, and holds; whether it was still wanted.
    pub(super) fn arrived(&mut self, first: u64) -> bool {
        self.rows.remove(&first).is_some()
    }

    /// The source gives nothing more: what it was asked for is asked of others.
    pub(super) fn left(&mut self, source: usize) {
        for row in self.rows.values_mut() {
            row.asked.retain(|(asked, _)| *asked != source);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{Plan, SLOW_AFTER};
    use proptest::prelude::*;
    use std::{
        collections::{BTreeMap, BTreeSet},
        time::Duration,
    };

    const NOW: Duration = Duration::ZERO;

    fn plan(ranges: u64) -> Plan<u64> {
        let mut plan = Plan::new();
        (0..ranges).for_each(|range| plan.add(range * 10..range * 10 + 10, range * 10));
        plan
    }

    #[test]
    fn each_source_is_asked_for_another_range() {
        let mut plan = plan(2);
        assert_eq!(plan.next(0, &(0..20), NOW), Some(0));
        assert_eq!(plan.next(1, &(0..20), NOW), Some(10));
        assert_eq!(plan.next(2, &(0..20), NOW), None);
    }

    #[test]
    fn a_source_is_asked_for_what_it_holds_whole_only() {
        let mut plan = plan(3);
        assert_eq!(plan.next(0, &(5..29), NOW), Some(10));
        assert_eq!(plan.next(0, &(5..29), NOW), None);
    }

    #[test]
    fn the_range_of_a_slow_source_is_asked_of_another_once_nothing_else_is_open() {
        let mut plan = plan(2);
        assert_eq!(plan.next(0, &(0..20), NOW), Some(0));
        assert_eq!(plan.next(1, &(0..20), SLOW_AFTER), Some(10));
        assert_eq!(plan.next(1, &(0..20), SLOW_AFTER), Some(0));
        assert_eq!(plan.next(2, &(0..20), SLOW_AFTER * 3), Some(10), "two are asked for the first range already");
        assert_eq!((plan.arrived(0), plan.arrived(0)), (true, false));
    }

    #[test]
    fn what_a_source_leaves_behind_is_asked_of_another_at_once() {
        let mut plan = plan(1);
        assert_eq!(plan.next(0, &(0..10), NOW), Some(0));
        plan.left(0);
        assert_eq!(plan.next(1, &(0..10), NOW), Some(0));
    }

    proptest! {
        /// Sources that answer at their own pace, or never, or leave: all ranges come, each once, as long as one lasts.
        #[test]
        fn every_range_comes_exactly_once_while_one_source_lasts(
            ranges in 1u64..40,
            paces in prop::collection::vec(prop::option::of(1u64..30), 1..5),
            leaves in prop::collection::vec(0u64..200, 4),
        ) {
            let mut plan = plan(ranges);
            let mut under_way: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
            let mut came = BTreeSet::new();
            // The last source answers and stays.
            let steadfast = paces.len();
            let mut gone = BTreeSet::new();
            for tick in 0..ranges * 100 + 1_000 {
                let now = Duration::from_millis(100 * tick);
                for source in 0..=steadfast {
                    if source != steadfast && leaves.get(source).is_some_and(|leave| *leave == tick) {
                        gone.insert(source);
                        under_way.remove(&source);
                        plan.left(source);
                    }
                    if gone.contains(&source) {
                        continue;
                    }
                    let pace = paces.get(source).copied().unwrap_or(Some(3));
                    match under_way.get(&source) {
                        Some((range, since)) if pace.is_some_and(|pace| tick >= since + pace) => {
                            if plan.arrived(*range) {
                                prop_assert!(came.insert(*range), "no range is taken twice");
                            }
                            under_way.remove(&source);
                        }
                        Some(_) => {}
                        None => {
                            if let Some(range) = plan.next(source, &(0..ranges * 10), now) {
                                prop_assert!(!came.contains(&range), "what came is not asked for again");
                                under_way.insert(source, (range, tick));
                            }
                        }
                    }
                }
                if plan.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(came.len() as u64, ranges);
        }
    }
}
