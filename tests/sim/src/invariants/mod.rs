//! What must hold, one file each. A check gives [`Broken`] with the invariant's name; the run ends there.

pub(crate) mod advertised;
pub(crate) mod answers;
pub(crate) mod bans;
pub(crate) mod bounds;
pub(crate) mod converges;
pub(crate) mod dials;
pub(crate) mod durable;
pub(crate) mod exact;
pub(crate) mod incarnations;
pub(crate) mod live_links;
pub(crate) mod names;
pub(crate) mod once;
pub(crate) mod prompt;
pub(crate) mod proofs;
pub(crate) mod readiness;
pub(crate) mod sequences;
pub(crate) mod verified;

use crate::event::HostId;
use peerwright_engine::Micros;
use std::fmt;

/// An invariant that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The invariant's name.
    pub invariant: &'static str,
    /// When, filled in by who asked.
    pub at: Micros,
    /// At which host.
    pub host: HostId,
    /// What was seen.
    pub detail: String,
}

impl Broken {
    pub(crate) fn new(invariant: &'static str, detail: String) -> Self {
        Self { invariant, at: Micros(0), host: 0, detail }
    }
}

/// `Ok` when it holds.
fn holds(invariant: &'static str, is_so: bool, detail: impl FnOnce() -> String) -> Result<(), Broken> {
    if is_so { Ok(()) } else { Err(Broken::new(invariant, detail())) }
}

impl fmt::Display for Broken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = Duration::from_micros(self.at.0.saturating_sub(crate::world::START.0)).as_secs_f64();
        write!(formatter, "{} at {seconds:.6} s on node {}: {}", self.invariant, self.host, self.detail)
    }
}

use std::time::Duration;
