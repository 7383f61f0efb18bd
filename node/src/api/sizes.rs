//! Limits on what a call may bring: checked by what it announces before anything of it is read.

use super::error::ApiError;
use axum::{
    extract::Request,
    http::{HeaderMap, StatusCode, header},
};
use peerwright_ledger::MAX_TRANSACTION_BYTES;
use peerwright_snapshot::{SettingId, Snapshot};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const MAX_QUERY_BYTES: usize = 2048;
const MAX_HEADER_BYTES: usize = 8192;
pub(super) const SMALL_BODY_BYTES: usize = 64 * 1024;
/// Names, metadata and JSON around the data of a transaction, beside the data itself.
const AROUND_DATA_BYTES: usize = 256 * 1024;
/// Kibibytes of bodies that are read at once, over all calls.
const MAX_BODY_KIBIBYTES: u32 = 64 * 1024;

/// How long a route's bodies may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyLimit {
    /// 64 KiB.
    Small,
    /// The network's longest transaction, as base64 in JSON; the format's longest when the network says nothing.
    Transactions,
}

impl BodyLimit {
    pub(super) fn bytes(self, snapshot: Option<&Snapshot>) -> usize {
        match self {
            Self::Small => SMALL_BODY_BYTES,
            Self::Transactions => {
                let configured =
                    snapshot.map(|snapshot| snapshot.content.settings.value(SettingId::MaxTransactionBytes));
                let longest = configured.unwrap_or(u64::MAX).min(MAX_TRANSACTION_BYTES.into());
                let longest = usize::try_from(longest).unwrap_or_default();
                (longest / 3).saturating_add(1).saturating_mul(4).saturating_add(AROUND_DATA_BYTES)
            }
        }
    }
}

/// The body limit of the call at hand, for whoever reads the body.
#[derive(Debug, Clone, Copy)]
pub(super) struct MaxBody(pub(super) usize);

/// Room for the bodies of all calls.
#[derive(Debug, Clone)]
pub struct BodyBudget(Arc<Semaphore>);

impl Default for BodyBudget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_BODY_KIBIBYTES as usize)))
    }
}

impl BodyBudget {
    /// Room for one body, kept until the call is answered.
    pub(super) fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, ApiError> {
        let kibibytes = u32::try_from(bytes.div_ceil(1024)).unwrap_or(MAX_BODY_KIBIBYTES).min(MAX_BODY_KIBIBYTES);
        Arc::clone(&self.0).try_acquire_many_owned(kibibytes).map_err(|_| {
            ApiError::unavailable("overloaded", "too many large requests are being read; try again in a moment")
        })
    }
}

/// Checks query, headers and announced body; gives the number of bytes that the body may have.
pub(super) fn check(request: &Request, max_body: usize) -> Result<usize, ApiError> {
    let query = request.uri().query().map_or(0, str::len);
    if query > MAX_QUERY_BYTES {
        let message = format!("the query has {query} bytes, at most {MAX_QUERY_BYTES} are accepted");
        return Err(ApiError::new(StatusCode::URI_TOO_LONG, "query_too_long", message));
    }
    let headers = header_bytes(request.headers());
    if headers > MAX_HEADER_BYTES {
        let message = format!("the headers have {headers} bytes, at most {MAX_HEADER_BYTES} are accepted");
        return Err(ApiError::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large", message));
    }
    match announced_body(request.headers()) {
        Some(announced) if announced > max_body as u64 => Err(body_too_large(max_body)),
        Some(announced) => Ok(usize::try_from(announced).unwrap_or(max_body)),
        None => Ok(max_body),
    }
}

pub(super) fn body_too_large(max_body: usize) -> ApiError {
    let message = format!("the body is too large: at most {max_body} bytes are accepted here");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
}

fn announced_body(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// As HTTP/1.1 sends them: name, colon, space, value, end of line.
fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}
