//! Round trips: the last hundred, and what their mean is worth.

use super::{share::Share, window::SAMPLES};
use std::time::Duration;

/// Mean round trips and what they are worth, each up to and with its bound.
const BANDS: [(Duration, u8); 5] = [
    (Duration::from_millis(50), 100),
    (Duration::from_millis(100), 80),
    (Duration::from_millis(200), 60),
    (Duration::from_millis(500), 40),
    (Duration::from_millis(1_000), 20),
];
/// What anything longer is worth, percent.
const SLOWEST: u8 = 10;

/// Round trips are kept in tenths of a millisecond, so 6.5 s is the longest that is told apart.
const UNIT_MICROS: u128 = 100;

/// The last hundred round trips.
#[derive(Debug, Clone)]
pub(crate) struct Latencies {
    tenths: [u16; SAMPLES as usize],
    next: u8,
    length: u8,
    sum: u32,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { tenths: [0; SAMPLES as usize], next: 0, length: 0, sum: 0 }
    }
}

/// The shortest, the mean and the longest of the round trips that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spread {
    pub shortest: Duration,
    pub mean: Duration,
    pub longest: Duration,
}

impl Latencies {
    pub(crate) fn push(&mut self, round_trip: Duration) {
        let tenths = u16::try_from(round_trip.as_micros() / UNIT_MICROS).unwrap_or(u16::MAX);
        if let Some(place) = self.tenths.get_mut(usize::from(self.next)) {
            self.sum = self.sum - u32::from(*place) + u32::from(tenths);
            *place = tenths;
        }
        self.next = (self.next + 1) % SAMPLES;
        self.length = (self.length + 1).min(SAMPLES);
    }

    /// What the mean is worth; a half while nothing is known.
    pub(crate) fn share(&self) -> Share {
        let Some(mean) = self.sum.checked_div(self.length.into()) else { return Share::HALF };
        let mean = duration(mean);
        let worth = BANDS.iter().find(|(bound, _)| mean <= *bound).map_or(SLOWEST, |(_, worth)| *worth);
        Share::percent(worth).after(self.length.into())
    }

    pub(crate) fn spread(&self) -> Option<Spread> {
        let kept = || self.tenths.iter().take(self.length.into()).copied();
        Some(Spread {
            shortest: duration(kept().min()?.into()),
            mean: duration(self.sum.checked_div(self.length.into())?),
            longest: duration(kept().max()?.into()),
        })
    }
}

fn duration(tenths: u32) -> Duration {
    Duration::from_micros(u64::from(tenths) * 100)
}
