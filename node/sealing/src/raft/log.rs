//! The group's log over the store.
//!
//! ```text
//! append ─▶ store, one fsync ─▶ cache ─▶ replication to each sealer
//!                                    └─▶ apply                        what is older is read from the store
//! ```

use super::{Ballot, Entry, LogId, StorageError, Types, Vote};
use crate::{
    durable::Durable,
    wire::{decode_entry, decode_log_id, encode_entry, encode_log_id},
};
use openraft::{
    LogState, OptionalSend, RaftLogReader, StorageIOError, anyerror::AnyError, storage::LogFlushed,
    storage::RaftLogStorage,
};
use peerwright_store::{LogEntry, SealingStore};
use std::{
    collections::VecDeque,
    fmt::Debug,
    ops::{Bound, RangeBounds},
    sync::{Arc, Mutex, PoisonError},
};

/// Bytes of the newest entries that are kept in memory, so that replication and apply need not read what was just
/// written. The newest one is kept whatever its size.
const CACHE_BYTES: usize = 32 << 20;
/// Bytes of the entries in one request; a longer entry goes alone.
const REQUEST_BYTES: usize = 1 << 20;
/// Bytes of the entries that are read from the store at once.
const READ_BYTES: usize = 16 << 20;

#[derive(Clone)]
pub(crate) struct Log {
    store: Arc<dyn SealingStore>,
    cache: Arc<Mutex<Cache>>,
    ballot: Arc<Ballot>,
    durable: Arc<Durable>,
}

/// The newest entries, without a hole.
#[derive(Default)]
struct Cache {
    entries: VecDeque<Entry>,
    bytes: usize,
}

impl Log {
    /// A log that waits for its store as `durable` does.
    pub(crate) fn new(store: Arc<dyn SealingStore>, ballot: Arc<Ballot>, durable: Arc<Durable>) -> Self {
        Self { store, cache: Arc::default(), ballot, durable }
    }

