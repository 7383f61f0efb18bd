//! The model's log of the sealing group.

use crate::{Applied, LogEntry, LogState, NewLog, StoreError, docket::follow_log};
use bytes::Bytes;
use std::collections::BTreeMap;

/// The log, the vote, and what was applied.
#[derive(Debug, Default)]
pub(super) struct Log {
    entries: BTreeMap<u64, Bytes>,
    purged: Option<LogEntry>,
    pub(super) vote: Option<Bytes>,
    applied: Option<Applied>,
}

impl Log {
    pub(super) fn state(&self) -> LogState {
        let last = self.entries.last_key_value().map(|(index, bytes)| LogEntry { index: *index, bytes: bytes.clone() });
        LogState { purged: self.purged.clone(), last, vote: self.vote.clone(), applied: self.applied.clone() }
    }

    pub(super) fn append(&mut self, entries: Vec<LogEntry>) -> Result<(), StoreError> {
        let last = self.entries.keys().next_back().copied();
        follow_log(last.or(self.purged.as_ref().map(|purged| purged.index)), &entries)?;
        self.entries.extend(entries.into_iter().map(|entry| (entry.index, entry.bytes)));
        Ok(())
    }

    pub(super) fn read(&self, from: u64, to: u64, max_bytes: usize) -> Vec<LogEntry> {
        let mut total = 0;
        let entries = self.entries.iter().filter(|(index, _)| (from..to).contains(*index));
        let mut first = true;
        entries
            .take_while(|(_, bytes)| {
                total += bytes.len();
                std::mem::take(&mut first) || total <= max_bytes
            })
            .map(|(index, bytes)| LogEntry { index: *index, bytes: bytes.clone() })
            .collect()
    }

    pub(super) fn truncate(&mut self, from: u64) {
        self.entries.split_off(&from);
    }

    pub(super) fn purge(&mut self, last: LogEntry) {
        if self.purged.as_ref().is_none_or(|purged| purged.index < last.index) {
            self.entries.retain(|index, _| *index > last.index);
            self.purged = Some(last);
        }
    }

    pub(super) fn check_applied(&self, index: u64) -> Result<(), StoreError> {
        match &self.applied {
            Some(Applied { index: applied, .. }) if *applied >= index => {
                Err(StoreError::AppliedBefore { index, applied: *applied })
            }
            _ => Ok(()),
        }
    }

    /// Another log, which was checked.
    pub(super) fn begin(&mut self, log: NewLog) {
        let NewLog { purged, vote, applied, entries } = log;
        let entries = entries.into_iter().map(|entry| (entry.index, entry.bytes)).collect();
        *self = Self { entries, purged, vote: Some(vote), applied };
    }

    pub(super) fn set_applied(&mut self, applied: Applied) {
        self.applied = Some(applied);
    }
}
