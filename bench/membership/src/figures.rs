//! What one run has shown.

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeVal,
};
use std::{fmt, time::Duration};

/// Whoever has not come to it after so long is not waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Figures of one side and seed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Figures {
    /// Until all knew all, seconds; [`PATIENCE`] when they did not.
    pub(crate) full_view: f64,
    /// Until all knew of a silent crash, seconds; [`PATIENCE`] when they did not.
    pub(crate) crash_known: f64,
    /// What a node sends when nothing happens, without headers, bytes a second.
    pub(crate) steady_bytes: f64,
    /// Verdicts of single nodes on nodes that were there.
    pub(crate) false_verdicts: f64,
    /// Verdicts on nodes that were paused or without power, and came back.
    pub(crate) absent_verdicts: f64,
    /// Processor time for a node and simulated second, microseconds.
    pub(crate) processor_micros: f64,
}

impl fmt::Display for Figures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "full view {:.2} s, crash known {:.2} s, {:.0} B/s, verdicts {} false and {} on absent ones, {:.0} us a node second",
            self.full_view,
            self.crash_known,
            self.steady_bytes,
            self.false_verdicts,
            self.absent_verdicts,
            self.processor_micros
        )
    }
}

/// Used by this process so far.
pub(crate) fn processor_seconds() -> f64 {
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    getrusage(UsageWho::RUSAGE_SELF).map_or(0.0, |used| seconds(used.user_time()) + seconds(used.system_time()))
}
