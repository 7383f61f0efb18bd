//! How hard to look for neighbours.
//!
//! Where there is no room, asking again and again would only push others out who then ask again in their turn. So
//! refusals slow the search down: a little while neighbours lack, a lot while the view is only not quite full.

use crate::{Micros, random::Random};
use std::time::Duration;

/// Refusals in a row after which an urgent question asks others to make room.
const PATIENCE: u32 = 2;
/// The first wait and the longest while neighbours lack.
const URGENT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));
/// The first wait and the longest while the view is only not quite full.
const CALM: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// The state of the search.
#[derive(Debug, Default)]
pub(crate) struct Search {
    /// Refusals since a neighbour was last found or lost.
    refusals: u32,
    not_before: Micros,
}

impl Search {
    /// When the search may go on.
    pub(crate) fn not_before(&self) -> Micros {
        self.not_before
    }

    /// Whether others are to make room.
    pub(crate) fn has_priority(&self, is_urgent: bool) -> bool {
        is_urgent && self.refusals >= PATIENCE
    }

    /// Whether nobody has refused lately.
    pub(crate) fn is_smooth(&self) -> bool {
        self.refusals == 0
    }

    /// Somebody refused.
    pub(crate) fn refused(&mut self, now: Micros, is_urgent: bool, random: &mut Random) {
        self.refusals = self.refusals.saturating_add(1);
        let (first, limit) = if is_urgent { URGENT } else { CALM };
        let factor = 1u32.checked_shl(self.refusals.saturating_sub(1)).unwrap_or(u32::MAX);
        self.not_before = now + random.around(first.saturating_mul(factor).min(limit));
    }

    /// A neighbour was found or lost: what was refused before says nothing any more.
    pub(crate) fn begin_anew(&mut self) {
        *self = Self::default();
    }
}
