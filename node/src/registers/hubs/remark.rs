//! What a hub adds to its answer to a keepalive, as metadata, and what it advises a node by that.
//!
//! ```text
//! peerwright-registers: 7     so many it holds: another number than before  ─▶ Sync: who waits for one asks again at once
//! peerwright-advice: reduce   more keepalives than it is meant to answer    ─▶ Reduce: it is asked half as often
//! ```
//!
//! That it is to be left a hub says in the answer itself: `NOT_SERVING`.

use std::time::Duration;
use tonic::metadata::{MetadataMap, MetadataValue};

const REGISTERS: &str = "peerwright-registers";
const ADVICE: &str = "peerwright-advice";
const REDUCE: &str = "reduce";

/// Between two keepalives to a hub that has too many of them, in keepalives.
const REDUCED: u32 = 2;

/// What a hub has added to its answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Remark {
    /// How many registers it holds, if it says so.
    pub(crate) registers: Option<u64>,
    /// It has more keepalives to answer than it is meant to.
    pub(crate) is_busy: bool,
}

/// What a hub advises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Advice {
    /// To look again for what it did not hold.
    Sync,
    /// To ask it less often.
    Reduce,
}

impl Advice {
    /// As a metric label.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Reduce => "reduce",
        }
    }
}

impl Remark {
    /// Adds it to an answer.
    pub(crate) fn write(self, metadata: &mut MetadataMap) {
        if let Some(registers) = self.registers {
            metadata.insert(REGISTERS, registers.into());
        }
        if self.is_busy {
            metadata.insert(ADVICE, MetadataValue::from_static(REDUCE));
        }
    }

    /// Reads it from an answer. What a later version adds is passed over.
    pub(super) fn read(metadata: &MetadataMap) -> Self {
        let text = |key: &'static str| metadata.get(key).and_then(|value| value.to_str().ok());
        let registers = text(REGISTERS).and_then(|count| count.parse().ok());
        Self { registers, is_busy: text(ADVICE) == Some(REDUCE) }
    }

    /// What the hub advises whoever knew of it what `before` says.
    pub(super) fn advice(self, before: Self) -> impl Iterator<Item = Advice> {
        let sync = before.registers.is_some() && self.registers != before.registers;
        let reduce = self.is_busy.then_some(Advice::Reduce);
        sync.then_some(Advice::Sync).into_iter().chain(reduce)
    }

    /// From one keepalive to the next, where `keepalive` is set.
    pub(super) fn pace(self, keepalive: Duration) -> Duration {
        if self.is_busy { keepalive * REDUCED } else { keepalive }
    }
}

#[cfg(test)]
mod tests {
    use super::{Advice, Remark};
    use std::time::Duration;
    use tonic::metadata::MetadataMap;

    fn remark(registers: u64, is_busy: bool) -> Remark {
        Remark { registers: Some(registers), is_busy }
    }

    fn advice(now: Remark, before: Remark) -> Vec<Advice> {
        now.advice(before).collect()
    }

    #[test]
    fn what_a_hub_adds_is_read_as_it_was_written_and_what_is_unknown_is_passed_over() {
        for written in [Remark::default(), remark(0, false), remark(u64::MAX, true)] {
            let mut metadata = MetadataMap::new();
            written.write(&mut metadata);
            assert_eq!(Remark::read(&metadata), written);
        }
        let mut odd = MetadataMap::new();
        odd.insert("peerwright-registers", "many".parse().expect("ASCII"));
        odd.insert("peerwright-advice", "dance".parse().expect("ASCII"));
        assert_eq!(Remark::read(&odd), Remark::default());
    }

    #[test]
    fn another_number_of_registers_is_advice_to_sync_and_the_first_one_is_none() {
        assert_eq!(advice(remark(3, false), Remark::default()), []);
        assert_eq!(advice(remark(3, false), remark(3, false)), []);
        assert_eq!(advice(remark(4, false), remark(3, false)), [Advice::Sync]);
        assert_eq!(advice(remark(2, true), remark(3, true)), [Advice::Sync, Advice::Reduce]);
    }

    #[test]
    fn a_busy_hub_is_asked_half_as_often_until_it_is_not() {
        let second = Duration::from_secs(1);
        assert_eq!((remark(1, true).pace(second), remark(1, false).pace(second)), (second * 2, second));
    }
}
