//! The connections with members, so that a ban ends them at once.

use peerwright_secure::{MemberCertificate, PeerId};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio_util::sync::CancellationToken;

/// What a handler knows of the connection that a request came by.
#[derive(Debug, Clone)]
pub struct ConnectionInfo {
    /// Where it came from.
    pub remote: SocketAddr,
    /// Who dialled, when the port asks for a certificate.
    pub member: Option<Arc<MemberCertificate>>,
    /// Ends the connection at once.
    pub cut: CancellationToken,
}

/// Every open connection with a member, whoever dialled.
#[derive(Debug, Default)]
pub struct Connections {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    by_number: BTreeMap<u64, (PeerId, CancellationToken)>,
}

impl Connections {
    /// Remembers a connection until the guard is dropped.
    #[must_use]
    pub fn register(self: &Arc<Self>, peer: PeerId, cut: CancellationToken) -> Registered {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let number = open.next;
        open.next += 1;
        open.by_number.insert(number, (peer, cut));
        Registered { connections: self.clone(), number }
    }

    /// Cuts every connection whose peer `is_banned`; says how many.
    pub fn cut_banned(&self, is_banned: impl Fn(&PeerId) -> bool) -> usize {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let banned = open.by_number.values().filter(|(peer, cut)| is_banned(peer) && !cut.is_cancelled());
        banned.inspect(|(_, cut)| cut.cancel()).count()
    }

    /// How many connections with members are open.
    #[must_use]
    pub fn count(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).by_number.len()
    }
}

/// A remembered connection.
#[derive(Debug)]
pub struct Registered {
    connections: Arc<Connections>,
    number: u64,
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.by_number.remove(&self.number);
    }
}
