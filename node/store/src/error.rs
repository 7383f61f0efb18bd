//! Why the store did not do what it was asked.

use peerwright_ledger::RegisterId;
use std::path::PathBuf;
use thiserror::Error;
use tokio::task::JoinError;

/// A refusal or failure of the store. Nothing that ends in one of these was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoreError {
    /// The queue of the writer has no room. Try again later.
    #[error("the store has more to write than it can keep up with; try again in a moment")]
    Busy,
    /// The volume has no room. Reading goes on, and so does writing once there is room again.
    #[error("the volume of the store is full; enlarge it or free space on it")]
    DiskFull,
    /// The volume failed to write or to sync, or the database does what no store asks of it. What is then held is only known after the store is opened again,
    /// so every later write is refused with the same error, and [`Store::failed`](crate::Store::failed) resolves.
    #[error("the store failed: {0}; the node must be restarted")]
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
    /// The file or its directory, or the database, cannot be opened.
    #[error("the store cannot be opened: {0}")]
    Unopened(String),
    /// The database cannot be reached or takes nothing at the moment. Nothing that was acknowledged is lost, and the store
    /// goes on by itself once it can be.
    #[error("the database of the store cannot be used at the moment: {0}; the node goes on by itself once it can be")]
    Unreachable(String),
    /// Another process holds the lock of the schema.
    #[error("schema {0} is in use by another process; a schema serves one node")]
    SchemaInUse(String),
    /// Another process has opened the schema since: nothing is written here any more.
    #[error("another process has opened schema {0}; a schema serves one node, and this one must be restarted")]
    TakenOver(String),
    /// The database acknowledges what it may then lose.
    #[error("the database has {setting} = {value}, and would lose what it has acknowledged; set it to {wanted}")]
    NotDurable {
        /// Name of the setting.
        setting: &'static str,
        /// What it is.
        value: String,
        /// What it has to be.
        wanted: &'static str,
    },
    /// A docket to store does not have the number after the head's.
    #[error("docket {number} of register {register} does not follow docket {head}, the last one held")]
    DocketNotNext {
        /// The register.
        register: RegisterId,
        /// Number of the docket that was handed in.
        number: u64,
        /// Number of the docket that it would have had to follow.
        head: u64,
    },
    /// A docket to store names another predecessor than the one held.
    #[error(
        "docket {number} of register {register} does not name the docket before it; compare both with another node"
    )]
    DocketBreaksChain {
        /// The register.
        register: RegisterId,
        /// Number of the docket that was handed in.
        number: u64,
    },
    /// A certificate or a replacement is for a docket that is not held.
    #[error("docket {number} of register {register} is not held")]
    DocketNotHeld {
        /// The register.
        register: RegisterId,
        /// The number.
        number: u64,
    },
    /// A certificate or a replacement is for another docket than the one held.
    #[error("another docket {number} of register {register} is held; compare both with another node")]
    DocketDiffers {
        /// The register.
        register: RegisterId,
        /// The number.
        number: u64,
    },
    /// The disk has changed a docket. It can be written again with
    /// [`DocketStore::replace_docket`](crate::DocketStore::replace_docket).
    #[error("docket {number} of register {register} is not as it was stored; it must be fetched again")]
    CorruptDocket {
        /// The register.
        register: RegisterId,
        /// The number.
        number: u64,
    },
    /// The disk has changed a checkpoint. It can be made again by verifying the dockets.
    #[error("the checkpoint of register {0} is not as it was stored; its dockets must be verified again")]
    CorruptCheckpoint(RegisterId),
    /// An entry to append does not follow the last one of the sealing group's log.
    #[error("entry {index} of the sealing log does not follow entry {last}")]
    LogNotNext {
        /// Index of the entry that was handed in.
        index: u64,
        /// Index of the last one.
        last: u64,
    },
    /// What is to be applied was applied before.
    #[error("the sealing log is applied through entry {applied}, entry {index} was handed in")]
    AppliedBefore {
        /// The index that was handed in.
        index: u64,
        /// The index that was applied.
        applied: u64,
    },
    /// The disk has changed something of the sealing group's log.
    #[error("{0} is not as it was stored; empty the volume so that this sealer joins its group anew")]
    CorruptLog(String),
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
            Self::Unreachable(_) => "store_unreachable",
            Self::SchemaInUse(_) => "store_schema_in_use",
            Self::TakenOver(_) => "store_taken_over",
            Self::NotDurable { .. } => "store_not_durable",
            Self::DocketNotNext { .. } => "docket_not_next",
            Self::DocketBreaksChain { .. } => "docket_breaks_chain",
            Self::DocketNotHeld { .. } => "docket_not_held",
            Self::DocketDiffers { .. } => "docket_differs",
            Self::CorruptDocket { .. } => "docket_corrupt",
            Self::CorruptCheckpoint(_) => "checkpoint_corrupt",
            Self::LogNotNext { .. } => "sealing_log_not_next",
            Self::AppliedBefore { .. } => "sealing_log_applied_before",
            Self::CorruptLog(_) => "sealing_log_corrupt",
            Self::Closed => "store_closed",
        }
    }
}

/// A task or a thread's work that panicked, or was cut off by the end of its runtime.
impl From<JoinError> for StoreError {
    fn from(error: JoinError) -> Self {
        Self::Failed(error.to_string())
    }
}
