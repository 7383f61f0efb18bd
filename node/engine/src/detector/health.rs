//! How far this node trusts its own clockwork: the local health multiplier of Lifeguard.

use crate::Micros;
use std::time::Duration;

/// Times are multiplied by at most one more than this.
const WORST: u8 = 4;
/// A mark against this node itself counts for so long.
const RECOVERY: Duration = Duration::from_secs(4);

/// Marks against this node itself.
#[derive(Debug, Default)]
pub(crate) struct LocalHealth {
    marks: u8,
    /// When the last mark was made or worn off.
    since: Micros,
}

impl LocalHealth {
    /// This node was slow, or may have been.
    pub(crate) fn worse(&mut self, now: Micros, by: u8) {
        self.recover(now);
        if self.marks == 0 {
            self.since = now;
        }
        self.marks = self.marks.saturating_add(by).min(WORST);
    }

    /// What this node's times are multiplied by.
    pub(crate) fn multiplier(&mut self, now: Micros) -> u32 {
        self.recover(now);
        u32::from(self.marks) + 1
    }

    fn recover(&mut self, now: Micros) {
        while self.marks > 0 && now.since(self.since) >= RECOVERY {
            self.marks -= 1;
            self.since = self.since + RECOVERY;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LocalHealth, RECOVERY, WORST};
    use crate::Micros;

    #[test]
    fn marks_wear_off_one_by_one_and_are_bounded() {
        let mut health = LocalHealth::default();
        let start = Micros(1_000_000);
        assert_eq!(health.multiplier(start), 1);
        health.worse(start, 2);
        assert_eq!(health.multiplier(start), 3);
        assert_eq!(health.multiplier(start + RECOVERY), 2);
        assert_eq!(health.multiplier(start + RECOVERY * 2), 1);
        health.worse(start + RECOVERY * 100, 200);
        assert_eq!(health.multiplier(start + RECOVERY * 100), u32::from(WORST) + 1);
    }
}
