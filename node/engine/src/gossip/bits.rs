//! A set of origins: one bit each, as long as its highest member needs.

use super::Slot;

/// A set of slots.
#[derive(Debug, Default)]
pub(crate) struct Bits {
    words: Vec<u64>,
}

impl Bits {
    pub(crate) fn contains(&self, slot: Slot) -> bool {
        let (word, bit) = place(slot);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Adds a member; says whether it is new.
    pub(crate) fn insert(&mut self, slot: Slot) -> bool {
        let (word, bit) = place(slot);
        if self.words.len() <= word {
            self.words.reserve_exact(word + 1 - self.words.len());
            self.words.resize(word + 1, 0);
        }
        let Some(word) = self.words.get_mut(word) else { return false };
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    /// Takes a member out; says whether it was one.
    pub(crate) fn remove(&mut self, slot: Slot) -> bool {
        let (word, bit) = place(slot);
        let Some(word) = self.words.get_mut(word) else { return false };
        let was_member = *word & bit != 0;
        *word &= !bit;
        was_member
    }

    pub(crate) fn count(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }
}

fn place(slot: Slot) -> (usize, u64) {
    (usize::from(slot.0 / 64), 1 << (slot.0 % 64))
}

#[cfg(test)]
mod tests {
    use super::{Bits, Slot};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn bits_are_the_set_that_a_tree_would_be(changes in prop::collection::vec((any::<bool>(), 0..300u16), 0..200)) {
            let (mut bits, mut model) = (Bits::default(), BTreeSet::new());
            for (adds, slot) in changes {
                if adds {
                    prop_assert_eq!(bits.insert(Slot(slot)), model.insert(slot));
                } else {
                    prop_assert_eq!(bits.remove(Slot(slot)), model.remove(&slot));
                }
            }
            prop_assert_eq!(bits.count(), model.len() as u64);
            prop_assert!((0..400).all(|slot| bits.contains(Slot(slot)) == model.contains(&slot)));
        }
    }
}
