//! Moves what is committed from the log into the database file, beside the writer: it would otherwise do so itself, in a
//! commit that somebody waits for.
//!
//! ```text
//!  writer ── commit, fsync ──▶ log ── this task ──▶ database file, fsync
//! ```
//!
//! While the writer never pauses it cannot begin the log anew; at [`LOG_PAGES`] it moves the little that this task has left
//! and does.
//!
//! What is moved may be lost when the file cannot be synced, and no later sync tells. SQLite keeps such a failure of its
//! automatic checkpoint to itself, goes on, and begins the log anew; and whoever closes the last connection after any
//! failure removes the log. So the writer moves the log by itself, each failure ends the store, and the log stays for the
//! next process, which moves all of it again.

use super::{options::Options, statements::Statements as _};
use crate::StoreError;
use rusqlite::{Connection, config::DbConfig};
use tokio::{sync::watch, task::spawn_blocking};

/// Pages of a file that is made now. Bodies of hundreds of kibibytes take a quarter of the calls that SQLite's own 4 KiB
/// take; larger pages would make every small commit larger.
pub(super) const PAGE_BYTES: u32 = 16 * 1024;
/// The log is moved whenever it has got so much ...
const STEP_BYTES: u64 = 8 << 20;
/// ... where a commit counts as much more than it was asked to write: the pages that it touches.
pub(super) const COMMIT_BYTES: u64 = 4 * PAGE_BYTES as u64;
/// Pages at which the writer moves it: 64 MiB.
pub(super) const LOG_PAGES: u32 = 4096;
/// A log that got longer is cut to this when it begins anew.
pub(super) const LOG_BYTES: u32 = LOG_PAGES * PAGE_BYTES;

/// Moves until the writer ends; gives its connection, if it had one. A failure is the store's, as one of the writer is: what
/// was moved cannot be told.
pub(super) async fn run(
    options: Options,
    mut written: watch::Receiver<u64>,
    ended: watch::Sender<Option<StoreError>>,
) -> Option<Connection> {
    let moved = try_run(options, &mut written).await;
    moved.unwrap_or_else(|error| {
        tracing::error!(error = %error, code = error.code(), "the log of the store cannot be moved into its file");
        ended.send_if_modified(|ended| {
            // The writer may have ended in order meanwhile.
            let first = ended.is_none() || *ended == Some(StoreError::Closed);
            if first {
                *ended = Some(error);
            }
            first
        });
        None
    })
}

async fn try_run(options: Options, written: &mut watch::Receiver<u64>) -> Result<Option<Connection>, StoreError> {
    let (mut connection, mut moved) = (None, 0);
    while let Ok(now) = written.wait_for(|now| *now >= moved + STEP_BYTES).await.map(|now| *now) {
        let (unused, options) = (connection.take(), options.clone());
        let moving = spawn_blocking(move || {
            let connection = unused.map_or_else(|| options.connect(), Ok)?;
            move_log(&connection).map(|()| connection)
        });
        connection = Some(moving.await??);
        moved = now;
    }
    Ok(connection)
}

/// Closes a connection of a store that has not failed: if it is the last one, what is left is moved, and the log removed.
pub(super) fn close(connection: Connection) {
    if let Err(error) = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false) {
        tracing::warn!(error = %error, "the log of the store stays");
    }
    drop(connection);
}

/// Moves the log once it has so many pages.
pub(super) fn shorten_log(connection: &Connection, pages: u32) -> Result<(), StoreError> {
    let (_, log, _): (i64, i64, i64) = connection.one("PRAGMA wal_checkpoint(NOOP)", [])?;
    if log >= i64::from(pages) { move_log(connection) } else { Ok(()) }
}

fn move_log(connection: &Connection) -> Result<(), StoreError> {
    match connection.optional::<(i64,)>("PRAGMA wal_checkpoint(PASSIVE)", []) {
        // With no room for the file to grow, the log keeps what it has.
        Ok(_) | Err(StoreError::Busy | StoreError::DiskFull) => Ok(()),
        Err(error) => Err(error),
    }
}
