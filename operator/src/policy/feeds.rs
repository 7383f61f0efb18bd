//! The snapshot in force of each network, for whoever serves it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use peerwright_snapshot::{Snapshot, Version};
use tokio::sync::watch;

/// A snapshot that was committed to its ConfigMap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// What it says.
    pub snapshot: Snapshot,
    /// Digest of the signed payload: what nodes acknowledge.
    pub digest: [u8; 32],
    /// Digest of the content alone: what the revision follows.
    pub content_digest: [u8; 32],
    /// The signed document as it travels.
    pub bytes: Bytes,
}

impl Published {
    /// Its place in the order.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.snapshot.version()
    }
}

/// The snapshot in force of each network. A reader that is late sees the newest only.
#[derive(Debug, Default)]
pub struct SnapshotFeeds {
    by_network: Mutex<HashMap<String, watch::Sender<Option<Arc<Published>>>>>,
}

impl SnapshotFeeds {
    /// The snapshot in force.
    #[must_use]
    pub fn current(&self, network_uid: &str) -> Option<Arc<Published>> {
        self.lock().get(network_uid)?.borrow().clone()
    }

    /// Follows a network's snapshots. For networks that exist only: each asked for is remembered.
    #[must_use]
    pub fn subscribe(&self, network_uid: &str) -> watch::Receiver<Option<Arc<Published>>> {
        self.lock().entry(network_uid.to_owned()).or_default().subscribe()
    }

    /// Puts a snapshot in force; followers wake when it is another one than before.
    pub fn put(&self, network_uid: &str, published: Arc<Published>) {
        let mut by_network = self.lock();
        by_network.entry(network_uid.to_owned()).or_default().send_if_modified(|current| {
            let changed = current.as_ref() != Some(&published);
            *current = Some(published);
            changed
        });
    }

    /// Nothing is known to be in force any more: another replica may publish from now on.
    pub fn suspend(&self) {
        self.lock().values().for_each(|feed| drop(feed.send_replace(None)));
    }

    /// Drops a network that is gone.
    pub fn forget(&self, network_uid: &str) {
        self.lock().remove(network_uid);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<Option<Arc<Published>>>>> {
        self.by_network.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
