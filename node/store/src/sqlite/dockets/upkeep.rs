//! What the writer does behind everything else, a step at a time: removes the rows of dockets that were let go, extends
//! the index, merges its runs. A step is a database transaction of its own, so it delays a write by little and never
//! fails one.

use super::{
    chain::Chain,
    index::{self, MIN_RUN_DOCKETS, MIN_RUN_TRANSACTIONS},
};
use crate::{
    StoreError,
    sqlite::codec::{from_ordered, ordered},
};
use sqlx::SqliteConnection;
use std::collections::BTreeSet;

/// Rows that one step merges at least: about a megabyte ...
const MERGE_ROWS: usize = 36_864;
/// ... and so many for each row that it has added, so that the index keeps up with whatever is written: a row passes few
/// levels.
const MERGE_ROWS_EACH: usize = 4;
/// Dockets that one step removes at most ...
const REMOVED_DOCKETS: i64 = 256;
/// ... unless their bodies have more bytes.
const REMOVED_BYTES: i64 = 8 << 20;
/// Chunks of the index that one step removes at most.
const REMOVED_CHUNKS: i64 = 512;

/// What is to be done behind the writes.
#[derive(Debug)]
pub(in crate::sqlite) struct Upkeep {
    /// Whether there may be something to do.
    pub(in crate::sqlite) pending: bool,
    /// Registers whose next docket the index cannot read, until a docket is replaced.
    stuck: BTreeSet<i64>,
}

impl Upkeep {
    /// A store that was just opened may have anything left over.
    pub(in crate::sqlite) fn new() -> Self {
        Self { pending: true, stuck: BTreeSet::new() }
    }

    /// Dockets were written.
    pub(in crate::sqlite) fn look_again(&mut self, replaced: bool) {
        self.pending = true;
        if replaced {
            self.stuck.clear();
        }
    }

    /// A bit of everything that there is to do; `pending` says whether there may be more.
    pub(in crate::sqlite) async fn step(&mut self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let removed = remove_dockets(connection).await? | remove_runs(connection).await?;
        let added = self.extend_index(connection).await?;
        let merge_rows = MERGE_ROWS.max(MERGE_ROWS_EACH * added.unwrap_or_default());
        let merged = index::merge(connection, merge_rows).await?;
        self.pending = removed || added.is_some() || merged;
        Ok(())
    }

    /// Extends the index of one register that has enough to index; how many rows that wrote.
    async fn extend_index(&mut self, connection: &mut SqliteConnection) -> Result<Option<usize>, StoreError> {
        let chains = Chain::load_all(&mut *connection).await?;
        let due = chains.into_iter().find(|chain| {
            let enough =
                chain.unindexed_dockets >= MIN_RUN_DOCKETS || chain.unindexed_transactions >= MIN_RUN_TRANSACTIONS;
            enough && !self.stuck.contains(&chain.id)
        });
        let Some(mut chain) = due else { return Ok(None) };
        let added = index::extend(connection, &mut chain).await?;
        if added.is_none() {
            let number = chain.unindexed_from();
            tracing::warn!(register = %chain.held.register, number, "the index waits for a docket that the disk has changed");
            self.stuck.insert(chain.id);
        }
        Ok(Some(added.unwrap_or_default()))
    }
}

/// Removes some dockets of a register that was purged or trimmed; whether there were any.
async fn remove_dockets(connection: &mut SqliteConnection) -> Result<bool, StoreError> {
    let due: Option<(i64, i64, bool)> = sqlx::query_as(
        "SELECT id, first, register IS NULL FROM chains WHERE register IS NULL OR lowest < first LIMIT 1",
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some((chain, first, purged)) = due else { return Ok(false) };
    let runs = "UPDATE index_runs SET state = 2 WHERE chain = $1 AND state <> 2 AND ($2 OR last < $3)";
    sqlx::query(runs).bind(chain).bind(purged).bind(first).execute(&mut *connection).await?;
    let dockets: Vec<(i64, i64, i64)> = sqlx::query_as(
        "SELECT id, number, body_bytes FROM dockets WHERE chain = $1 AND ($2 OR number < $3) ORDER BY number LIMIT $4",
    )
    .bind(chain)
    .bind(purged)
    .bind(first)
    .bind(REMOVED_DOCKETS)
    .fetch_all(&mut *connection)
    .await?;
    let mut lowest = None;
    let mut bytes = 0;
    for (docket, number, body_bytes) in dockets {
        if bytes >= REMOVED_BYTES {
            break;
        }
        bytes += body_bytes;
        lowest = from_ordered(number).checked_add(1);
        sqlx::query("DELETE FROM docket_bodies WHERE docket = $1").bind(docket).execute(&mut *connection).await?;
        sqlx::query("DELETE FROM dockets WHERE id = $1").bind(docket).execute(&mut *connection).await?;
    }
    match lowest {
        // The rest comes with the next steps.
        Some(lowest) => {
            sqlx::query("UPDATE chains SET lowest = $1 WHERE id = $2")
                .bind(ordered(lowest))
                .bind(chain)
                .execute(connection)
                .await?;
        }
        None if purged => {
            sqlx::query("DELETE FROM chains WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM index_runs WHERE chain = $1)")
                .bind(chain)
                .execute(connection)
                .await?;
        }
        None => {
            sqlx::query("UPDATE chains SET lowest = first WHERE id = $1").bind(chain).execute(connection).await?;
        }
    }
    Ok(true)
}

/// Removes some chunks of a run that was merged or dropped; whether there were any.
async fn remove_runs(connection: &mut SqliteConnection) -> Result<bool, StoreError> {
    let due: Option<i64> = sqlx::query_scalar("SELECT id FROM index_runs WHERE state = 2 LIMIT 1")
        .fetch_optional(&mut *connection)
        .await?;
    let Some(run) = due else { return Ok(false) };
    let removed =
        sqlx::query("DELETE FROM index_chunks WHERE id IN (SELECT id FROM index_chunks WHERE run = $1 LIMIT $2)")
            .bind(run)
            .bind(REMOVED_CHUNKS)
            .execute(&mut *connection)
            .await?
            .rows_affected();
    if removed < REMOVED_CHUNKS.unsigned_abs() {
        sqlx::query("DELETE FROM index_runs WHERE id = $1").bind(run).execute(connection).await?;
    }
    Ok(true)
}
