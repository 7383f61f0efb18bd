//! Parts of a whole without floating point.

/// A part of a whole, in ten-thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Share(u16);

const WHOLE: u16 = 10_000;

/// With fewer samples than this a share is still partly what it was assumed to be.
const SETTLED: u32 = 10;

impl Share {
    pub(crate) const NONE: Self = Self(0);
    /// What is assumed without samples.
    pub(crate) const HALF: Self = Self(WHOLE / 2);
    pub(crate) const WHOLE: Self = Self(WHOLE);

    /// So many hundredths; more than 100 are the whole.
    pub(crate) const fn percent(percent: u8) -> Self {
        if percent >= 100 { Self::WHOLE } else { Self(percent as u16 * 100) }
    }

    /// `part` of `whole`; more than the whole is the whole, and so is anything of nothing.
    pub(crate) fn of(part: u64, whole: u64) -> Self {
        let share = u128::from(part) * u128::from(WHOLE);
        share.checked_div(u128::from(whole)).map_or(Self::WHOLE, Self::clamped)
    }

    /// The mean of parts, each with its weight.
    pub(crate) fn mean(parts: &[(Self, u8)]) -> Self {
        let sum: u64 = parts.iter().map(|(share, weight)| u64::from(share.0) * u64::from(*weight)).sum();
        let weights: u64 = parts.iter().map(|(_, weight)| u64::from(*weight)).sum();
        sum.checked_div(weights).map_or(Self::HALF, |mean| Self::clamped(mean.into()))
    }

    /// What so many samples say, begun at a half: one good sample makes nobody perfect.
    pub(crate) fn after(self, samples: u32) -> Self {
        let seen = u64::from(samples.min(SETTLED));
        let (settled, assumed) = (u64::from(SETTLED), u64::from(Self::HALF.0));
        let sum = u64::from(self.0) * seen + assumed * (settled - seen);
        Self::clamped((sum / settled).into())
    }

    /// This part of another.
    pub(crate) fn times(self, other: Self) -> Self {
        Self::clamped(u128::from(self.0) * u128::from(other.0) / u128::from(WHOLE))
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0).min(WHOLE))
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Hundredths, rounded.
    pub(crate) fn points(self) -> u8 {
        u8::try_from((self.0 + 50) / 100).unwrap_or(100)
    }

    fn clamped(value: u128) -> Self {
        Self(u16::try_from(value).unwrap_or(WHOLE).min(WHOLE))
    }
}
