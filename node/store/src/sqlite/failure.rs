//! What an error of SQLite means to a node.

use crate::StoreError;
use sqlx::{Error, migrate::MigrateError};

/// SQLite's primary result codes, <https://www.sqlite.org/rescode.html>.
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const NOT_A_DATABASE: i32 = 26;
/// An extended one: no room for more of the index of the log, which is made again whenever the log is opened. The commit
/// that is refused for it lies in the log: after a loss of power it may be there, as one that was not answered.
const IOERR_SHMSIZE: i32 = 10 | (19 << 8);

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match &error {
            Error::PoolClosed => Self::Closed,
            Error::PoolTimedOut => Self::Busy,
            Error::Decode(_) | Error::ColumnDecode { .. } => Self::Damaged(error.to_string()),
            Error::Database(cause) => {
                let extended = cause.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or_default();
                match (extended & 0xff, extended) {
                    (FULL, _) | (_, IOERR_SHMSIZE) => Self::DiskFull,
                    (BUSY | LOCKED, _) => Self::Busy,
                    (CORRUPT | NOT_A_DATABASE, _) => Self::Damaged(cause.message().to_owned()),
                    _ => Self::Failed(cause.to_string()),
                }
            }
            _ => Self::Failed(error.to_string()),
        }
    }
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(version) => Self::Newer(version),
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
            other => Self::Damaged(other.to_string()),
        }
    }
}
