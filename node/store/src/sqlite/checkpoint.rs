//! Moves what is committed from the log into the database file, beside the writer: it would otherwise do so itself, in a
//! commit that somebody waits for.
//!
//! ```text
//!  writer ── commit, fsync ──▶ log ── this task ──▶ database file, fsync
//! ```
//!
//! While the writer never pauses it cannot begin the log anew; at [`LOG_PAGES`] it moves the little that this task has left
//! and does.

use crate::StoreError;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::sync::watch;

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

/// Moves until the writer ends. A failure is the store's, as one of the writer is: what was moved cannot be told.
pub(super) async fn run(
    options: SqliteConnectOptions,
    mut written: watch::Receiver<u64>,
    ended: watch::Sender<Option<StoreError>>,
) {
    if let Err(error) = try_run(options, &mut written).await {
        tracing::error!(error = %error, code = error.code(), "the log of the store cannot be moved into its file");
        ended.send_if_modified(|ended| {
            let first = ended.is_none();
            ended.get_or_insert(error);
            first
        });
    }
}

async fn try_run(options: SqliteConnectOptions, written: &mut watch::Receiver<u64>) -> Result<(), StoreError> {
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let mut moved = 0;
    while let Ok(now) = written.wait_for(|now| *now >= moved + STEP_BYTES).await.map(|now| *now) {
        match sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut connection).await.map_err(StoreError::from) {
            // With no room for the file to grow, the log keeps what it has.
            Ok(_) | Err(StoreError::Busy | StoreError::DiskFull) => moved = now,
            Err(error) => return Err(error),
        }
    }
    Ok(connection.close().await?)
}
