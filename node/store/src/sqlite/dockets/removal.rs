//! Removes, a few at a time, the rows of what was let go.

use crate::{
    StoreError,
    codec::{from_ordered, ordered},
    index::{REMOVED_BYTES, REMOVED_CHUNKS, REMOVED_DOCKETS},
};
use sqlx::SqliteConnection;

/// Removes some dockets of a register that was purged or trimmed; whether there were any.
pub(super) async fn dockets(connection: &mut SqliteConnection) -> Result<bool, StoreError> {
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
pub(super) async fn runs(connection: &mut SqliteConnection) -> Result<bool, StoreError> {
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
