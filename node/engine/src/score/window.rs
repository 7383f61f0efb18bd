//! The last hundred samples of something that goes well or not.

use super::share::Share;

/// As many samples count.
pub(crate) const SAMPLES: u8 = 100;
const ALL: u128 = (1 << SAMPLES) - 1;

/// One bit a sample, the newest lowest.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Window {
    good: u128,
    length: u8,
}

impl Window {
    pub(crate) fn push(&mut self, is_good: bool) {
        self.good = ((self.good << 1) | u128::from(is_good)) & ALL;
        self.length = (self.length + 1).min(SAMPLES);
    }

    /// How much of it went well; a half while nothing is known.
    pub(crate) fn share(&self) -> Share {
        self.raw().map_or(Share::HALF, |share| share.after(self.length.into()))
    }

    /// The same without assumptions; `None` without samples.
    pub(crate) fn raw(&self) -> Option<Share> {
        (self.length > 0).then(|| Share::of(self.good.count_ones().into(), self.length.into()))
    }
}
