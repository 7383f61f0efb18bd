//! A folder that is recorded.

use crate::{
    Fault, History,
    record::{FileId, Record},
    vfs,
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Those that are recorded now, by their folders.
static DISKS: Mutex<BTreeMap<PathBuf, Shared>> = Mutex::new(BTreeMap::new());

/// The record of a folder, which its open files have as well.
#[derive(Debug, Clone)]
pub(crate) struct Shared(Arc<Mutex<Record>>);

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The record of the folder of this file, with the file's name, when it is recorded.
pub(crate) fn find(path: &Path) -> Option<(Shared, &str)> {
    let disks = DISKS.lock().unwrap_or_else(PoisonError::into_inner);
    Some((disks.get(path.parent()?)?.clone(), path.file_name()?.to_str()?))
}

/// A folder that is recorded while this lives, with what connections to the databases in it do that are opened with
/// [`Disk::vfs`].
#[derive(Debug)]
pub struct Disk {
    directory: PathBuf,
    record: Shared,
}

impl Disk {
    /// Begins to record. What the folder holds counts as durable.
    #[must_use]
    pub fn attach(directory: &Path) -> Self {
        vfs::register();
        let directory = directory.canonicalize().unwrap();
        let record = Shared(Arc::new(Mutex::new(Record::of(&directory))));
        let mut disks = DISKS.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(disks.insert(directory.clone(), record.clone()).is_none(), "a folder is recorded once at a time");
        drop(disks);
        Self { directory, record }
    }

    /// The name of the VFS. It serves every folder, and records those that are attached.
    #[must_use]
    pub fn vfs(&self) -> &'static str {
        vfs::NAME
    }

    /// How much has happened.
    #[must_use]
    pub fn now(&self) -> usize {
        self.record.lock().len()
    }

    /// How often the file that has this name now was synced.
    #[must_use]
    pub fn syncs(&self, name: &str) -> usize {
        self.record.lock().syncs(name)
    }

    /// From now on fails so, in place of how it was to fail before.
    pub fn fail(&self, fault: Fault) {
        self.record.lock().fail(fault);
    }

    /// Fails no more.
    pub fn heal(&self) {
        self.record.lock().heal();
    }

    /// Whether a call was refused since [`Disk::fail`].
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.record.lock().has_struck()
    }

    /// Ends the recording.
    #[must_use]
    pub fn detach(self) -> History {
        self.record.lock().take()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        DISKS.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.directory);
    }
}

/// Tells a recorded folder that its names were synced by somebody else than SQLite.
pub fn directory_synced(directory: &Path) {
    let directory = directory.canonicalize().unwrap();
    let disks = DISKS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(record) = disks.get(&directory) {
        record.lock().names_synced();
    }
}

/// A file of a recorded folder that is open.
#[derive(Debug)]
pub(crate) struct OpenFile {
    pub(crate) record: Shared,
    pub(crate) file: FileId,
    /// Of so many failed syncs of it this one knows.
    pub(crate) told: usize,
    /// The first sync of a journal or log that was made is one of the folder as well.
    pub(crate) sync_names: bool,
}
