//! The connections that reads share: few, so that many nodes can use one server.

use super::{connector::Connector, session::Session};
use crate::StoreError;
use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Enough for concurrent REST reads beside replication; each is a process of the server.
const MAX_READERS: usize = 4;
/// A read that finds no connection free for so long is refused with [`StoreError::Busy`].
const READER_WAIT: Duration = Duration::from_secs(10);

/// Connections that nobody uses at the moment, and the room for more.
pub(super) struct Readers {
    connector: Arc<Connector>,
    room: Semaphore,
    idle: Mutex<Vec<Session>>,
}

/// A connection for one read. It is closed unless it is given back: a read that was dropped or refused may have left a
/// snapshot open.
pub(super) struct Reader<'p> {
    session: Session,
    pool: &'p Readers,
    _permit: SemaphorePermit<'p>,
}

impl Readers {
    pub(super) fn new(connector: Arc<Connector>) -> Self {
        Self { connector, room: Semaphore::new(MAX_READERS), idle: Mutex::default() }
    }

    /// Takes a connection, or makes one.
    pub(super) async fn take(&self) -> Result<Reader<'_>, StoreError> {
        let permit = tokio::time::timeout(READER_WAIT, self.room.acquire()).await.map_err(|_| StoreError::Busy)?;
        let permit = permit.map_err(|_| StoreError::Closed)?;
        let session = match self.idle() {
            Some(session) => session,
            None => self.connector.connect().await?,
        };
        Ok(Reader { session, pool: self, _permit: permit })
    }

    fn idle(&self) -> Option<Session> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|session| !session.is_closed());
        idle.pop()
    }

    /// Refuses every later read, and closes what nobody uses.
    pub(super) async fn close(&self) {
        self.room.close();
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for session in idle {
            session.close().await;
        }
    }
}

impl Reader<'_> {
    /// One state of the store for all that follows, until the reader is given back.
    pub(super) async fn snapshot(&self) -> Result<(), StoreError> {
        self.session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
    }

    /// Ends a snapshot.
    pub(super) async fn end_snapshot(&self) -> Result<(), StoreError> {
        self.session.run("COMMIT").await
    }

    pub(super) fn give_back(self) {
        if !self.pool.room.is_closed() {
            self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(self.session);
        }
    }
}

impl Deref for Reader<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl DerefMut for Reader<'_> {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.session
    }
}
