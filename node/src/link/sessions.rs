//! The sessions that peers have begun, and how each of them ends.

use super::{
    FAREWELL, LINGER, LinkContext, LinkEvent, Queue, expired,
    hello::{HelloRefused, SessionId},
};
use peerwright_engine::{DownReason, LinkId};
use peerwright_secure::PeerId;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, time::timeout};

/// The most sessions of all peers; the engine keeps fewer links.
const MOST_SESSIONS: usize = 4_096;
/// The most sessions of one peer: the engine keeps one link to it, the others are about to end.
const MOST_SESSIONS_OF_A_PEER: usize = 8;

/// By the peer that its certificate names, so that nobody else finds a session, and by the id that the peer chose.
pub(super) type Key = (PeerId, SessionId);

/// A session that a peer has begun.
#[derive(Debug, Clone)]
pub(super) struct Accepted {
    pub(super) link: LinkId,
    /// The life of the peer's process.
    pub(super) incarnation: u64,
    pub(super) queue: Arc<Queue>,
}

#[derive(Debug, Default)]
pub(super) struct Sessions {
    open: Mutex<BTreeMap<Key, Accepted>>,
}

impl Sessions {
    pub(super) fn insert(&self, key: Key, accepted: Accepted) -> Result<(), HelloRefused> {
        let mut open = self.open();
        if open.contains_key(&key) {
            return Err(HelloRefused::Session);
        }
        let of_peer = open.range((key.0, [0; 16])..=(key.0, [0xff; 16])).count();
        if open.len() >= MOST_SESSIONS || of_peer >= MOST_SESSIONS_OF_A_PEER {
            return Err(HelloRefused::Full);
        }
        open.insert(key, accepted);
        Ok(())
    }

    pub(super) fn find(&self, key: &Key) -> Result<Accepted, HelloRefused> {
        self.open().get(key).cloned().ok_or(HelloRefused::Unknown)
    }

    /// Stays with a session until it ends, and tells the driver unless the driver has ended it.
    pub(super) async fn keep(&self, context: &LinkContext, key: &Key, accepted: Accepted) {
        let Accepted { link, queue, .. } = accepted;
        let ended = tokio::select! {
            biased;
            () = queue.closing().cancelled() => None,
            reason = queue.over() => Some(reason),
            () = expired(&queue) => {
                queue.close(DownReason::Expired.label(), false);
                Some(DownReason::Expired)
            }
            () = absent(queue.watch_presence(), context.settings().resume_within) => Some(DownReason::Broken),
        };
        if let Some(reason) = ended {
            // The driver is gone when nobody listens: then nobody wants to know.
            drop(context.events.send(LinkEvent::Down { link, reason }).await);
        }
        if queue.closing().is_cancelled() {
            drop(timeout(FAREWELL, queue.emptied().cancelled()).await);
            drop(timeout(LINGER, queue.over()).await);
        }
        self.open().remove(key);
        queue.cut();
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<Key, Accepted>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Resolves when no carrier was there for `limit`.
async fn absent(mut present: watch::Receiver<bool>, limit: Duration) {
    while present.wait_for(|present| !present).await.is_ok() {
        if !matches!(timeout(limit, present.wait_for(|present| *present)).await, Ok(Ok(_))) {
            return;
        }
    }
}
