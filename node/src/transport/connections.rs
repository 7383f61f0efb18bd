//! The open connections, so that a ban ends them at once.

use peerwright_secure::{MemberCertificate, PeerId};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub enum Remote {
    /// A member, by this certificate.
    Member(Arc<MemberCertificate>),
    /// Somebody who showed no certificate.
    Stranger(IpAddr),
}

/// Every open connection with a member, whoever dialled, and every one of a stranger to the REST interface. Bounded by
/// what the ports accept and what is dialled.
#[derive(Debug, Default)]
pub struct Connections {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    by_number: BTreeMap<u64, (Remote, CancellationToken)>,
}

impl Connections {
    /// Remembers a connection until the guard is dropped.
    #[must_use]
    pub fn register(self: &Arc<Self>, remote: Remote, cut: CancellationToken) -> Registered {
        let mut open = self.open();
        let number = open.next;
        open.next += 1;
        open.by_number.insert(number, (remote, cut));
        Registered { connections: self.clone(), number }
    }

    /// Cuts every connection whose other end `is_banned`; says how many.
    pub fn cut_banned(&self, is_banned: impl Fn(&Remote) -> bool) -> usize {
        let open = self.open();
        let banned = open.by_number.values().filter(|(remote, cut)| is_banned(remote) && !cut.is_cancelled());
        banned.inspect(|(_, cut)| cut.cancel()).count()
    }

    /// What the newest open connection with `peer` says of it.
    #[must_use]
    pub fn certificate_of(&self, peer: &PeerId) -> Option<Arc<MemberCertificate>> {
        let open = self.open();
        let mut newest_first = open.by_number.values().rev().filter(|(_, cut)| !cut.is_cancelled());
        newest_first.find_map(|(remote, _)| match remote {
            Remote::Member(member) if member.peer_id == *peer => Some(member.clone()),
            Remote::Member(_) | Remote::Stranger(_) => None,
        })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.connections.open().by_number.remove(&self.number);
    }
}
