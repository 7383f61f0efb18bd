//! The contract between a sealer and its store: the log of the sealing group, and what was applied of it.

use crate::{Applied, DocketStore, Extension, LogEntry, LogState, NewLog, Pending};
use bytes::Bytes;

/// The log of the sealing group, beside the dockets that it makes. Entries, votes and states are the caller's bytes.
///
/// The log has no holes: an entry follows the last one, or what was purged, or is the first of all.
pub trait SealingStore: DocketStore {
    /// Where the log begins and ends, the vote, and what was applied.
    fn log_state(&self) -> Pending<'_, LogState>;

    /// Appends entries, all or none. Refused with [`StoreError::LogNotNext`](crate::StoreError::LogNotNext) when they
    /// do not follow.
    fn append_log(&self, entries: Vec<LogEntry>) -> Pending<'_, ()>;

    /// Entries with `from <= index < to`, until a budget of bytes ends; the first is given even when it alone is above
    /// it. Ends before a corrupt entry, which is an error when it is the first.
    fn read_log(&self, from: u64, to: u64, max_bytes: usize) -> Pending<'_, Vec<LogEntry>>;

    /// Removes all entries from an index on.
    fn truncate_log(&self, from: u64) -> Pending<'_, ()>;

    /// Removes all entries through `last.index`, which may be above the end of the log, and keeps `last` as what was
    /// purged. Changes nothing when so much was purged before.
    fn purge_log(&self, last: LogEntry) -> Pending<'_, ()>;

    /// Keeps the vote in place of the one before.
    fn save_vote(&self, vote: Bytes) -> Pending<'_, ()>;

    /// Stores the dockets that entries of the log have made and what was applied with them, all in one database
    /// transaction, or nothing: as [`DocketStore::extend`]. Refused with
    /// [`StoreError::AppliedBefore`](crate::StoreError::AppliedBefore) when the index does not rise, so that no entry
    /// is applied twice.
    fn apply(&self, extensions: Vec<Extension>, applied: Applied) -> Pending<'_, ()>;

    /// Begins another log in place of the one that is there, and stores dockets with it: all in one database transaction,
    /// or nothing. Of the log before nothing is left. Refused as [`DocketStore::extend`] is, and with
    /// [`StoreError::LogNotNext`](crate::StoreError::LogNotNext) when its entries have a hole.
    fn begin_log(&self, extensions: Vec<Extension>, log: NewLog) -> Pending<'_, ()>;
}
