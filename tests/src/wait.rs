//! Waits for what a cluster does in its own time.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Time between two looks.
const POLL: Duration = Duration::from_millis(50);

/// Looks until there is something to see, and says after `limit` what was waited for and what was seen last.
///
/// # Errors
/// If it does not come, or looking fails.
pub fn eventually<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Result<Seen<T>>) -> Result<T> {
    let end = Instant::now() + limit;
    loop {
        match look()? {
            Seen::There(found) => return Ok(found),
            Seen::NotYet(last) if Instant::now() >= end => bail!("{what} did not come within {limit:?}; last: {last}"),
            Seen::NotYet(_) => std::thread::sleep(POLL),
        }
    }
}

/// What one look saw.
#[derive(Debug)]
pub enum Seen<T> {
    /// What was waited for.
    There(T),
    /// Something else.
    NotYet(String),
}

impl Seen<()> {
    /// There, if `holds`; else what was seen instead.
    pub fn when(holds: bool, instead: impl std::fmt::Display) -> Self {
        if holds { Self::There(()) } else { Self::NotYet(instead.to_string()) }
    }
}
