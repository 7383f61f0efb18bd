//! A node that is ready stays so for its life, and in the end every node that runs is ready.

use super::{Broken, holds};
use peerwright_engine::Readiness;

/// Readiness changed.
pub(crate) fn stays(was_ready: bool, now: Readiness) -> Result<(), Broken> {
    holds("readiness", !was_ready || now.is_ready(), || format!("a ready node became {now:?}"))
}

/// The faults have ended, and time was given.
pub(crate) fn at_the_end(now: Readiness) -> Result<(), Broken> {
    holds("readiness", now.is_ready(), || format!("in the end the node is {now:?}"))
}
