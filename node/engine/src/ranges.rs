//! Sets of numbers as ranges: exact, and as small as they have holes.

/// A set of `u64`, kept as inclusive ranges, ascending and apart from each other by at least one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Ranges {
    list: Vec<(u64, u64)>,
}

impl Ranges {
    /// The set of the numbers from `from` to `to`, both included; empty when `from` is above `to`.
    pub(crate) fn of(from: u64, to: u64) -> Self {
        Self { list: if from <= to { vec![(from, to)] } else { Vec::new() } }
    }

    /// The union of ranges in any order, overlapping or not. Ranges that end before they begin are left out.
    pub(crate) fn from_unordered(ranges: &[(u64, u64)]) -> Self {
        let mut set = Self::default();
        for (from, to) in ranges {
            set.insert_range(*from, *to);
        }
        set
    }

    pub(crate) fn as_slice(&self) -> &[(u64, u64)] {
        &self.list
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many numbers are in the set.
    pub(crate) fn count(&self) -> u64 {
        self.list.iter().fold(0, |sum: u64, (from, to)| sum.saturating_add((to - from).saturating_add(1)))
    }

    pub(crate) fn contains(&self, number: u64) -> bool {
        self.list.get(self.ending_from(number)).is_some_and(|(from, _)| *from <= number)
    }

    /// How many ranges there would be with `number` in the set.
    pub(crate) fn length_with(&self, number: u64) -> usize {
        if self.contains(number) {
            return self.list.len();
        }
        let next = self.ending_from(number);
        let touches_next = self.list.get(next).is_some_and(|(from, _)| from.checked_sub(1) == Some(number));
        let before = next.checked_sub(1).and_then(|index| self.list.get(index));
        let touches_before = before.is_some_and(|(_, to)| to.checked_add(1) == Some(number));
        self.list.len() + 1 - usize::from(touches_next) - usize::from(touches_before)
    }

    pub(crate) fn insert(&mut self, number: u64) {
        self.insert_range(number, number);
    }

    pub(crate) fn insert_range(&mut self, from: u64, to: u64) {
        if from > to {
            return;
        }
        // Everything that overlaps or touches becomes one range.
        let first = self.ending_from(from.saturating_sub(1));
        let behind = self.list.partition_point(|(start, _)| *start <= to.saturating_add(1));
        let merged = self.list.get(first..behind).unwrap_or_default();
        let from = merged.first().map_or(from, |(start, _)| from.min(*start));
        let to = merged.last().map_or(to, |(_, end)| to.max(*end));
        self.list.splice(first..behind.max(first), [(from, to)]);
    }

    pub(crate) fn remove(&mut self, number: u64) {
        self.remove_range(number, number);
    }

    pub(crate) fn remove_range(&mut self, from: u64, to: u64) {
        if from > to {
            return;
        }
        let first = self.ending_from(from);
        let behind = self.list.partition_point(|(start, _)| *start <= to);
        let cut = self.list.get(first..behind).unwrap_or_default();
        let left = cut.first().filter(|(start, _)| *start < from).map(|(start, _)| (*start, from - 1));
        let right = cut.last().filter(|(_, end)| *end > to).map(|(_, end)| (to + 1, *end));
        self.list.splice(first..behind.max(first), left.into_iter().chain(right));
    }

    /// Removes all of `other` from the set.
    pub(crate) fn subtract(&mut self, other: &Self) {
        for (from, to) in &other.list {
            self.remove_range(*from, *to);
        }
    }

    /// Keeps the first `limit` ranges; says whether that was all.
    pub(crate) fn truncate(&mut self, limit: usize) -> bool {
        let fits = self.list.len() <= limit;
        self.list.truncate(limit);
        fits
    }

    /// Index of the first range that ends at or behind `number`.
    fn ending_from(&self, number: u64) -> usize {
        self.list.partition_point(|(_, to)| *to < number)
    }
}

#[cfg(test)]
mod tests {
    use super::Ranges;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[derive(Debug, Clone)]
    enum Step {
        Insert(u64, u64),
        Remove(u64, u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = (any::<bool>(), 0..60u64, 0..8u64).prop_map(|(insert, from, length)| {
            if insert { Step::Insert(from, from + length) } else { Step::Remove(from, from + length) }
        });
        prop::collection::vec(step, 0..60)
    }

    proptest! {
        #[test]
        fn ranges_are_the_set_that_a_tree_would_be(steps in steps(), probe in 0..80u64) {
            let (mut ranges, mut model) = (Ranges::default(), BTreeSet::new());
            for step in steps {
                match step {
                    Step::Insert(from, to) => {
                        ranges.insert_range(from, to);
                        model.extend(from..=to);
                    }
                    Step::Remove(from, to) => {
                        ranges.remove_range(from, to);
                        model.retain(|number| !(from..=to).contains(number));
                    }
                }
                prop_assert!(ranges.as_slice().windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
                prop_assert!(ranges.as_slice().iter().all(|(from, to)| from <= to));
            }
            let listed: BTreeSet<u64> = ranges.as_slice().iter().flat_map(|(from, to)| *from..=*to).collect();
            prop_assert_eq!(&listed, &model);
            prop_assert_eq!(ranges.count(), model.len() as u64);
            prop_assert_eq!(ranges.contains(probe), model.contains(&probe));
            let foreseen = ranges.length_with(probe);
            ranges.insert(probe);
            prop_assert_eq!(ranges.as_slice().len(), foreseen);
        }

        #[test]
        fn the_ends_of_the_numbers_are_no_special_case(from: u64, to: u64, number: u64) {
            let mut ranges = Ranges::of(0, u64::MAX);
            prop_assert_eq!(ranges.length_with(number), 1);
            ranges.remove_range(from, to);
            ranges.insert_range(from, to);
            prop_assert_eq!(ranges.as_slice(), &[(0, u64::MAX)]);
            ranges.remove(number);
            prop_assert!(!ranges.contains(number));
            ranges.subtract(&Ranges::from_unordered(&[(5, 1), (number, u64::MAX), (0, number)]));
            prop_assert!(ranges.is_empty());
        }
    }

    #[test]
    fn truncating_keeps_the_first_ranges() {
        let mut ranges = Ranges::from_unordered(&[(9, 9), (1, 2), (5, 6)]);
        assert!(ranges.truncate(3));
        assert!(!ranges.truncate(2));
        assert_eq!(ranges.as_slice(), &[(1, 2), (5, 6)]);
    }
}
