//! One connection, with the statements that it has prepared and a limit on how long an answer may take.
//!
//! Calls that are begun together are sent together and answered in their order: `try_join!` of several costs one round
//! trip.

use super::{columns::Columns, failure};
use crate::StoreError;
use std::{
    collections::HashMap,
    future::Future,
    pin::pin,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio_postgres::{
    Client, Error, Statement,
    binary_copy::BinaryCopyInWriter,
    types::{ToSql, Type},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// A statement that is not answered within this time is given up, and the connection with it.
const ANSWER_TIME: Duration = Duration::from_secs(60);
/// How long an orderly end may take.
const GOODBYE_TIME: Duration = Duration::from_secs(2);

/// What a statement is given.
pub(super) type Values<'v> = &'v [&'v (dyn ToSql + Sync)];

/// Why a transaction was not acknowledged as committed.
pub(super) enum Uncommitted {
    /// The server has refused it.
    Refused(StoreError),
    /// The connection was lost while the commit was under way.
    Unknown(StoreError),
}

/// An open connection.
pub(super) struct Session {
    client: Client,
    statements: Mutex<HashMap<&'static str, Statement>>,
    closed: CancellationToken,
    /// An answer has said so; the end itself is heard a moment later.
    lost: AtomicBool,
    driver: AbortOnDropHandle<()>,
}

impl Session {
    /// Takes a connection that was just made; `connection` moves its bytes.
    pub(super) fn new(client: Client, connection: impl Future<Output = Result<(), Error>> + Send + 'static) -> Self {
        let closed = CancellationToken::new();
        let ended = closed.clone().drop_guard();
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = failure::line(&error), "a connection to the database has ended");
            }
            drop(ended);
        });
        let driver = AbortOnDropHandle::new(driver);
        Self { client, statements: Mutex::default(), closed, lost: AtomicBool::new(false), driver }
    }

    /// Whether the connection has ended, or the last that came by it was its end.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.is_cancelled() || self.client.is_closed() || self.lost.load(Ordering::Relaxed)
    }

    /// Resolves when the connection has ended.
    pub(super) async fn closed(&self) {
        self.closed.cancelled().await;
    }

    /// Tells the server that this is the end.
    pub(super) async fn close(self) {
        drop(self.client);
        // Whatever hangs is ended when the handle goes.
        drop(tokio::time::timeout(GOODBYE_TIME, self.driver).await);
    }

    /// Statements without values, one or several.
    pub(super) async fn run(&self, statements: &str) -> Result<(), StoreError> {
        self.within(self.client.batch_execute(statements)).await
    }

    /// How many rows a statement has changed.
    pub(super) async fn execute(&self, statement: &'static str, values: Values<'_>) -> Result<u64, StoreError> {
        self.within(async { self.client.execute(&self.prepared(statement).await?, values).await }).await
    }

    /// All rows.
    pub(super) async fn all<T: Columns>(&self, query: &'static str, values: Values<'_>) -> Result<Vec<T>, StoreError> {
        let rows = self.within(async { self.client.query(&self.prepared(query).await?, values).await }).await?;
        rows.iter().map(T::read).collect()
    }

    /// The one row that there is, if there is one.
    pub(super) async fn optional<T: Columns>(
        &self,
        query: &'static str,
        values: Values<'_>,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.all(query, values).await?.pop())
    }

    /// The one row that there always is.
    pub(super) async fn one<T: Columns>(&self, query: &'static str, values: Values<'_>) -> Result<T, StoreError> {
        let row = self.optional(query, values).await?;
        row.ok_or_else(|| StoreError::Damaged("a row that is always there is missing".to_owned()))
    }

    /// Fills a table in the binary form of `COPY`.
    pub(super) async fn copy<R, const N: usize>(
        &self,
        statement: &'static str,
        types: &[Type; N],
        rows: &[R],
        values: impl for<'r> Fn(&'r R) -> [&'r (dyn ToSql + Sync); N],
    ) -> Result<(), StoreError> {
        self.within(async {
            let sink = self.client.copy_in(&self.prepared(statement).await?).await?;
            let mut writer = pin!(BinaryCopyInWriter::new(sink, types));
            for row in rows {
                writer.as_mut().write(&values(row)).await?;
            }
            writer.finish().await
        })
        .await?;
        Ok(())
    }

    /// Ends the transaction.
    pub(super) async fn commit(&self) -> Result<(), Uncommitted> {
        match tokio::time::timeout(ANSWER_TIME, self.client.batch_execute("COMMIT")).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) if failure::is_refusal(&error) => Err(Uncommitted::Refused(error.into())),
            Ok(Err(error)) => Err(Uncommitted::Unknown(error.into())),
            Err(_) => Err(Uncommitted::Unknown(unanswered())),
        }
    }

    async fn within<T>(&self, answer: impl Future<Output = Result<T, Error>>) -> Result<T, StoreError> {
        match tokio::time::timeout(ANSWER_TIME, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                if !failure::is_refusal(&error) {
                    self.lost.store(true, Ordering::Relaxed);
                }
                Err(error.into())
            }
            Err(_) => Err(unanswered()),
        }
    }

    async fn prepared(&self, statement: &'static str) -> Result<Statement, Error> {
        if let Some(prepared) = self.lock().get(statement) {
            return Ok(prepared.clone());
        }
        let prepared = self.client.prepare(statement).await?;
        self.lock().insert(statement, prepared.clone());
        Ok(prepared)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<&'static str, Statement>> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unanswered() -> StoreError {
    StoreError::Unreachable(format!("it has not answered within {} s", ANSWER_TIME.as_secs()))
}
