//! The query of a call, and lists that are read page by page.
//!
//! ```text
//! ?after=41&limit=10 ─▶ PageAsked ─▶ 11 rows behind 41 ─▶ 10 of them, and `next` when there were 11
//! ```

use super::error::ApiError;
use axum::{extract::Query, http::Uri};
use serde::{Deserialize, de::DeserializeOwned};

/// Rows of a page when the caller does not say, and at most.
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1000;

/// Reads a query.
pub(super) fn read<T: DeserializeOwned>(uri: &Uri) -> Result<T, ApiError> {
    let query = Query::try_from_uri(uri);
    query.map(|Query(query)| query).map_err(|rejection| ApiError::bad_request("query_invalid", rejection.body_text()))
}

/// Reads how many rows a page may have.
pub(super) fn page_limit(asked: Option<usize>) -> Result<usize, ApiError> {
    let limit = asked.unwrap_or(DEFAULT_LIMIT);
    if (1..=MAX_LIMIT).contains(&limit) {
        return Ok(limit);
    }
    Err(ApiError::bad_request("query_invalid", format!("limit is {limit}: accepted is 1 to {MAX_LIMIT}")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PageQuery {
    after: Option<u64>,
    limit: Option<usize>,
}

/// A page of a list whose rows have rising positions.
pub(super) struct PageAsked {
    /// The page begins behind this position.
    pub(super) after: Option<u64>,
    limit: usize,
}

impl PageAsked {
    /// Reads `?after=&limit=`.
    pub(super) fn read(uri: &Uri) -> Result<Self, ApiError> {
        let PageQuery { after, limit } = read(uri)?;
        Ok(Self { after, limit: page_limit(limit)? })
    }

    /// How many rows are to be read: one more than the page has tells whether there is a rest.
    pub(super) const fn rows(&self) -> usize {
        self.limit + 1
    }

    /// The page out of the rows that were read, and what is to be given as `after` for the rest.
    pub(super) fn cut<T>(&self, mut rows: Vec<T>, position: impl Fn(&T) -> u64) -> (Vec<T>, Option<String>) {
        let is_more = rows.len() > self.limit;
        rows.truncate(self.limit);
        let next = rows.last().filter(|_| is_more).map(|last| position(last).to_string());
        (rows, next)
    }
}
