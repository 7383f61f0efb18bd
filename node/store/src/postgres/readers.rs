//! The connections that reads share: few, so that many nodes can use one server.
//!
//! A read whose connection is lost is tried once more on a new one: nothing of it was answered, and it changes nothing.
//! So neither a failover nor whoever ends idle sessions is seen by readers while the server can be reached.

use super::{
    columns::Columns,
    connector::Connector,
    session::{Session, Values},
};
use crate::StoreError;
use std::{
    future::Future,
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

impl Readers {
    pub(super) fn new(connector: Arc<Connector>) -> Self {
        Self { connector, room: Semaphore::new(MAX_READERS), idle: Mutex::default() }
    }

    /// Answers a read from one connection; once more, from a new one, if the first is lost meanwhile. What is asked gives
    /// the connection back with its answer.
    ///
    /// A connection is kept for the next read only after an answer: a read that was dropped or refused may have left a
    /// snapshot open.
    pub(super) async fn read<T, A>(&self, query: impl Fn(Session) -> A) -> Result<T, StoreError>
    where
        A: Future<Output = (Session, Result<T, StoreError>)>,
    {
        let _permit = self.permit().await?;
        let session = match self.idle() {
            Some(session) => session,
            None => self.connector.connect().await?,
        };
        let (mut session, mut answer) = query(session).await;
        if let Err(StoreError::Unreachable(why)) = &answer
            && session.is_closed()
        {
            tracing::debug!(why, "a connection was lost while it was read from; the read is tried once more");
            (session, answer) = query(self.connector.connect().await?).await;
        }
        if answer.is_ok() {
            self.keep(session);
        }
        answer
    }

    /// The same, with one state of the store for all that is read.
    pub(super) async fn read_state<T, A>(&self, query: impl Fn(Session) -> A) -> Result<T, StoreError>
    where
        A: Future<Output = (Session, Result<T, StoreError>)>,
    {
        let query = &query;
        self.read(|session| async move {
            if let Err(error) = session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await {
                return (session, Err(error));
            }
            let (session, answer) = query(session).await;
            let ended = if answer.is_ok() { session.run("COMMIT").await } else { Ok(()) };
            (session, ended.and(answer))
        })
        .await
    }

    /// All rows of one query.
    pub(super) async fn all<T: Columns>(&self, query: &'static str, values: Values<'_>) -> Result<Vec<T>, StoreError> {
        self.read(|session| async move {
            let rows = session.all(query, values).await;
            (session, rows)
        })
        .await
    }

    /// The one row that there is, if there is one.
    pub(super) async fn optional<T: Columns>(
        &self,
        query: &'static str,
        values: Values<'_>,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.all(query, values).await?.pop())
    }

    async fn permit(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        let permit = tokio::time::timeout(READER_WAIT, self.room.acquire()).await.map_err(|_| StoreError::Busy)?;
        permit.map_err(|_| StoreError::Closed)
    }

    fn idle(&self) -> Option<Session> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|session| !session.is_closed());
        idle.pop()
    }

    fn keep(&self, session: Session) {
        if !self.room.is_closed() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        }
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
