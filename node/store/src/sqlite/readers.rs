//! The connections that read, from the last commit. A read has one of them for itself, on a thread that may wait for the disk.

use super::options::Options;
use crate::StoreError;
use rusqlite::Connection;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::timeout,
};

/// Enough for concurrent REST reads beside replication; each costs a thread while it reads, and up to 2 MiB of cache.
const MAX_READERS: usize = 4;
/// One that was not used for so long is closed.
const IDLE: Duration = Duration::from_secs(60);
/// A read that waits for longer is refused.
const WAIT: Duration = Duration::from_secs(10);

/// Connections that are opened when they are needed.
#[derive(Debug)]
pub(super) struct Readers {
    options: Options,
    turns: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Idle>>>,
}

/// A connection that nobody uses.
#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

impl Readers {
    pub(super) fn new(options: Options) -> Self {
        Self { options, turns: Arc::new(Semaphore::new(MAX_READERS)), idle: Arc::default() }
    }

    /// Reads, on a connection and a thread of its own. A caller that does not wait for it leaves the connection in order.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = match timeout(WAIT, Arc::clone(&self.turns).acquire_owned()).await {
            Ok(turn) => turn.map_err(|_| StoreError::Closed)?,
            Err(_) => return Err(StoreError::Busy),
        };
        let (options, idle) = (self.options.clone(), Arc::clone(&self.idle));
        spawn_blocking(move || read_on(&options, &idle, read, turn)).await?
    }

    /// Waits for the reads that are under way, and takes no more.
    pub(super) async fn close(&self) {
        let all = u32::try_from(MAX_READERS).unwrap_or(u32::MAX);
        // Refused only when it is closed already.
        let turns = self.turns.acquire_many(all).await;
        self.turns.close();
        drop(turns);
        locked(&self.idle).clear();
    }
}

fn read_on<T>(
    options: &Options,
    idle: &Mutex<Vec<Idle>>,
    read: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
    turn: OwnedSemaphorePermit,
) -> Result<T, StoreError> {
    let unused = locked(idle).pop();
    let mut connection = match unused {
        Some(unused) => unused.connection,
        None => options.connect()?,
    };
    let found = read(&mut connection)?;
    let now = Instant::now();
    let mut idle = locked(idle);
    // The last one used is the next: those below have rested longest.
    let rested = idle.partition_point(|other| now.saturating_duration_since(other.since) > IDLE);
    let rested: Vec<Idle> = idle.drain(..rested).collect();
    idle.push(Idle { connection, since: now });
    drop(idle);
    drop(rested);
    // Whoever has all turns knows that no other connection is open than the idle ones.
    drop(turn);
    Ok(found)
}

fn locked(idle: &Mutex<Vec<Idle>>) -> MutexGuard<'_, Vec<Idle>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::StatementStatus;
    use std::sync::mpsc::sync_channel;

    fn readers() -> (tempfile::TempDir, Readers) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.sqlite");
        Options::writer(&path).connect().unwrap().execute_batch("CREATE TABLE numbers (number)").unwrap();
        (folder, Readers::new(Options::reader(&path)))
    }

    #[tokio::test]
    async fn a_read_that_nobody_waits_for_leaves_its_connection_to_others() {
        let (_folder, readers) = readers();
        for _ in 0..2 * MAX_READERS {
            let (begun, begins) = sync_channel(1);
            let (release, released) = sync_channel::<()>(1);
            let reading = readers.read(move |_| {
                begun.send(()).unwrap();
                Ok(released.recv().is_ok())
            });
            tokio::select! {
                _ = reading => panic!("it was not released"),
                () = async { while begins.try_recv().is_err() { tokio::task::yield_now().await } } => {}
            }
            release.send(()).unwrap();
        }
        readers.close().await;
        assert_eq!(readers.read(|_| Ok(())).await, Err(StoreError::Closed));
    }

    #[tokio::test]
    async fn a_connection_is_used_again_unless_its_read_failed() {
        let (_folder, readers) = readers();
        readers.read(|connection| Ok(connection.execute_batch("CREATE TEMP TABLE mark (x)")?)).await.unwrap();
        let marked = "SELECT COUNT(*) FROM temp.sqlite_schema";
        let count = async || readers.read(|connection| Ok(connection.query_one(marked, [], |row| row.get(0))?)).await;
        assert_eq!(count().await, Ok(1));
        let failed = readers.read(|connection| Ok(connection.execute_batch("DELETE FROM numbers")?)).await;
        assert!(matches!(failed, Err(StoreError::Failed(_))), "a reader must not write");
        assert_eq!(count().await, Ok(0));
    }

    #[tokio::test]
    async fn a_statement_is_prepared_once_whatever_it_is_asked_for() {
        let (_folder, readers) = readers();
        let remade = readers.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT number FROM numbers WHERE number > ?1 LIMIT ?2")?;
            for asked in 1..10 {
                let rows: Result<Vec<i64>, _> = statement.query_map([asked, asked], |row| row.get(0))?.collect();
                rows?;
            }
            Ok(statement.get_status(StatementStatus::RePrepare))
        });
        assert_eq!(remade.await, Ok(0));
    }
}
