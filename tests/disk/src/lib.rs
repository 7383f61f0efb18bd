//! A disk for tests of the store: it records what SQLite does to the files of a folder, tells what a loss of power may
//! leave of it, and fails when it is asked to.
//!
//! ```text
//!  SQLite ── Disk::vfs ──▶ the system's files
//!                 │
//!                 └─▶ History: writes, truncations, names, in their order, and what was synced
//!                          └─ crash(moment) ─ image(Loss) ─▶ files as they may be found afterwards
//! ```
//!
//! What a file system promises, and nothing else: once a file is synced, all that was written to it before is there; once
//! a folder is synced, so are the names in it. Until then, of each 512 or 4096 bytes of each write any may be there and any
//! may not, whatever was written later, a file that grew may hold anything where it grew, and each name that was made or
//! removed may be so or not. Bytes beside those that were written do not change. A sync that has failed has made nothing
//! durable, and what it was for is not made durable by one that succeeds afterwards.
//!
//! Nothing is synced in truth: a recorded folder is read again only from its [`History`].

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod disk;
mod fault;
mod history;
mod loss;
mod record;
#[expect(unsafe_code, reason = "SQLite calls its files by a table of C functions, which safe Rust cannot make")]
mod vfs;

pub use disk::{Disk, directory_synced};
pub use fault::{Call, Fault, Reason};
pub use history::{Crash, History, Image};
pub use loss::Loss;

#[cfg(test)]
mod tests;
