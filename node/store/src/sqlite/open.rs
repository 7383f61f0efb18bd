//! Opens the file: checks its place, locks it, has its tables brought up to date.

use super::{options::Options, schema, writer::Writer};
use crate::{StoreError, filesystem};
use std::{
    fs::{File, TryLockError},
    path::Path,
    time::Duration,
};
use tokio::task::spawn_blocking;

/// How often the lock is tried, and the pause between: one second in all.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// The writer of an open store, and the lock of its file.
pub(super) async fn open(options: Options, path: &Path, network_uid: &str) -> Result<(Writer, File), StoreError> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
    filesystem::require_local(&directory)?;
    let lock = lock(path).await?;
    let network_uid = network_uid.to_owned();
    let opening = spawn_blocking(move || {
        let mut connection = options.connect()?;
        schema::migrate(&mut connection, &schema::RELEASED)?;
        schema::claim(&connection, &network_uid)?;
        // SQLite syncs the directory for its log, not for the database itself.
        filesystem::sync_names(&directory)?;
        Ok::<_, StoreError>(Writer::new(options, connection))
    });
    Ok((opening.await??, lock))
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
