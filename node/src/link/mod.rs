//! The link between two nodes: one gRPC stream each way over mutual TLS, and the first words on it.
//!
//! ```text
//! dialling side                          accepting side
//!   Open ── Hello{versions, session, incarnation} ─▶
//!      ◀─ Hello{versions, session, incarnation} ──     up, here
//!   up, here
//!      ◀═══════════ Frame 1, 2, 3 ... ═══════════▶      each way in order, once
//!   Goodbye{reason} ─▶                                  the last message of a link that ends on purpose
//! ```
//!
//! Each link has a [`Queue`] that the connection's own task empties: control before gossip before bulk. A queue without
//! room ends the link as `overload`, because a lost frame is a hole that only sync mends. Frames that arrive wait for
//! the driver, and TCP holds back the peer meanwhile.

mod accept;
mod dial;
mod hello;
mod queue;
mod session;

pub use accept::LinkService;
pub use dial::LinkDialler;
pub use hello::{HelloRefused, WIRE_VERSION};
pub use queue::{Full, Queue};

use bytes::Bytes;
use peerwright_engine::{DialFailure, DownReason, LinkId};
use peerwright_secure::PeerId;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::mpsc;

/// Hello must be answered in this time.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

/// What links tell the driver.
#[derive(Debug)]
pub enum LinkEvent {
    /// Hello was answered.
    Up {
        /// The link.
        link: LinkId,
        /// Where its frames go.
        queue: Arc<Queue>,
        /// Who is at the other end.
        peer: PeerId,
        /// The name in the peer's certificate.
        node: String,
        /// The life of the peer's process.
        incarnation: u64,
        /// Whether this node dialled.
        outbound: bool,
        /// The address dialled, or where the connection came from.
        address: SocketAddr,
    },
    /// A frame, in order.
    Frame {
        /// The link.
        link: LinkId,
        /// The engine's frame.
        payload: Bytes,
    },
    /// The link ended without the driver's doing.
    Down {
        /// The link.
        link: LinkId,
        /// Why.
        reason: DownReason,
    },
    /// A dial came to nothing.
    DialFailed {
        /// The address.
        address: SocketAddr,
        /// What the engine makes of it.
        reason: DialFailure,
        /// The cause as a metric label.
        code: &'static str,
    },
}

/// What every link of a node shares.
#[derive(Debug, Clone)]
pub struct LinkContext {
    /// Where the driver hears of links. When it is full, whoever has something to say waits.
    pub events: mpsc::Sender<LinkEvent>,
    /// This process' life.
    pub incarnation: u64,
    /// Numbers links.
    pub next: Arc<AtomicU64>,
}

impl LinkContext {
    fn new_link(&self) -> LinkId {
        LinkId(self.next.fetch_add(1, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests;
