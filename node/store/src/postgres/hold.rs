//! Who may write: the process that holds the advisory lock of the schema and has raised its generation last.
//!
//! ```text
//!  start        lock ─▶ migrations ─▶ generation + 1, remembered
//!  each write   BEGIN ─▶ writes + 1 where the generation is ours ─▶ ... ─▶ COMMIT
//!  connection   lock again (ending our own old session) ─▶ generation still ours? ─▶ `writes` tells what was
//!  lost         committed ─▶ go on
//! ```
//!
//! The lock tells a second process at once. The generation is what keeps data whole: a pooler, a failover or an operator
//! may let go of a lock, but a transaction that names an older generation changes nothing.

use super::{
    connector::Connector,
    schema,
    session::{Session, Values},
};
use crate::StoreError;
use futures::try_join;
use std::{sync::Arc, time::Duration};
use twox_hash::XxHash3_64;

/// How long the lock of a process that has just ended is waited for.
pub(super) const LOCK_TIME: Duration = Duration::from_secs(5);
/// Pause between two tries.
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// A schema that this process may write to.
pub(super) struct Hold {
    connector: Arc<Connector>,
    /// Of the advisory lock.
    key: i64,
    generation: i64,
    /// Process of the server that has the lock for us.
    backend: i32,
    /// `writes` after the last transaction that is known to be committed.
    committed: i64,
}

impl Hold {
    /// Opens the schema for this process, and ends whoever had it before.
    pub(super) async fn take(
        connector: Arc<Connector>,
        network_uid: &str,
        lock_time: Duration,
    ) -> Result<(Self, Session), StoreError> {
        let session = connector.connect().await?;
        schema::require_durable(&session).await?;
        let key = XxHash3_64::oneshot(format!("peerwright store {}", connector.schema()).as_bytes()).cast_signed();
        let mut tries = lock_time.as_millis() / LOCK_PAUSE.as_millis();
        while !lock(&session, key).await? {
            if tries == 0 {
                return Err(StoreError::SchemaInUse(connector.schema().to_owned()));
            }
            tries -= 1;
            tokio::time::sleep(LOCK_PAUSE).await;
        }
        schema::ensure(&session, connector.schema()).await?;
        schema::migrate(&session).await?;
        schema::claim(&session, network_uid).await?;
        let (generation, committed, backend): (i64, i64, i32) = session
            .one("UPDATE holder SET generation = generation + 1 RETURNING generation, writes, pg_backend_pid()", &[])
            .await?;
        Ok((Self { connector, key, generation, backend, committed }, session))
    }

    /// Begins a transaction; the value of `writes` once it is committed.
    pub(super) async fn begin(&self, session: &Session) -> Result<i64, StoreError> {
        let generation: Values<'_> = &[&self.generation];
        let named: ((), Option<(i64,)>) = try_join!(
            session.run("BEGIN"),
            session
                .optional("UPDATE holder SET writes = writes + 1 WHERE generation = $1 RETURNING writes", generation,),
        )?;
        named.1.map(|(writes,)| writes).ok_or_else(|| self.taken_over())
    }

    /// A transaction was acknowledged.
    pub(super) fn committed(&mut self, writes: i64) {
        self.committed = writes;
    }

    /// Connects again after the connection was lost; the value of `writes` that is found.
    pub(super) async fn regain(&mut self) -> Result<(Session, i64), StoreError> {
        let session = self.connector.connect().await?;
        schema::require_durable(&session).await.map_err(|refused| StoreError::Unreachable(refused.to_string()))?;
        let mut tries = LOCK_TIME.as_millis() / LOCK_PAUSE.as_millis();
        while !lock(&session, self.key).await? {
            // Whoever has it raises the generation, unless it is our own session of before, which may still be committing.
            self.check(&session).await?;
            if tries == 0 {
                return Err(StoreError::Unreachable("another session holds the lock of the schema".to_owned()));
            }
            tries -= 1;
            self.end_own(&session).await?;
            tokio::time::sleep(LOCK_PAUSE).await;
        }
        let writes = self.check(&session).await?;
        if writes < self.committed {
            return Err(StoreError::Failed(format!(
                "the database has gone back from write {} to {writes}: it was restored, or a copy that lagged took over",
                self.committed
            )));
        }
        (self.backend,) = session.one("SELECT pg_backend_pid()", &[]).await?;
        self.committed = writes;
        Ok((session, writes))
    }

    /// The number of writes, if the generation is still ours.
    async fn check(&self, session: &Session) -> Result<i64, StoreError> {
        let (generation, writes): (i64, i64) = session.one("SELECT generation, writes FROM holder", &[]).await?;
        if generation == self.generation { Ok(writes) } else { Err(self.taken_over()) }
    }

    /// Ends the session that has the lock if that is ours of before: only then is what it has begun decided.
    async fn end_own(&self, session: &Session) -> Result<(), StoreError> {
        let ended: Vec<(bool,)> = session
            .all(
                "SELECT pg_terminate_backend(pid) FROM pg_locks
                 WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND pid = $1
                 AND (classid::BIGINT << 32) | objid::BIGINT = $2
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                &[&self.backend, &self.key],
            )
            .await?;
        if !ended.is_empty() {
            tracing::info!(backend = self.backend, "ended the session that this node had before");
        }
        Ok(())
    }

    fn taken_over(&self) -> StoreError {
        StoreError::TakenOver(self.connector.schema().to_owned())
    }
}

async fn lock(session: &Session, key: i64) -> Result<bool, StoreError> {
    let (is_ours,): (bool,) = session.one("SELECT pg_try_advisory_lock($1)", &[&key]).await?;
    Ok(is_ours)
}
