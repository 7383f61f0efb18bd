//! The lowest sequence that this node still stands for: what it published within the last minute.

use crate::{Micros, bounds::FLOOR_DISTANCE};
use std::{collections::VecDeque, time::Duration};

/// How finely the minute is divided; there are as many marks as fit into it.
const MARK_DISTANCE: Duration = Duration::from_secs(1);

/// Remembers about when which sequences were given.
#[derive(Debug, Default)]
pub(crate) struct Floor {
    /// Since when which sequence was the next.
    marks: VecDeque<(Micros, u64)>,
}

impl Floor {
    /// The floor to sign with the message `sequence`, made at `now`.
    pub(crate) fn at(&mut self, now: Micros, sequence: u64) -> u64 {
        if self.marks.back().is_none_or(|(at, _)| now.since(*at) >= MARK_DISTANCE) {
            self.marks.push_back((now, sequence));
        }
        while self.marks.front().is_some_and(|(at, _)| now.since(*at) > FLOOR_DISTANCE) {
            self.marks.pop_front();
        }
        self.marks.front().map_or(sequence, |(_, first)| *first)
    }
}
