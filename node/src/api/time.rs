//! Clock readings, and times as JSON shows them: RFC 3339, UTC.

use jiff::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// Now, unix microseconds.
pub(super) fn now_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// A time in unix microseconds; `None` for one that no calendar has.
pub(super) fn rfc3339(micros: u64) -> Option<String> {
    let micros = i64::try_from(micros).ok()?;
    Timestamp::from_microsecond(micros).ok().map(|timestamp| timestamp.to_string())
}

/// A time in unix seconds.
pub(super) fn rfc3339_seconds(seconds: u64) -> Option<String> {
    rfc3339(seconds.checked_mul(1_000_000)?)
}
