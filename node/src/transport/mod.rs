//! Sockets: what is accepted, what is dialled, and how a connection ends.
//!
//! ```text
//! TCP ─▶ range? ─▶ slot ─▶ TLS handshake (5 s) ─▶ member? banned? ─▶ HTTP/2 or 1.1 ─▶ router
//!                                                        │
//!                                  Connections: cut at once when a ban arrives
//! ```
//!
//! Every wait has an end: the handshake, the first request, silence. Every count has a bound: sockets, handshakes under
//! way, streams of a connection. Full means that a new socket is closed unheard.

mod accept;
mod connections;
mod dial;
mod guard;
#[cfg(test)]
mod simulated;
mod tasks;
#[cfg(test)]
mod tests;

pub use accept::{Limits, Listener, RefusalObserver, Security, Shield};
pub use connections::{ConnectionInfo, Connections, Registered, Remote};
pub use dial::{DialError, Dialled, Dialler, Http1Connection, HttpConnection};

// Tests put a simulated network in the place of the system's.
#[cfg(test)]
pub(crate) use simulated::{TcpListener, TcpStream};
#[cfg(not(test))]
pub(crate) use tokio::net::{TcpListener, TcpStream};

use std::time::Duration;

/// The longest message of any service.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;
/// Contents of that length, and what gRPC and the fields around them add.
pub const MAX_FRAMED_BYTES: usize = MAX_MESSAGE_BYTES + 64 * 1024;

/// A TLS handshake that takes longer is ended.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// A TCP connection that takes longer to open has failed.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// HTTP/2 asks so often whether the other side still lives, and waits as long for the answer.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// How much the other side may send on one stream before it is read, and on all streams of a connection.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 2 * 1024 * 1024;
/// How much of one stream waits for the socket.
const SEND_BUFFER: usize = 256 * 1024;
