//! How connections are made.

use super::checkpoint::{LOG_BYTES, LOG_PAGES, PAGE_BYTES};
use rusqlite::{Connection, OpenFlags, config::DbConfig};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// One writer; readers only wait while the schema changes or a checkpoint restarts the log.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Statements that stay prepared on a connection: all that there are.
const STATEMENTS: usize = 128;

/// Pages that the writer keeps. What it adds to by the hash of a transaction lies on a page of its own each time: of the
/// 2 MiB that SQLite keeps by itself most were read again for every commit of a busy node.
const WRITER_CACHE_KIB: u32 = 16 * 1024;

/// How a connection is made.
#[derive(Debug, Clone)]
pub(super) struct Options {
    path: PathBuf,
    flags: OpenFlags,
    /// Whose files SQLite works on, if not the machine's.
    vfs: Option<String>,
    /// Set in this order.
    pragmas: Vec<(&'static str, String)>,
    /// Pages at which the writer moves its log.
    pub(super) log_pages: u32,
}

impl Options {
    fn new(path: &Path, flags: OpenFlags) -> Self {
        // An image made of a program has no folder for temporary files, and its root takes none.
        let options = Self { path: path.to_owned(), flags, vfs: None, pragmas: Vec::new(), log_pages: LOG_PAGES };
        options.pragma("temp_store", "MEMORY")
    }

    pub(super) fn reader(path: &Path) -> Self {
        Self::new(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
    }

    pub(super) fn writer(path: &Path) -> Self {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Self::new(path, flags)
            // Of a file that is made now, before anything is written.
            .pragma("page_size", PAGE_BYTES)
            .pragma("journal_mode", "WAL")
            .pragma("synchronous", "FULL")
            .pragma("foreign_keys", "ON")
            // A number below nought counts kibibytes, not pages.
            .pragma("cache_size", -i64::from(WRITER_CACHE_KIB))
            // SQLite tells nobody when its own way of moving the log fails: the writer does it.
            .pragma("wal_autocheckpoint", 0)
            // A burst may grow the log; it does not stay that long.
            .pragma("journal_size_limit", LOG_BYTES)
    }

    /// Sets something, in place of what was set before.
    pub(super) fn pragma(mut self, name: &'static str, value: impl ToString) -> Self {
        match self.pragmas.iter_mut().find(|(set, _)| *set == name) {
            Some((_, set)) => *set = value.to_string(),
            None => self.pragmas.push((name, value.to_string())),
        }
        self
    }

    /// Whose writer moves its log at so many pages.
    #[cfg(test)]
    pub(super) fn log_pages(self, log_pages: u32) -> Self {
        Self { log_pages, ..self }
    }

    /// On files of another kind than the machine's.
    #[cfg(test)]
    pub(super) fn vfs(self, name: &str) -> Self {
        Self { vfs: Some(name.to_owned()), ..self }
    }

    pub(super) fn connect(&self) -> rusqlite::Result<Connection> {
        let connection = match &self.vfs {
            Some(vfs) => Connection::open_with_flags_and_vfs(&self.path, self.flags, vfs.as_str())?,
            None => Connection::open_with_flags(&self.path, self.flags)?,
        };
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        // Without it a plan depends on the values that it was made for, and every other value makes it anew.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        // Whoever closes in order says so, see `checkpoint::close`; whatever else ends a connection leaves the log.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        for (name, value) in &self.pragmas {
            connection.execute_batch(&format!("PRAGMA {name} = {value}"))?;
        }
        Ok(connection)
    }
}
