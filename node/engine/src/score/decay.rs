//! What an opinion is still worth after a while: e^(-0.01 x days), in fixed point.

use super::share::Share;
use std::time::Duration;

/// Fixed point with 32 bits behind the point.
const ONE: u64 = 1 << 32;
const DAY_MICROS: u128 = 86_400_000_000;
/// Beyond this nothing is left that a score could show.
const LONGEST_DAYS: u128 = 2_000;

/// How much of a score is left after so long, at `percent_a_day` (0 to 100: none to e^-1 of it a day).
pub(crate) fn decayed(share: Share, unseen: Duration, percent_a_day: u8) -> Share {
    let days = unseen.as_micros() / DAY_MICROS;
    if days >= LONGEST_DAYS {
        return if percent_a_day == 0 { share } else { Share::NONE };
    }
    // x = rate x days, with 32 bits behind the point.
    let x = unseen.as_micros().saturating_mul(u128::from(ONE)) / DAY_MICROS * u128::from(percent_a_day) / 100;
    share.times(Share::of(exponential(x), ONE))
}

/// e^-x for a fixed-point x: halved until it is below 1/16, by its series there, and squared back.
fn exponential(x: u128) -> u64 {
    let mut halvings = 0;
    let mut small = x;
    while small >= u128::from(ONE / 16) {
        small /= 2;
        halvings += 1;
    }
    let one = u128::from(ONE);
    let square = small * small / one;
    let cube = square * small / one;
    // 1 - x + x^2/2 - x^3/6, whose error is below x^4/24: under 2^-20 for x below 1/16.
    let mut value = one - small + square / 2 - cube / 6;
    for _ in 0..halvings {
        value = value * value / one;
    }
    u64::try_from(value).unwrap_or(ONE)
}

#[cfg(test)]
mod tests {
    use super::decayed;
    use crate::score::share::Share;
    use proptest::prelude::*;
    use std::time::Duration;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn a_score_loses_what_the_formula_says_after_days() {
        for (days, points) in [(0, 100), (1, 99), (7, 93), (30, 74), (100, 37), (230, 10), (1_000, 0), (5_000, 0)] {
            assert_eq!(decayed(Share::WHOLE, DAY * days, 1).points(), points, "{days} days");
        }
        assert_eq!(decayed(Share::WHOLE, DAY * 5_000, 0), Share::WHOLE);
    }

    proptest! {
        #[test]
        fn decay_is_the_exponential(hours in 0..24_000u32, percent in 0..=100u8) {
            let left = decayed(Share::WHOLE, Duration::from_secs(3_600) * hours, percent);
            let exact = (-f64::from(percent) / 100.0 * f64::from(hours) / 24.0).exp() * 100.0;
            prop_assert!((f64::from(left.points()) - exact).abs() <= 0.6, "{left:?} is not {exact}");
        }

        #[test]
        fn decay_never_gives_back(seconds in 0..100_000_000u64, more in 0..1_000_000u64) {
            let (earlier, later) = (Duration::from_secs(seconds), Duration::from_secs(seconds + more));
            prop_assert!(decayed(Share::WHOLE, later, 1) <= decayed(Share::WHOLE, earlier, 1));
        }
    }
}
