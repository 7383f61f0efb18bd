//! What an error of SQLite means to a node.

use crate::StoreError;
use rusqlite::{Error, ErrorCode};

/// An extended result code, <https://www.sqlite.org/rescode.html>: no room for more of the index of the log, which is made
/// again whenever the log is opened. The commit that is refused for it lies in the log: after a loss of power it may be
/// there, as one that was not answered.
const IOERR_SHMSIZE: i32 = 10 | (19 << 8);

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match &error {
            Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::InvalidColumnType(..)
            | Error::Utf8Error(..) => Self::Damaged(error.to_string()),
            Error::SqliteFailure(cause, _) => match (cause.code, cause.extended_code) {
                (ErrorCode::DiskFull, _) | (_, IOERR_SHMSIZE) => Self::DiskFull,
                (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => Self::Busy,
                (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => Self::Damaged(error.to_string()),
                _ => Self::Failed(error.to_string()),
            },
            _ => Self::Failed(error.to_string()),
        }
    }
}
