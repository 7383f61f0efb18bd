//! How a node follows registers.

use std::{ops::RangeInclusive, time::Duration};
use thiserror::Error;

const MINUTE: Duration = Duration::from_secs(60);

/// How a node follows registers; [`ReplicationSettings::check`] knows the ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplicationSettings {
    /// Sources that a long register is fetched from at once: 1 to 10.
    pub sources: usize,
    /// Without a further docket for so long while a source holds more, a register is in error: 5 to 120 minutes.
    pub deadline: Duration,
    /// What is on the disk is read again, some of it every so often: 1 to 60 minutes.
    pub audit_period: Duration,
    /// So many failures in a row make an error: 1 to 100.
    pub failures_to_error: u32,
    /// A message stays for so long after the last of its transactions was in a docket here: 1 minute to 24 hours.
    pub message_retention: Duration,
}

/// A setting outside its range.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what} is {value}: accepted is {lowest} to {highest}")]
pub struct ReplicationSettingRefused {
    what: &'static str,
    value: u64,
    lowest: u64,
    highest: u64,
}

impl ReplicationSettings {
    /// Sources at once.
    pub const SOURCES: RangeInclusive<u64> = 1..=10;
    /// The deadline in seconds.
    pub const DEADLINE_SECONDS: RangeInclusive<u64> = 300..=7_200;
    /// The audit's period in seconds.
    pub const AUDIT_SECONDS: RangeInclusive<u64> = 60..=3_600;
    /// Failures in a row.
    pub const FAILURES: RangeInclusive<u64> = 1..=100;
    /// How long messages stay, in seconds: longer than gossip keeps their bodies.
    pub const RETENTION_SECONDS: RangeInclusive<u64> = 60..=86_400;

    /// Refuses a value outside its range.
    pub fn check(&self) -> Result<(), ReplicationSettingRefused> {
        let rows = [
            ("the number of sources at once", self.sources as u64, Self::SOURCES),
            ("the replication deadline in seconds", self.deadline.as_secs(), Self::DEADLINE_SECONDS),
            ("the period of the audit in seconds", self.audit_period.as_secs(), Self::AUDIT_SECONDS),
            ("the number of failures to an error", self.failures_to_error.into(), Self::FAILURES),
            ("the retention of messages in seconds", self.message_retention.as_secs(), Self::RETENTION_SECONDS),
        ];
        rows.into_iter().try_for_each(|(what, value, range)| {
            let (lowest, highest) = range.clone().into_inner();
            let refused = ReplicationSettingRefused { what, value, lowest, highest };
            if range.contains(&value) { Ok(()) } else { Err(refused) }
        })
    }
}

impl Default for ReplicationSettings {
    fn default() -> Self {
        Self {
            sources: 3,
            deadline: MINUTE * 30,
            audit_period: MINUTE * 5,
            failures_to_error: 10,
            message_retention: MINUTE * 15,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MINUTE, ReplicationSettings};
    use std::time::Duration;

    #[test]
    fn what_is_outside_its_range_is_refused_by_name() {
        let sound = ReplicationSettings::default();
        assert_eq!(sound.check(), Ok(()));
        for (wrong, named) in [
            (ReplicationSettings { sources: 0, ..sound }, "sources"),
            (ReplicationSettings { sources: 11, ..sound }, "sources"),
            (ReplicationSettings { deadline: MINUTE * 5 - Duration::from_secs(1), ..sound }, "deadline"),
            (ReplicationSettings { deadline: MINUTE * 120 + Duration::from_secs(1), ..sound }, "deadline"),
            (ReplicationSettings { audit_period: MINUTE * 61, ..sound }, "audit"),
            (ReplicationSettings { failures_to_error: 0, ..sound }, "failures"),
            (ReplicationSettings { message_retention: MINUTE - Duration::from_secs(1), ..sound }, "retention"),
            (ReplicationSettings { message_retention: MINUTE * 1441, ..sound }, "retention"),
        ] {
            let refused = wrong.check().unwrap_err().to_string();
            assert!(refused.contains(named), "{refused}");
        }
    }
}
