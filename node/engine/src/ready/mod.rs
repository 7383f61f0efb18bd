//! Whether this node may serve.
//!
//! ```text
//!              every reachable peer's first digest is made up for
//!   waiting ───────────────────────────────────────────────────────▶ ready ◀─┐
//!      │                                                                      │ caught up with somebody
//!      └── nobody reachable for ready_timeout ───▶ ready, alone ──────────────┘
//! ```
//!
//! Reachable means: linked when discovery's addresses have all been tried, or, when some neither answer nor refuse, when
//! `ready_timeout` has passed. Once ready, always ready: a later link that brings news is ordinary catching up.

#[cfg(test)]
mod tests;

use crate::{Micros, Readiness};
use std::time::Duration;

/// What is known when readiness is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Situation {
    /// The store has told what it holds of every register.
    pub loaded: bool,
    /// Links, and how many of them brought nothing yet that is still lacked.
    pub links: usize,
    pub links_caught_up: usize,
    /// Every known address was tried.
    pub all_attempted: bool,
}

/// Decides once.
#[derive(Debug)]
pub(crate) struct Ready {
    timeout: Duration,
    /// Since when there is a policy.
    since: Option<Micros>,
    /// Since when there is a policy and no link.
    lonely_since: Option<Micros>,
    ready: Option<bool>,
}

impl Ready {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { timeout, since: None, lonely_since: None, ready: None }
    }

    /// A node that reached nobody for so long is ready, alone.
    pub(crate) fn tune(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Looks at the situation; says whether readiness changed.
    pub(crate) fn look(&mut self, now: Micros, situation: Situation) -> bool {
        let before = self.ready;
        let since = *self.since.get_or_insert(now);
        match situation.links {
            0 => {
                self.lonely_since.get_or_insert(now);
            }
            _ => self.lonely_since = None,
        }
        match self.ready {
            None if situation.loaded => {
                let timed_out = now.since(since) >= self.timeout;
                let lonely = self.lonely_since.is_some_and(|since| now.since(since) >= self.timeout);
                let level = situation.links > 0 && situation.links_caught_up == situation.links;
                if lonely {
                    self.ready = Some(true);
                } else if level && (situation.all_attempted || timed_out) {
                    self.ready = Some(false);
                }
            }
            Some(true) if situation.links_caught_up > 0 => self.ready = Some(false),
            None | Some(_) => {}
        }
        self.ready != before
    }

    /// When waiting alone may change something.
    pub(crate) fn next_look(&self, now: Micros) -> Option<Micros> {
        if self.ready.is_some() {
            return None;
        }
        let ends = [self.since, self.lonely_since].into_iter().flatten().map(|since| since + self.timeout);
        ends.filter(|end| *end > now).min()
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.ready.is_some()
    }

    /// Readiness with the number of messages that are known to be missing.
    pub(crate) fn readiness(&self, missing: impl FnOnce() -> u64) -> Readiness {
        match self.ready {
            None => Readiness::Waiting { missing: missing() },
            Some(alone) => Readiness::Ready { alone },
        }
    }
}
