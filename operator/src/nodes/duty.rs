//! Whether this replica answers nodes: it leads, and it knows every network by now.
//!
//! ```text
//! Lease won ─> controllers begin ─> every network looked at once ─> on duty ─> term ends
//!              └──────── nodes hear `not_leader` ──────────────┘
//! ```
//!
//! A leader that has not looked yet knows neither authorities nor snapshots: it would take members for strangers.

use tokio::sync::watch;

use crate::leadership::Leadership;

/// Whether nodes are answered. Clones share it.
#[derive(Clone, Debug)]
pub struct Duty {
    leadership: Leadership,
    on: watch::Sender<bool>,
}

impl Duty {
    /// Off duty, until [`begin`](Self::begin).
    #[must_use]
    pub fn new(leadership: Leadership) -> Self {
        Self { leadership, on: watch::Sender::new(false) }
    }

    /// Nodes are answered for as long as what this gives is held.
    #[must_use]
    pub fn begin(&self) -> OnDuty {
        self.on.send_replace(true);
        OnDuty { on: self.on.clone() }
    }

    /// Says whether a call of a node may be answered now.
    #[must_use]
    pub fn is_on(&self) -> bool {
        *self.on.borrow() && self.leadership.is_fresh()
    }

    /// Follows the duty.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<bool> {
        self.on.subscribe()
    }
}

/// The duty of one term; dropped, it is over.
#[derive(Debug)]
pub struct OnDuty {
    on: watch::Sender<bool>,
}

impl Drop for OnDuty {
    fn drop(&mut self) {
        self.on.send_replace(false);
    }
}
