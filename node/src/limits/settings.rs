//! How much each profile allows.

use super::{Measure, Profile};
use std::ops::RangeInclusive;
use thiserror::Error;

/// Requests or transactions a minute.
const COUNT: RangeInclusive<u64> = 1..=1_000_000;
/// Bytes a minute.
const BYTES: RangeInclusive<u64> = 1_000_000..=1_000_000_000_000;

/// What an identity may ask for in a minute. `None` is not limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allowance {
    /// Calls: 1 to 1,000,000.
    pub requests: Option<u64>,
    /// Bytes that came and went: 1 MB to 1 TB.
    pub bytes: Option<u64>,
    /// Transactions handed in: 1 to 1,000,000.
    pub transactions: Option<u64>,
}

impl Allowance {
    pub(super) const fn per_minute(self, measure: Measure) -> Option<u64> {
        match measure {
            Measure::Requests => self.requests,
            Measure::Bytes => self.bytes,
            Measure::Transactions => self.transactions,
        }
    }
}

/// The allowances by profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitSettings {
    /// Of members: bytes.
    pub member: Allowance,
    /// Of members of a group with the role edge.
    pub edge: Allowance,
    /// Of applications and people.
    pub external: Allowance,
}

impl Default for LimitSettings {
    fn default() -> Self {
        let outside = Allowance { requests: Some(1_000), bytes: Some(100_000_000), transactions: Some(100) };
        Self {
            member: Allowance { bytes: Some(1_000_000_000), ..Allowance::default() },
            edge: outside,
            external: outside,
        }
    }
}

/// A setting out of its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LimitSettingsRefused {
    /// Requests or transactions.
    #[error("a profile allows 1 to 1000000 {what} a minute, not {0}", what = .1.label())]
    Count(u64, Measure),
    /// Bytes.
    #[error("a profile allows 1 MB to 1 TB a minute, not {0} bytes")]
    Bytes(u64),
}

impl LimitSettings {
    /// Checks every range.
    pub fn check(&self) -> Result<(), LimitSettingsRefused> {
        for allowance in [self.member, self.edge, self.external] {
            for measure in [Measure::Requests, Measure::Transactions] {
                if let Some(count) = allowance.per_minute(measure).filter(|count| !COUNT.contains(count)) {
                    return Err(LimitSettingsRefused::Count(count, measure));
                }
            }
            if let Some(bytes) = allowance.bytes.filter(|bytes| !BYTES.contains(bytes)) {
                return Err(LimitSettingsRefused::Bytes(bytes));
            }
        }
        Ok(())
    }

    pub(super) const fn of(&self, profile: Profile) -> Allowance {
        match profile {
            Profile::Member => self.member,
            Profile::Edge => self.edge,
            Profile::External => self.external,
        }
    }
}
