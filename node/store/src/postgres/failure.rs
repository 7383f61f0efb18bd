//! What an error of PostgreSQL means to a node.

use crate::StoreError;
use std::{error::Error as _, io};
use tokio_postgres::{
    Error,
    error::{DbError, Severity, SqlState},
};

/// Classes of SQLSTATE that pass by themselves or by an operator's hand, without a new process:
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
const PASSING_CLASSES: [&str; 8] = [
    "08", // connection
    "28", // the password was changed
    "3D", // the database is away
    "40", // serialization, deadlock
    "53", // resources; a full disk is told apart
    "55", // locks, settings
    "57", // shut down, starting up, cancelled
    "58", // the server's system
];

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        let Some(cause) = error.as_db_error() else { return Self::Unreachable(line(&error)) };
        let code = cause.code();
        let text = format!("{} ({})", one_line(cause.message()), code.code());
        if *code == SqlState::DISK_FULL {
            Self::DiskFull
        } else if *code == SqlState::DATA_CORRUPTED || *code == SqlState::INDEX_CORRUPTED {
            Self::Damaged(text)
        } else if passes(code) {
            Self::Unreachable(text)
        } else {
            Self::Failed(text)
        }
    }
}

fn passes(code: &SqlState) -> bool {
    PASSING_CLASSES.iter().any(|class| code.code().starts_with(class))
        || *code == SqlState::READ_ONLY_SQL_TRANSACTION
        || *code == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
        || *code == SqlState::INSUFFICIENT_PRIVILEGE
}

/// Whether the server has said that it did not do what it was asked, and goes on. An error that ends the connection may
/// come behind a commit that was done.
pub(super) fn is_refusal(error: &Error) -> bool {
    error.as_db_error().and_then(DbError::parsed_severity) == Some(Severity::Error)
}

/// The error with its cause, in one line.
pub(super) fn line(error: &Error) -> String {
    match error.source() {
        None => error.to_string(),
        Some(cause) => match cause.downcast_ref::<io::Error>() {
            Some(cause) => format!("{error}: {cause}"),
            None => one_line(&format!("{error}: {cause}")),
        },
    }
}

fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
