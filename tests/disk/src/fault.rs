//! What a disk may refuse.

use libsqlite3_sys::{
    SQLITE_FULL, SQLITE_IOERR_FSYNC, SQLITE_IOERR_READ, SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_TRUNCATE, SQLITE_IOERR_WRITE,
};
use std::ffi::c_int;

/// What is asked of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Bytes.
    Read,
    /// To take bytes. Of those that are refused, the first half is taken.
    Write,
    /// To become shorter.
    Truncate,
    /// To make durable what was written.
    Sync,
    /// Room for more of the index of SQLite's log, which all connections share.
    GrowIndex,
}

/// Why it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// EIO.
    Broken,
    /// ENOSPC: only what makes a file longer is refused.
    NoRoom,
}

/// A refusal to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// What is refused.
    pub call: Call,
    /// Why.
    pub reason: Reason,
    /// So many of these calls succeed before.
    pub after: u64,
    /// Whether all later ones are refused too, or that one alone.
    pub lasts: bool,
}

impl Fault {
    /// What the system's own VFS answers then.
    pub(crate) fn code(self) -> c_int {
        match (self.call, self.reason) {
            (Call::Read, _) => SQLITE_IOERR_READ,
            (Call::Write, Reason::Broken) => SQLITE_IOERR_WRITE,
            (Call::Write, Reason::NoRoom) => SQLITE_FULL,
            (Call::Truncate, _) => SQLITE_IOERR_TRUNCATE,
            (Call::Sync, _) => SQLITE_IOERR_FSYNC,
            (Call::GrowIndex, _) => SQLITE_IOERR_SHMSIZE,
        }
    }
}
