//! The numbers that a sealing group goes by, each with the range that is accepted.
//!
//! What concerns one register (how many transactions a docket takes, how long it waits for more) is in the register's
//! own policy and not here.

use std::{ops::RangeInclusive, time::Duration};
use thiserror::Error;

/// The numbers of a sealing group. All its sealers have the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealingSettings {
    /// How often the leader shows that it is there. A sealer that does not answer within this time is asked again.
    pub heartbeat_interval: Duration,
    /// How long the others follow a leader of which they hear nothing; the election comes within the same time again. At
    /// least three heartbeats.
    pub leader_timeout: Duration,
    /// How many transactions wait at the leader, or are on their way into a certified docket, before it refuses more.
    pub queued_transactions: u32,
    /// The same in bytes.
    pub queued_bytes: u32,
    /// How many sealed transactions a sealer remembers, over all registers, for as long as they are valid. When it
    /// remembers so many, the leader refuses more until the first have expired.
    pub remembered_transactions: u32,
    /// How many dockets of one register may wait for their certificate before the next is proposed.
    pub uncertified_dockets: u32,
    /// How long a sealer waits for a certificate before it asks the others for what it lacks.
    pub certificate_retry: Duration,
    /// How many log entries are kept behind what is certified. A sealer that lags further fetches dockets instead.
    pub log_entries_kept: u32,
}

/// Range of [`SealingSettings::heartbeat_interval`].
pub const HEARTBEAT_INTERVAL: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(30);
/// Range of [`SealingSettings::leader_timeout`].
pub const LEADER_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(300)..=Duration::from_secs(300);
/// Range of [`SealingSettings::queued_transactions`].
pub const QUEUED_TRANSACTIONS: RangeInclusive<u32> = 1..=1_000_000;
/// Range of [`SealingSettings::queued_bytes`]: the smallest takes the longest transaction.
pub const QUEUED_BYTES: RangeInclusive<u32> = 16 << 20..=1 << 30;
/// Range of [`SealingSettings::remembered_transactions`].
pub const REMEMBERED_TRANSACTIONS: RangeInclusive<u32> = 10_000..=50_000_000;
/// Range of [`SealingSettings::uncertified_dockets`].
pub const UNCERTIFIED_DOCKETS: RangeInclusive<u32> = 1..=64;
/// Range of [`SealingSettings::certificate_retry`].
pub const CERTIFICATE_RETRY: RangeInclusive<Duration> = Duration::from_millis(20)..=Duration::from_secs(10);
/// Range of [`SealingSettings::log_entries_kept`].
pub const LOG_ENTRIES_KEPT: RangeInclusive<u32> = 8..=10_000;

impl Default for SealingSettings {
    /// A leader that dies is followed by another within two seconds.
    fn default() -> Self {
        Self {
            heartbeat_interval: Duration::from_millis(200),
            leader_timeout: Duration::from_millis(650),
            queued_transactions: 50_000,
            queued_bytes: 64 << 20,
            remembered_transactions: 3_600_000,
            uncertified_dockets: 16,
            certificate_retry: Duration::from_millis(200),
            log_entries_kept: 64,
        }
    }
}

/// A number outside its range.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{name} is {value}, accepted is {accepted}")]
pub struct SettingRefused {
    /// The setting.
    pub name: &'static str,
    /// What it is.
    pub value: String,
    /// What it may be.
    pub accepted: String,
}

impl SealingSettings {
    /// Accepts numbers within their ranges only.
    pub fn check(&self) -> Result<(), SettingRefused> {
        within("heartbeat_interval", &self.heartbeat_interval, &HEARTBEAT_INTERVAL)?;
        within("leader_timeout", &self.leader_timeout, &LEADER_TIMEOUT)?;
        if self.leader_timeout < self.heartbeat_interval * 3 {
            return Err(SettingRefused {
                name: "leader_timeout",
                value: format!("{:?}", self.leader_timeout),
                accepted: "at least three heartbeat intervals".to_owned(),
            });
        }
        within("queued_transactions", &self.queued_transactions, &QUEUED_TRANSACTIONS)?;
        within("queued_bytes", &self.queued_bytes, &QUEUED_BYTES)?;
        within("remembered_transactions", &self.remembered_transactions, &REMEMBERED_TRANSACTIONS)?;
        within("uncertified_dockets", &self.uncertified_dockets, &UNCERTIFIED_DOCKETS)?;
        within("certificate_retry", &self.certificate_retry, &CERTIFICATE_RETRY)?;
        within("log_entries_kept", &self.log_entries_kept, &LOG_ENTRIES_KEPT)
    }
}

fn within<T: PartialOrd + std::fmt::Debug>(
    name: &'static str,
    value: &T,
    range: &RangeInclusive<T>,
) -> Result<(), SettingRefused> {
    if range.contains(value) {
        return Ok(());
    }
    Err(SettingRefused { name, value: format!("{value:?}"), accepted: format!("{range:?}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_their_ranges() {
        assert_eq!(SealingSettings::default().check(), Ok(()));
    }

    #[test]
    fn by_default_a_dead_leader_is_noticed_well_within_two_seconds() {
        let SealingSettings { heartbeat_interval, leader_timeout, .. } = SealingSettings::default();
        // The lease, the longest election timeout behind it, and a tick of the clock that looks.
        assert!(leader_timeout * 2 + heartbeat_interval * 3 / 2 <= Duration::from_millis(1_600));
    }

    #[test]
    fn a_number_outside_its_range_is_named_with_what_is_accepted() {
        let refused = |change: fn(&mut SealingSettings)| {
            let mut settings = SealingSettings::default();
            change(&mut settings);
            settings.check().unwrap_err()
        };
        assert_eq!(refused(|s| s.heartbeat_interval = Duration::from_millis(99)).name, "heartbeat_interval");
        assert_eq!(refused(|s| s.leader_timeout = Duration::from_secs(301)).name, "leader_timeout");
        assert_eq!(
            refused(|s| s.leader_timeout = Duration::from_millis(599)).accepted,
            "at least three heartbeat intervals"
        );
        assert_eq!(refused(|s| s.queued_transactions = 0).name, "queued_transactions");
        assert_eq!(refused(|s| s.queued_bytes = 1).name, "queued_bytes");
        assert_eq!(refused(|s| s.remembered_transactions = 1).name, "remembered_transactions");
        assert_eq!(refused(|s| s.uncertified_dockets = 65).name, "uncertified_dockets");
        assert_eq!(refused(|s| s.certificate_retry = Duration::ZERO).name, "certificate_retry");
        assert_eq!(refused(|s| s.log_entries_kept = 7).name, "log_entries_kept");
    }
}
