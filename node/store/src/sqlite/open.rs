//! Opens the file: checks its place, locks it, brings its schema up to date, checks whose it is.

use super::{
    checkpoint::{LOG_BYTES, LOG_PAGES, PAGE_BYTES},
    writer::Writer,
};
use crate::{StoreError, filesystem};
use sqlx::{
    Connection, SqlSafeStr, SqliteConnection, SqlitePool,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{
    fs::{File, TryLockError},
    path::Path,
    time::Duration,
};

/// One writer; readers only wait while the schema changes or a checkpoint restarts the log.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Enough for concurrent REST reads beside replication; each costs a thread and up to 2 MiB of cache.
const MAX_READERS: u32 = 4;
const READER_IDLE: Duration = Duration::from_secs(60);
const READER_WAIT: Duration = Duration::from_secs(10);

/// How often the lock is tried, and the pause between: one second in all.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// An open store.
pub(super) struct Opened {
    pub(super) writer: Writer,
    pub(super) readers: SqlitePool,
    pub(super) lock: File,
}

pub(super) async fn open(options: SqliteConnectOptions, path: &Path, network_uid: &str) -> Result<Opened, StoreError> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    filesystem::require_local(directory)?;
    let lock = lock(path).await?;
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let mut migrations = migrations();
    migrations.set_ignore_missing(may_be_newer(&mut connection, &migrations).await?);
    migrations.run_direct(None, &mut connection, false).await?;
    claim(&mut connection, network_uid).await?;
    // SQLite syncs the directory for its log, not for the database itself.
    filesystem::sync_names(directory)?;
    let readers = SqlitePoolOptions::new()
        .max_connections(MAX_READERS)
        .idle_timeout(READER_IDLE)
        .acquire_timeout(READER_WAIT)
        .connect_lazy_with(reader_options(path));
    Ok(Opened { writer: Writer::new(options, connection), readers, lock })
}

pub(super) fn reader_options(path: &Path) -> SqliteConnectOptions {
    options(path).read_only(true)
}

/// An image made of a program has no folder for temporary files, and its root takes none.
fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).busy_timeout(BUSY_TIMEOUT).pragma("temp_store", "MEMORY")
}

pub(super) fn writer_options(path: &Path) -> SqliteConnectOptions {
    options(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // One statement for each number of transactions in a message, and the rest.
        .statement_cache_capacity(128)
        .page_size(PAGE_BYTES)
        .pragma("wal_autocheckpoint", LOG_PAGES.to_string())
        // A burst may grow the log; it does not stay that long.
        .pragma("journal_size_limit", LOG_BYTES.to_string())
}

/// A lock of the process, freed by its end however it ends. A program that it starts holds it as well for the moment
/// until it is that program.
async fn lock(path: &Path) -> Result<File, StoreError> {
    let path = path.with_extension("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| unopened(&path, &error))?;
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_PAUSE).await,
            Err(TryLockError::Error(error)) => return Err(unopened(&path, &error)),
        }
    }
    Err(StoreError::InUse(path))
}

fn unopened(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Unopened(format!("{}: {error}", path.display()))
}

/// Every schema that was ever released, in order; a released one never changes.
pub(super) fn migrations() -> Migrator {
    let released = [
        ("messages", include_str!("../../migrations/0001_messages.sql")),
        ("dockets", include_str!("../../migrations/0002_dockets.sql")),
        ("dead letters", include_str!("../../migrations/0003_dead_letters.sql")),
        ("gone", include_str!("../../migrations/0004_gone.sql")),
    ];
    let migrations = (1..).zip(released).map(|(version, (name, sql))| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
}

/// Whether a later version has written the store and says that this one may use it all the same: a migration that only
/// adds records as 'readable_by' the lowest schema whose program does no harm, so that an upgrade can be taken back.
async fn may_be_newer(connection: &mut SqliteConnection, known: &Migrator) -> Result<bool, StoreError> {
    let is_new: bool = sqlx::query_scalar("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'records')")
        .fetch_one(&mut *connection)
        .await?;
    if is_new {
        return Ok(false);
    }
    let readable_by: Option<i64> =
        sqlx::query_scalar("SELECT value FROM records WHERE name = 'readable_by'").fetch_optional(connection).await?;
    let last = known.iter().map(|migration| migration.version).max();
    Ok(readable_by.is_some_and(|lowest| Some(lowest) <= last))
}

/// Records the network in a new store, and refuses the store of another.
async fn claim(connection: &mut SqliteConnection, network_uid: &str) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO records (name, value) VALUES ('network_uid', $1) ON CONFLICT DO NOTHING")
        .bind(network_uid)
        .execute(&mut *connection)
        .await?;
    let recorded: String =
        sqlx::query_scalar("SELECT value FROM records WHERE name = 'network_uid'").fetch_one(connection).await?;
    if recorded == network_uid {
        Ok(())
    } else {
        Err(StoreError::ForeignNetwork { recorded, expected: network_uid.to_owned() })
    }
}