    fn cache<T>(&self, look: impl FnOnce(&mut Cache) -> T) -> T {
        look(&mut self.cache.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Entries with `from <= index < to`, until `max_bytes` are given.
    async fn read(&self, from: u64, to: u64, max_bytes: usize) -> Result<Vec<Entry>, StorageError> {
        if let Some(entries) = self.cache(|cache| cache.read(from, to, max_bytes)) {
            return Ok(entries);
        }
        let stored = self.durable.ask(|| self.store.read_log(from, to, max_bytes)).await;
        let stored = stored.map_err(|error| StorageIOError::read_logs(AnyError::new(&error)))?;
        stored
            .iter()
            .map(|entry| decode_entry(&entry.bytes))
            .collect::<Result<_, _>>()
            .map_err(|error| StorageIOError::read_logs(AnyError::new(&error)).into())
    }
}

impl Cache {
    fn push(&mut self, entry: Entry) {
        self.bytes += size(&entry);
        self.entries.push_back(entry);
        while self.bytes > CACHE_BYTES && self.entries.len() > 1 {
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            self.bytes -= size(&entry);
        }
    }

    /// `None` when it does not reach back so far.
    fn read(&self, from: u64, to: u64, max_bytes: usize) -> Option<Vec<Entry>> {
        let first = self.entries.front()?.log_id.index;
        let skipped = usize::try_from(from.checked_sub(first)?).ok()?;
        let mut bytes = 0;
        let wanted = self.entries.iter().skip(skipped).take_while(|entry| {
            let is_wanted = entry.log_id.index < to && (bytes == 0 || bytes + size(entry) <= max_bytes);
            bytes += size(entry);
            is_wanted
        });
        Some(wanted.cloned().collect())
    }

    fn truncate(&mut self, from: u64) {
        while self.entries.back().is_some_and(|entry| entry.log_id.index >= from) {
            self.bytes -= self.entries.pop_back().as_ref().map_or(0, size);
        }
    }

    fn purge(&mut self, through: u64) {
        while self.entries.front().is_some_and(|entry| entry.log_id.index <= through) {
            self.pop();
        }
    }
}

/// What an entry counts in a budget: never nothing.
fn size(entry: &Entry) -> usize {
    let body = match &entry.payload {
        openraft::EntryPayload::Normal(command) => command.bytes(),
        openraft::EntryPayload::Blank | openraft::EntryPayload::Membership(_) => 0,
    };
    body + 512
}

impl RaftLogReader<Types> for Log {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> Result<Vec<Entry>, StorageError> {
        let mut from = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(start) => start.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let to = match range.end_bound() {
            Bound::Included(end) => end.saturating_add(1),
            Bound::Excluded(end) => *end,
            Bound::Unbounded => u64::MAX,
        };
        let mut entries = Vec::new();
        while from < to {
            let read = self.read(from, to, READ_BYTES).await?;
            let Some(last) = read.last() else { break };
            from = last.log_id.index.saturating_add(1);
            entries.extend(read);
        }
        Ok(entries)
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, StorageError> {
        self.read(start, end, REQUEST_BYTES).await
    }
}

impl RaftLogStorage<Types> for Log {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, StorageError> {
        let unreadable = |error: &(dyn std::error::Error + 'static)| StorageIOError::read_logs(AnyError::error(error));
        let state = self.durable.ask(|| self.store.log_state()).await.map_err(|error| unreadable(&error))?;
        let purged = state.purged.map(|purged| decode_log_id(&purged.bytes)).transpose();
        let last = state.last.map(|last| decode_entry(&last.bytes)).transpose();
        let last_purged_log_id = purged.map_err(|error| unreadable(&error))?;
        let last = last.map_err(|error| unreadable(&error))?.map(|entry| entry.log_id);
        Ok(LogState { last_purged_log_id, last_log_id: last.or(last_purged_log_id) })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), StorageError> {
        self.ballot.save(*vote).await.map_err(|error| StorageIOError::write_vote(AnyError::new(&error)).into())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, StorageError> {
        Ok(self.ballot.vote().await)
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<Types>) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        let stored: Vec<LogEntry> =
            entries.iter().map(|entry| LogEntry { index: entry.log_id.index, bytes: encode_entry(entry) }).collect();
        let appended = self.durable.write(|| self.store.append_log(stored.clone())).await;
        appended.map_err(|error| StorageIOError::write_logs(AnyError::new(&error)))?;
        self.cache(|cache| entries.into_iter().for_each(|entry| cache.push(entry)));
        callback.log_io_completed(Ok(()));
        Ok(())
    }

    async fn truncate(&mut self, log_id: LogId) -> Result<(), StorageError> {
        self.cache(|cache| cache.truncate(log_id.index));
        let truncated = self.durable.write(|| self.store.truncate_log(log_id.index)).await;
        truncated.map_err(|error| StorageIOError::write_logs(AnyError::new(&error)).into())
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), StorageError> {
        self.cache(|cache| cache.purge(log_id.index));
        let last = LogEntry { index: log_id.index, bytes: encode_log_id(&log_id) };
        let purged = self.durable.write(|| self.store.purge_log(last.clone())).await;
        purged.map_err(|error| StorageIOError::write_logs(AnyError::new(&error)).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::SealerId;
    use openraft::{CommittedLeaderId, EntryPayload};

    fn entry(index: u64) -> Entry {
        let log_id = LogId::new(CommittedLeaderId::new(1, SealerId::default()), index);
        Entry { log_id, payload: EntryPayload::Blank }
    }

    fn indexes(entries: Option<Vec<Entry>>) -> Option<Vec<u64>> {
        entries.map(|entries| entries.iter().map(|entry| entry.log_id.index).collect())
    }

    #[test]
    fn the_cache_answers_what_it_reaches_back_to_within_the_budget() {
        let mut cache = Cache::default();
        assert_eq!(indexes(cache.read(0, 9, 9999)), None);
        (3..9).for_each(|index| cache.push(entry(index)));
        assert_eq!(indexes(cache.read(2, 9, 9999)), None);
        assert_eq!(indexes(cache.read(4, 6, 9999)), Some(vec![4, 5]));
        assert_eq!(indexes(cache.read(4, 9, 1100)), Some(vec![4, 5]));
        assert_eq!(indexes(cache.read(4, 9, 0)), Some(vec![4]));
        cache.truncate(6);
        cache.purge(3);
        assert_eq!(indexes(cache.read(4, 9, 9999)), Some(vec![4, 5]));
        assert_eq!(cache.bytes, 2 * 512);
    }

    #[test]
    fn the_cache_lets_go_of_the_oldest_when_it_is_full() {
        let mut cache = Cache::default();
        let room = CACHE_BYTES / 512;
        (0..room as u64 + 2).for_each(|index| cache.push(entry(index)));
        assert_eq!(cache.entries.len(), room);
        assert_eq!(cache.entries[0].log_id.index, 2);
    }
}
