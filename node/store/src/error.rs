//! Why the store did not do what it was asked.

use std::path::PathBuf;
use thiserror::Error;

/// A refusal or failure of the store. Nothing that ends in one of these was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoreError {
    /// The queue of the writer has no room. Try again later.
    #[error("the store has more to write than it can keep up with; try again in a moment")]
    Busy,
    /// The volume has no room. Reading goes on, and so does writing once there is room again.
    #[error("the volume of the store is full; enlarge it or free space on it")]
    DiskFull,
    /// The volume failed to write or to sync. What the disk then holds is only known after the store is opened again,
    /// so every later write is refused with the same error, and [`Store::failed`](crate::Store::failed) resolves.
    #[error("the volume of the store failed: {0}; the node must be restarted")]
    Failed(String),
    /// The file is not a store, or is damaged.
    #[error("the store is damaged: {0}; restore the volume, or delete it so that the node fetches its registers again")]
    Damaged(String),
    /// A message that cannot be read was handed in to be stored; whoever did had to verify it first.
    #[error("a message to store cannot be read: {0}")]
    Unreadable(String),
    /// The file was written by a later version of this program.
    #[error("the store was written by a later version (its schema has version {0}); run that version")]
    Newer(i64),
    /// The store belongs to another network.
    #[error("the store belongs to the network with UID {recorded}, this node to {expected}; use an empty volume")]
    ForeignNetwork {
        /// What the store has recorded.
        recorded: String,
        /// The network of the node that opens it.
        expected: String,
    },
    /// SQLite's locks and syncs cannot be relied on there.
    #[error("{path} is on {kind}, a network file system, where SQLite loses data; use a volume of a block device")]
    NetworkFileSystem {
        /// The directory of the store.
        path: PathBuf,
        /// Name of the file system.
        kind: &'static str,
    },
    /// Another process has the store open.
    #[error("{0} is in use by another process; a volume serves one node")]
    InUse(PathBuf),
    /// The file or its directory cannot be opened.
    #[error("the store cannot be opened: {0}")]
    Unopened(String),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// The one word for it on the wire, in REST and as a metric label.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Busy => "store_busy",
            Self::DiskFull => "store_disk_full",
            Self::Failed(_) => "store_failed",
            Self::Damaged(_) => "store_damaged",
            Self::Unreadable(_) => "store_unreadable",
            Self::Newer(_) => "store_newer",
            Self::ForeignNetwork { .. } => "store_foreign_network",
            Self::NetworkFileSystem { .. } => "store_network_file_system",
            Self::InUse(_) => "store_in_use",
            Self::Unopened(_) => "store_unopened",
            Self::Closed => "store_closed",
        }
    }
}
