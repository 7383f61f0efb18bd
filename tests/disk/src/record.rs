//! What happens to the files of one folder, in its order.

use crate::{Call, Fault, History, Reason};
use libsqlite3_sys::{SQLITE_IOERR_FSYNC, SQLITE_OK};
use std::{collections::BTreeMap, ffi::c_int, mem::take, path::Path};

/// A file, whatever its name: its place in the list of files.
pub(crate) type FileId = usize;

#[derive(Debug)]
pub(crate) enum Event {
    Named { name: String, file: FileId },
    Unnamed { name: String },
    Written { file: FileId, offset: usize, bytes: Vec<u8> },
    Truncated { file: FileId, size: usize },
    Synced { file: FileId },
    SyncFailed { file: FileId },
    NamesSynced,
}

#[derive(Debug)]
pub(crate) struct Record {
    /// What was there when the recording began.
    originals: Vec<Vec<u8>>,
    original_names: BTreeMap<String, FileId>,
    names: BTreeMap<String, FileId>,
    sizes: Vec<usize>,
    /// How often each file could not be synced.
    failures: Vec<usize>,
    events: Vec<Event>,
    fault: Option<Fault>,
    struck: bool,
}

impl Record {
    /// Begins with what a folder holds, all of it durable.
    pub(crate) fn of(directory: &Path) -> Self {
        let (mut originals, mut names) = (Vec::new(), BTreeMap::new());
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            names.insert(path.file_name().unwrap().to_str().unwrap().to_owned(), originals.len());
            originals.push(std::fs::read(path).unwrap());
        }
        let sizes: Vec<usize> = originals.iter().map(Vec::len).collect();
        Self {
            originals,
            original_names: names.clone(),
            names,
            failures: vec![0; sizes.len()],
            sizes,
            events: Vec::new(),
            fault: None,
            struck: false,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    pub(crate) fn fail(&mut self, fault: Fault) {
        self.struck = false;
        self.fault = Some(fault);
    }

    pub(crate) fn heal(&mut self) {
        self.fault = None;
    }

    pub(crate) fn has_struck(&self) -> bool {
        self.struck
    }

    /// How often a file with this name was synced.
    pub(crate) fn syncs(&self, name: &str) -> usize {
        let synced = |event: &&Event| matches!(event, Event::Synced { file } if self.names.get(name) == Some(file));
        self.events.iter().filter(synced).count()
    }

    /// The file with this name, and makes it known when it is new.
    pub(crate) fn open(&mut self, name: &str) -> FileId {
        if let Some(file) = self.names.get(name) {
            return *file;
        }
        let file = self.sizes.len();
        self.sizes.push(0);
        self.failures.push(0);
        self.names.insert(name.to_owned(), file);
        self.events.push(Event::Named { name: name.to_owned(), file });
        file
    }

    pub(crate) fn removed(&mut self, name: &str) {
        self.names.remove(name);
        self.events.push(Event::Unnamed { name: name.to_owned() });
    }

    pub(crate) fn names_synced(&mut self) {
        self.events.push(Event::NamesSynced);
    }

    pub(crate) fn write(
        &mut self,
        file: FileId,
        offset: usize,
        bytes: &[u8],
        below: impl FnOnce(&[u8]) -> c_int,
    ) -> c_int {
        let refused = self.strike(Call::Write, offset + bytes.len() > self.sizes[file]);
        let bytes = if refused.is_some() { &bytes[..bytes.len() / 2] } else { bytes };
        let outcome = below(bytes);
        if outcome == SQLITE_OK && !bytes.is_empty() {
            self.sizes[file] = self.sizes[file].max(offset + bytes.len());
            self.events.push(Event::Written { file, offset, bytes: bytes.to_vec() });
        }
        refused.unwrap_or(outcome)
    }

    pub(crate) fn truncate(&mut self, file: FileId, size: usize, below: impl FnOnce() -> c_int) -> c_int {
        if let Some(code) = self.strike(Call::Truncate, false) {
            return code;
        }
        let outcome = below();
        if outcome == SQLITE_OK {
            self.sizes[file] = size;
            self.events.push(Event::Truncated { file, size });
        }
        outcome
    }

    /// How often the file could not be synced.
    pub(crate) fn failures(&self, file: FileId) -> usize {
        self.failures[file]
    }

    /// With the names of the folder, when the file's own is new. Whoever had the file open when it could not be synced is
    /// told of it once, as the kernel does.
    pub(crate) fn sync(&mut self, file: FileId, told: &mut usize, and_names: &mut bool) -> c_int {
        let refused = self.strike(Call::Sync, false);
        self.failures[file] += usize::from(refused.is_some());
        if std::mem::replace(told, self.failures[file]) < self.failures[file] {
            self.events.push(Event::SyncFailed { file });
            return refused.unwrap_or(SQLITE_IOERR_FSYNC);
        }
        self.events.push(Event::Synced { file });
        if take(and_names) {
            self.names_synced();
        }
        SQLITE_OK
    }

    /// What the fault says of this call.
    pub(crate) fn strike(&mut self, call: Call, grows: bool) -> Option<c_int> {
        let fault = self.fault.as_mut()?;
        if fault.call != call || (fault.reason == Reason::NoRoom && !grows) {
            return None;
        }
        if let Some(left) = fault.after.checked_sub(1) {
            fault.after = left;
            return None;
        }
        self.struck = true;
        let code = fault.code();
        if !fault.lasts {
            self.fault = None;
        }
        Some(code)
    }

    pub(crate) fn take(&mut self) -> History {
        let mut files = take(&mut self.originals);
        files.resize(self.sizes.len(), Vec::new());
        History { files, names: take(&mut self.original_names), events: take(&mut self.events) }
    }
}
