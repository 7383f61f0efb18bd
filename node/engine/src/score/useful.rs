//! Messages that a peer was the first to bring. Who brings few is not worse for it, since others may be nearer; who
//! brings as many as expected is better.

use super::share::Share;
use crate::Micros;
use std::time::Duration;

/// What was brought is forgotten at a pace that empties a full count in so long.
const FADES_IN: Duration = Duration::from_secs(86_400);

/// A count that rises to what is expected, and fades.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Useful {
    count: u16,
    /// Until when it has faded.
    faded: Micros,
}

impl Useful {
    pub(crate) fn push(&mut self, now: Micros, expected: u16) {
        self.fade(now, expected);
        self.count = self.count.saturating_add(1).min(expected);
    }

    fn fade(&mut self, now: Micros, expected: u16) {
        if self.count == 0 {
            self.faded = now;
            return;
        }
        let Some(step) = FADES_IN.checked_div(expected.into()).filter(|step| !step.is_zero()) else { return };
        let steps = now.since(self.faded).as_micros() / step.as_micros();
        let steps = u16::try_from(steps).unwrap_or(u16::MAX);
        self.count = self.count.saturating_sub(steps);
        self.faded = self.faded + step * u32::from(steps);
    }

    /// From a half, for nothing, to the whole, for as much as expected.
    pub(crate) fn share(&self, now: Micros, expected: u16) -> Share {
        let mut faded = *self;
        faded.fade(now, expected);
        let earned = Share::of(faded.count.into(), expected.into());
        Share::HALF.plus(Share::HALF.times(earned))
    }
}
