//! Short names for origins on one link, so that an announcement needs not repeat a key.
//!
//! ```text
//! sender    slot ─▶ defined with this generation, lately       the name on the wire is the sender's own slot
//! receiver  name ─▶ slot and generation here
//! ```
//!
//! A name counts for as long as it is used: the sender defines it again after a minute without use, and the receiver
//! keeps it for two, so that a name that is said is always known. Both follow the origins that are active on the link.

use super::Slot;
use crate::bounds::{MAX_UNKNOWN_NAMES, NAME_KEPT_SWEEPS, NAME_SAID_SWEEPS};
use peerwright_secure::NodePublicKey;

/// How many entries more a full table makes room for: doubling would waste half of a large one.
const GROWTH: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Said {
    slot: Slot,
    generation: u8,
    /// The sweep in which it was used last.
    used: u8,
}

/// The names that this node has defined.
#[derive(Debug, Default)]
pub(crate) struct SaidNames {
    list: Vec<Said>,
}

impl SaidNames {
    /// Uses the name of an origin; says whether it must be defined before.
    pub(crate) fn say(&mut self, slot: Slot, generation: u8, sweep: u8) -> bool {
        match self.list.binary_search_by_key(&slot, |said| said.slot) {
            Ok(index) => {
                let Some(said) = self.list.get_mut(index) else { return true };
                let is_known = said.generation == generation && sweep.wrapping_sub(said.used) <= NAME_SAID_SWEEPS;
                *said = Said { slot, generation, used: sweep };
                !is_known
            }
            Err(index) => {
                grow(&mut self.list);
                self.list.insert(index, Said { slot, generation, used: sweep });
                true
            }
        }
    }

    pub(crate) fn sweep(&mut self, sweep: u8) {
        self.list.retain(|said| sweep.wrapping_sub(said.used) <= NAME_SAID_SWEEPS);
        shrink(&mut self.list);
    }

    pub(crate) fn forget(&mut self, slot: Slot) {
        self.list.retain(|said| said.slot != slot);
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.list.capacity() * size_of::<Said>()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Heard {
    name: u16,
    slot: Slot,
    generation: u8,
    used: u8,
}

/// What a name means here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// A life of this origin: the one that was the newest when its generation was this.
    Known {
        /// The origin.
        slot: Slot,
        /// Which of its lives.
        generation: u8,
    },
    /// A life of which no message was verified yet.
    Unknown {
        /// The origin.
        origin: NodePublicKey,
        /// The life.
        incarnation: u64,
    },
}

/// The names that the peer has defined.
#[derive(Debug, Default)]
pub(crate) struct HeardNames {
    list: Vec<Heard>,
    /// Names of lives that are not known, a few.
    unknown: Vec<(u16, NodePublicKey, u64)>,
}

impl HeardNames {
    /// The peer defines a name anew. When too many mean nobody known, the oldest of those is forgotten.
    pub(crate) fn define(&mut self, name: u16, meaning: Meaning, sweep: u8) {
        self.unknown.retain(|(unknown, _, _)| *unknown != name);
        let found = self.list.binary_search_by_key(&name, |heard| heard.name);
        match (meaning, found) {
            (Meaning::Known { slot, generation }, found) => {
                let heard = Heard { name, slot, generation, used: sweep };
                match found {
                    Ok(index) => {
                        if let Some(place) = self.list.get_mut(index) {
                            *place = heard;
                        }
                    }
                    Err(index) => {
                        grow(&mut self.list);
                        self.list.insert(index, heard);
                    }
                }
            }
            (Meaning::Unknown { origin, incarnation }, found) => {
                if let Ok(index) = found {
                    self.list.remove(index);
                }
                if self.unknown.len() >= MAX_UNKNOWN_NAMES {
                    self.unknown.remove(0);
                }
                self.unknown.push((name, origin, incarnation));
            }
        }
    }

    /// What the peer means; `None` for a name that it has not defined, or not used for long.
    pub(crate) fn hear(&mut self, name: u16, sweep: u8) -> Option<Meaning> {
        if let Ok(index) = self.list.binary_search_by_key(&name, |heard| heard.name) {
            let heard = self.list.get_mut(index)?;
            heard.used = sweep;
            return Some(Meaning::Known { slot: heard.slot, generation: heard.generation });
        }
        let (_, origin, incarnation) = self.unknown.iter().find(|(unknown, _, _)| *unknown == name)?;
        Some(Meaning::Unknown { origin: *origin, incarnation: *incarnation })
    }

    pub(crate) fn sweep(&mut self, sweep: u8) {
        self.list.retain(|heard| sweep.wrapping_sub(heard.used) <= NAME_KEPT_SWEEPS);
        shrink(&mut self.list);
    }

    pub(crate) fn forget(&mut self, slot: Slot) {
        self.list.retain(|heard| heard.slot != slot);
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.list.capacity() * size_of::<Heard>() + self.unknown.capacity() * size_of::<(u16, NodePublicKey, u64)>()
    }
}

fn grow<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact(GROWTH);
    }
}

fn shrink<T>(list: &mut Vec<T>) {
    if list.capacity() > list.len() + GROWTH {
        list.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Meaning = Meaning::Known { slot: Slot(3), generation: 1 };

    #[test]
    fn a_name_is_defined_on_first_use_for_a_new_life_and_after_a_while_without_use() {
        let mut said = SaidNames::default();
        assert!(said.say(Slot(7), 1, 0));
        assert!(!said.say(Slot(7), 1, NAME_SAID_SWEEPS));
        assert!(said.say(Slot(7), 2, NAME_SAID_SWEEPS), "a newer life");
        assert!(said.say(Slot(7), 2, 2 * NAME_SAID_SWEEPS + 1), "not used for long");
        said.forget(Slot(7));
        assert!(said.say(Slot(7), 2, 2 * NAME_SAID_SWEEPS + 1));
    }

    #[test]
    fn a_name_that_may_be_said_is_known() {
        let (mut said, mut heard) = (SaidNames::default(), HeardNames::default());
        let mut sweep = 250u8;
        for pause in [0, 1, 2, 0, 2, 3, 1, 5, 2] {
            for _ in 0..pause {
                sweep = sweep.wrapping_add(1);
                said.sweep(sweep);
                heard.sweep(sweep);
            }
            if said.say(Slot(1), 1, sweep) {
                heard.define(1, KNOWN, sweep);
            }
            assert_eq!(heard.hear(1, sweep), Some(KNOWN));
        }
    }

    #[test]
    fn names_of_unknown_lives_are_few_and_give_way_to_what_they_turn_out_to_be() {
        let mut heard = HeardNames::default();
        let unknown = |byte| Meaning::Unknown { origin: NodePublicKey::from_bytes([byte; 32]), incarnation: 1 };
        for name in 0..=u8::try_from(MAX_UNKNOWN_NAMES).unwrap() {
            heard.define(name.into(), unknown(name), 0);
        }
        assert_eq!((heard.hear(0, 0), heard.hear(1, 0)), (None, Some(unknown(1))));
        heard.define(1, KNOWN, 0);
        assert_eq!(heard.hear(1, 0), Some(KNOWN));
        heard.define(1, unknown(9), 0);
        assert_eq!(heard.hear(1, 0), Some(unknown(9)));
        assert_eq!(heard.hear(500, 0), None);
    }

    #[test]
    fn a_slot_that_names_somebody_else_now_is_forgotten() {
        let mut heard = HeardNames::default();
        heard.define(1, KNOWN, 0);
        heard.forget(Slot(3));
        assert_eq!(heard.hear(1, 0), None);
    }
}
