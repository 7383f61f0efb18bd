//! How many links there may be, and how long one waits for others.

use crate::settings::{SettingRefused, in_range};
use std::{ops::RangeInclusive, time::Duration};

/// How many links there may be, and how long one waits for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// How many links this node opens to peers.
    pub outbound: usize,
    /// How many links this node takes from peers. One that takes the place of another link to the same peer is taken
    /// whatever the number, so it is the sum of both that is never exceeded.
    pub inbound: usize,
    /// How many links a hub or router takes from peers.
    pub hub_inbound: usize,
    /// Wait before an address is dialled again after its first failure; doubles with each further one.
    pub retry_first: Duration,
    /// The longest such wait.
    pub retry_limit: Duration,
    /// A dial that the driver has not answered for so long has failed.
    pub dial_timeout: Duration,
    /// A pull or chunk that a peer has not answered for so long is asked of another.
    pub answer_timeout: Duration,
    /// A node that reached nobody for so long is ready, alone.
    pub ready_timeout: Duration,
}

impl ConnectionSettings {
    /// Accepted for `outbound`.
    pub const OUTBOUND: RangeInclusive<usize> = 3..=200;
    /// Accepted for `inbound`.
    pub const INBOUND: RangeInclusive<usize> = 3..=200;
    /// Accepted for `hub_inbound`.
    pub const HUB_INBOUND: RangeInclusive<usize> = 3..=2_000;
    /// Accepted for `retry_first`.
    pub const RETRY_FIRST: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);
    /// Accepted for `retry_limit`.
    pub const RETRY_LIMIT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3_600);
    /// Accepted for `dial_timeout`.
    pub const DIAL_TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(125);
    /// Accepted for `answer_timeout`.
    pub const ANSWER_TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(60);
    /// Accepted for `ready_timeout`.
    pub const READY_TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(300);

    /// Whether every value is within its range, and the first wait is not longer than the longest.
    pub fn check(&self) -> Result<(), SettingRefused> {
        in_range("connections.outbound", self.outbound, &Self::OUTBOUND)?;
        in_range("connections.inbound", self.inbound, &Self::INBOUND)?;
        in_range("connections.hubInbound", self.hub_inbound, &Self::HUB_INBOUND)?;
        in_range("connections.retryFirst", self.retry_first, &Self::RETRY_FIRST)?;
        let lowest = *Self::RETRY_LIMIT.start().max(&self.retry_first);
        in_range("connections.retryLimit", self.retry_limit, &(lowest..=*Self::RETRY_LIMIT.end()))?;
        in_range("connections.dialTimeout", self.dial_timeout, &Self::DIAL_TIMEOUT)?;
        in_range("connections.answerTimeout", self.answer_timeout, &Self::ANSWER_TIMEOUT)?;
        in_range("connections.readyTimeout", self.ready_timeout, &Self::READY_TIMEOUT)
    }
}

impl Default for ConnectionSettings {
    fn default() -> Self {
        Self {
            outbound: 30,
            inbound: 20,
            hub_inbound: 2_000,
            retry_first: Duration::from_secs(1),
            retry_limit: Duration::from_secs(60),
            dial_timeout: Duration::from_secs(20),
            answer_timeout: Duration::from_secs(5),
            ready_timeout: Duration::from_secs(15),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ConnectionSettings;
    use std::time::Duration;

    #[test]
    fn the_defaults_are_within_their_ranges_and_a_value_outside_is_named() {
        let defaults = ConnectionSettings::default;
        assert_eq!(defaults().check(), Ok(()));
        for (settings, name) in [
            (ConnectionSettings { outbound: 2, ..defaults() }, "connections.outbound"),
            (ConnectionSettings { inbound: 201, ..defaults() }, "connections.inbound"),
            (ConnectionSettings { hub_inbound: 2_001, ..defaults() }, "connections.hubInbound"),
            (ConnectionSettings { retry_first: Duration::ZERO, ..defaults() }, "connections.retryFirst"),
            (ConnectionSettings { answer_timeout: Duration::ZERO, ..defaults() }, "connections.answerTimeout"),
        ] {
            assert_eq!(settings.check().unwrap_err().name, name);
        }
    }

    #[test]
    fn the_longest_wait_is_not_shorter_than_the_first() {
        let retry_first = Duration::from_secs(10);
        let settings = ConnectionSettings { retry_first, retry_limit: Duration::from_secs(9), ..Default::default() };
        assert_eq!(settings.check().unwrap_err().name, "connections.retryLimit");
    }
}
