//! The link between two nodes: a session of frames above whichever carrier gets through.
//!
//! ```text
//!  driver ──▶ Queue: lanes, session ──▶ carrier ═══ mutual TLS ═══ carrier ──▶ Queue ──▶ driver
//!
//!  carriers, best first      stream   one gRPC stream each way
//!  (the dialling side        unary    gRPC calls: one carries this side's frames, one waits for the other's
//!  chooses and changes)      https    the same calls as POST /link over HTTP/1.1, two connections
//!
//!  Hello{versions, session, incarnation, carrier 1, received 0} ─▶          each way, answered: the link is up
//!  Batch{first, acknowledged, frames} ═▶                                    in order, once
//!        the connection dies, another takes its place
//!  Hello{the same session, carrier 2, received 41} ─▶                       frames go on from 42
//!  Goodbye{reason} ─▶                                                       the last message of a link
//! ```
//!
//! A link is lost when its session is: the other side says Goodbye, no carrier takes the place of a dead one in time
//! (500 ms), nobody listens any more where the peer was dialled, or the other side does not know the session because its
//! process is another. The failure detector of the engine is above all this and hears of silence in any case.
//!
//! A session belongs to the peer that its first certificate named and to one life of its process. Every connection goes
//! through the whole handshake, so a ban or an expired certificate stops a new carrier as it stops a new link; and a link
//! ends at the latest when the certificate that its carrier showed expires. Before that the dialling side makes a new
//! carrier, which shows the renewed one.
//!
//! Each link has a [`Queue`]: control before gossip before bulk. A queue without room ends the link as `overload`,
//! because a lost frame is a hole that only sync mends. Frames that arrive wait for the driver, and the connection holds
//! back the peer meanwhile.
//!
//! POST with long poll rather than WebSocket: what cuts long streams cuts a WebSocket too, and the calls are those of the
//! unary carrier.

mod accept;
mod calls;
mod dial;
mod hello;
mod lanes;
mod life;
mod opening;
mod outgoing;
mod paths;
mod queue;
mod reach;
mod sessions;
mod settings;
mod stream;

use accept::CALL_PATH;
pub use accept::LinkService;
pub use dial::LinkDialler;
pub use hello::{HelloRefused, WIRE_VERSION};
pub use paths::{EventObserver, Paths};
pub use queue::{Full, Queue};
pub(crate) use reach::MemberConnection;
pub use settings::{LinkSettings, LinkSettingsRefused};

use crate::{telemetry::Traces, tls::unix_now};
use arc_swap::ArcSwap;
use bytes::Bytes;
use peerwright_engine::{DialFailure, DownReason, LinkId, session::SessionBroken};
use peerwright_secure::MemberCertificate;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::mpsc, time::sleep};

/// How long a closed link may take to send what waits and its Goodbye.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long after the Goodbye the other side may take to hang up first.
const LINGER: Duration = Duration::from_millis(100);
/// A batch of the stream carrier is not longer, unless one frame is.
const STREAM_BATCH_BYTES: usize = 64 * 1024;
/// A batch of the lower carriers is not longer: there is one under way, so it must carry more.
const CALL_BATCH_BYTES: usize = 256 * 1024;
/// The longest message of a link: the longest batch and what frames it.
pub const MAX_LINK_MESSAGE_BYTES: usize = CALL_BATCH_BYTES + 64 * 1024;
/// The wall clock is looked at so often, for it may jump past a certificate's end.
const LOOK_AT_THE_CLOCK: Duration = Duration::from_secs(30);

/// What links tell the driver.
#[derive(Debug)]
pub enum LinkEvent {
    /// Hello was answered.
    Up {
        /// The link.
        link: LinkId,
        /// Where its frames go.
        queue: Arc<Queue>,
        /// Who is at the other end, as the connection has proved.
        member: Arc<MemberCertificate>,
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
#[derive(Clone)]
pub struct LinkContext {
    /// Where the driver hears of links. When it is full, whoever has something to say waits.
    pub events: mpsc::Sender<LinkEvent>,
    /// This process' life.
    pub incarnation: u64,
    /// Numbers links.
    pub next: Arc<AtomicU64>,
    /// How links behave.
    pub settings: Arc<ArcSwap<LinkSettings>>,
    /// What is known of the ways to peers.
    pub paths: Arc<Paths>,
    /// Where dials are traced.
    pub traces: Traces,
}

impl LinkContext {
    fn settings(&self) -> Arc<LinkSettings> {
        self.settings.load_full()
    }

    fn new_link(&self) -> LinkId {
        LinkId(self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// Why a carrier no longer carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CarrierEnd {
    /// The session is over because of the other side.
    Over(DownReason),
    /// This side has ended the link.
    Closed,
    /// Another carrier has taken its place.
    Replaced,
    /// It broke; the session may go on with another.
    Broken,
}

impl CarrierEnd {
    /// By a violation of the session's rules.
    fn broken(broken: SessionBroken) -> Self {
        tracing::debug!(code = broken.code(), "a link session is broken");
        Self::Over(DownReason::Broken)
    }
}

/// Resolves when the certificate that the peer showed on the carrier in use has expired.
async fn expired(queue: &Queue) {
    loop {
        let now = unix_now().cast_signed();
        let left = queue.expires().saturating_sub(now).saturating_add(1);
        let Ok(left @ 1..) = u64::try_from(left) else { return };
        sleep(Duration::from_secs(left).min(LOOK_AT_THE_CLOCK)).await;
    }
}

#[cfg(test)]
mod tests;
