//! Each start of a node has a larger incarnation than any before, whatever the clock says, as long as the volume keeps the
//! counter: peers take a smaller one for the past.

use super::{Broken, holds};

/// A process starts.
pub(crate) fn rises(highest_before: u64, now: u64) -> Result<(), Broken> {
    holds("incarnations", now > highest_before, || format!("incarnation {now} after {highest_before}"))
}
