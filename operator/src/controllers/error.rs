//! Why a reconciliation did not come to its end.

use crate::{
    api::WriteError,
    identity::{AuthorityError, CallError},
    policy::PublishError,
};

/// Why a reconciliation did not come to its end. It is tried again, later and later.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// Another replica leads: it does the work.
    #[error("this replica does not lead (any more)")]
    NotLeading,
    /// A write failed.
    #[error(transparent)]
    Write(WriteError),
    /// The network's authority is not to be had.
    #[error(transparent)]
    Authority(AuthorityError),
    /// The snapshot was not published.
    #[error(transparent)]
    Publish(PublishError),
    /// Several steps failed; those that do not depend on them were done all the same.
    #[error("{}", .0.join("; "))]
    Steps(Vec<String>),
}

impl ReconcileError {
    /// Label of the metric.
    #[must_use]
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::NotLeading => "not_leading",
            Self::Write(_) => "write_failed",
            Self::Authority(_) => "authority",
            Self::Publish(_) => "publish_failed",
            Self::Steps(_) => "steps_failed",
        }
    }
}

impl From<WriteError> for ReconcileError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::NotLeading => Self::NotLeading,
            error => Self::Write(error),
        }
    }
}

impl From<AuthorityError> for ReconcileError {
    fn from(error: AuthorityError) -> Self {
        match error {
            AuthorityError::Call(CallError::NotLeading) => Self::NotLeading,
            error => Self::Authority(error),
        }
    }
}

impl From<PublishError> for ReconcileError {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::StaleLeader => Self::NotLeading,
            error => Self::Publish(error),
        }
    }
}
