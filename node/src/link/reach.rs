//! Connections to members for calls beside the link: what one member asks of another's services.

use super::{
    dial::LinkDialler,
    opening::{Connected, Failure, name, origin},
};
use crate::{
    tls::unix_now,
    transport::{HttpConnection, Registered},
};
use http::Uri;
use peerwright_secure::{MemberCertificate, PeerId};
use std::{
    net::SocketAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// More than calls that nobody answers write in a moment: what takes as much in is there, and slow.
const BULK_BYTES: u64 = 16 * 1024;

/// An HTTP/2 connection to a member. Dropped, it ends; a ban or the end of either certificate ends it as well.
pub(crate) struct MemberConnection {
    connection: HttpConnection,
    origin: Uri,
    cut: CancellationToken,
    /// When the first of the certificates on both sides expires, unix seconds.
    expires: i64,
    /// Who is at the other end.
    member: MemberCertificate,
    /// Messages that have come by it, as far as those who took them have said.
    heard: AtomicU64,
    /// When a call was first not answered in time, and how many bytes had come and gone by then.
    unanswered: Mutex<Option<(Instant, (u64, u64))>>,
    _registered: Registered,
}

impl LinkDialler {
    /// Connects to `peer`, who listens at `address`. The error is a code for metrics.
    pub(crate) async fn reach(&self, peer: PeerId, address: SocketAddr) -> Result<MemberConnection, &'static str> {
        let origin = origin(address).map_err(|failure| failure.code)?;
        let dialling = self.dialler.dial(address, name(address), self.h2.clone());
        let connected = self.connect(Some(peer), dialling).await.map_err(|failure: Failure| failure.code)?;
        let Connected { connection, member, cut, registered } = connected;
        let own = self.leaf.member().map_or(i64::MAX, |own| own.not_after);
        let expires = member.not_after.min(own);
        let (heard, unanswered) = (AtomicU64::new(0), Mutex::default());
        Ok(MemberConnection { connection, origin, cut, expires, member, heard, unanswered, _registered: registered })
    }
}

impl MemberConnection {
    /// What gRPC clients are made of.
    pub(crate) fn channel(&self) -> (HttpConnection, Uri) {
        (self.connection.clone(), self.origin.clone())
    }

    /// Who is at the other end.
    pub(crate) fn member(&self) -> &MemberCertificate {
        &self.member
    }

    /// A message has come by it.
    pub(crate) fn note_heard(&self) {
        self.heard.fetch_add(1, Ordering::Relaxed);
    }

    /// How many messages have come by it, answers to single calls aside.
    pub(crate) fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    /// A call by it was just not answered in time. Says whether nothing has moved by it since the first such call, so long ago.
    pub(crate) fn note_unanswered(&self, long: Duration) -> bool {
        let (now, moved) = (Instant::now(), self.connection.moved_so_far());
        let mut unanswered = self.unanswered.lock().unwrap_or_else(PoisonError::into_inner);
        let first = unanswered.filter(|(_, before)| stands_still(*before, moved)).unwrap_or((now, moved));
        *unanswered = Some(first);
        now - first.0 >= long
    }

    /// Ends it for all who use it.
    pub(crate) fn end(&self) {
        self.cut.cancel();
    }

    /// Whether nothing can be asked by it any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.cut.is_cancelled() || i64::try_from(unix_now()).is_ok_and(|now| now >= self.expires)
    }

    /// Resolves when the connection ends, at the latest with the first of its certificates.
    pub(crate) async fn ended(&self) {
        let left = u64::try_from(self.expires).unwrap_or_default().saturating_sub(unix_now());
        tokio::select! {
            biased;
            () = self.cut.cancelled() => {}
            () = sleep(Duration::from_secs(left)) => {}
        }
    }
}

impl Drop for MemberConnection {
    fn drop(&mut self) {
        self.cut.cancel();
    }
}

/// Whether nothing has come, and too little gone for a connection that is alive and slow.
const fn stands_still((read, written): (u64, u64), (read_by_now, written_by_now): (u64, u64)) -> bool {
    read_by_now == read && written_by_now - written < BULK_BYTES
}

#[cfg(test)]
mod tests {
    use super::{BULK_BYTES, stands_still};

    #[test]
    fn a_connection_lives_while_something_comes_or_much_goes() {
        assert!(stands_still((5, 7), (5, 7)));
        assert!(stands_still((5, 7), (5, 7 + BULK_BYTES - 1)));
        assert!(!stands_still((5, 7), (6, 7)));
        assert!(!stands_still((5, 7), (5, 7 + BULK_BYTES)));
    }
}
