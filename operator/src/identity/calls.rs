//! Calls of the API server on records that only the leader keeps: bounded in time, and writes only while it leads.

use std::{future::Future, time::Duration};

use kube::core::Status;
use thiserror::Error;
use tokio::time::timeout;

use crate::leadership::Leadership;

/// Longest wait for one answer. Shorter than the time between a leader's deadline and the end of its lease, so that a
/// write which began in time has ended before another replica begins.
const CALL_TIMEOUT: Duration = Duration::from_secs(3);

/// A call that brought nothing.
#[derive(Debug, Error)]
pub enum CallError {
    /// Another replica leads, or may by now.
    #[error("this replica does not lead (any more): nothing was written")]
    NotLeading,
    /// The API server did not answer.
    #[error("the API server did not answer within {} s", CALL_TIMEOUT.as_secs())]
    Timeout,
    /// The API server refused or could not be reached.
    #[error(transparent)]
    Api(#[from] kube::Error),
}

impl CallError {
    /// The API server's answer, when it gave one.
    #[must_use]
    pub fn status(&self) -> Option<&Status> {
        match self {
            Self::Api(kube::Error::Api(status)) => Some(status),
            _ => None,
        }
    }
}

/// A call that leadership does not matter to: a read, most of the time.
pub(crate) async fn read<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, CallError> {
    match timeout(CALL_TIMEOUT, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(CallError::Timeout),
    }
}

/// A write: not tried unless this replica leads now.
pub(crate) async fn write<T>(
    leadership: &Leadership,
    call: impl Future<Output = kube::Result<T>>,
) -> Result<T, CallError> {
    if !leadership.is_fresh() {
        return Err(CallError::NotLeading);
    }
    read(call).await
}
