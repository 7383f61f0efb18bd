//! Removes, a few at a time, the rows of what was let go.

use crate::{
    StoreError,
    codec::{from_ordered, ordered},
    index::{REMOVED_BYTES, REMOVED_CHUNKS, REMOVED_DOCKETS},
    postgres::session::Session,
};

/// Removes some dockets of a register that was purged or trimmed; whether there were any.
pub(super) async fn dockets(session: &Session) -> Result<bool, StoreError> {
    let due: Option<(i64, i64, bool)> = session
        .optional(
            "SELECT id, first, register IS NULL FROM chains WHERE register IS NULL OR lowest < first LIMIT 1",
            &[],
        )
        .await?;
    let Some((chain, first, purged)) = due else { return Ok(false) };
    session
        .execute(
            "UPDATE index_runs SET state = 2 WHERE chain = $1 AND state <> 2 AND ($2 OR last < $3)",
            &[&chain, &purged, &first],
        )
        .await?;
    let dockets: Vec<(i64, i64)> = session
        .all(
            "SELECT number, body_bytes FROM dockets WHERE chain = $1 AND ($2 OR number < $3) ORDER BY number LIMIT $4",
            &[&chain, &purged, &first, &REMOVED_DOCKETS],
        )
        .await?;
    let mut last = None;
    let mut bytes = 0;
    for (number, body_bytes) in dockets {
        if bytes >= REMOVED_BYTES {
            break;
        }
        bytes += body_bytes;
        last = Some(number);
    }
    match last {
        // The rest comes with the next steps.
        Some(last) => {
            session.execute("DELETE FROM docket_bodies WHERE chain = $1 AND number <= $2", &[&chain, &last]).await?;
            session.execute("DELETE FROM dockets WHERE chain = $1 AND number <= $2", &[&chain, &last]).await?;
            let lowest = ordered(from_ordered(last).saturating_add(1));
            session.execute("UPDATE chains SET lowest = $1 WHERE id = $2", &[&lowest, &chain]).await?;
        }
        None if purged => {
            session
                .execute(
                    "DELETE FROM chains WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM index_runs WHERE chain = $1)",
                    &[&chain],
                )
                .await?;
        }
        None => {
            session.execute("UPDATE chains SET lowest = first WHERE id = $1", &[&chain]).await?;
        }
    }
    Ok(true)
}

/// Removes some chunks of a run that was merged or dropped; whether there were any.
pub(super) async fn runs(session: &Session) -> Result<bool, StoreError> {
    let due: Option<(i64,)> = session.optional("SELECT id FROM index_runs WHERE state = 2 LIMIT 1", &[]).await?;
    let Some((run,)) = due else { return Ok(false) };
    let removed = session
        .execute(
            "DELETE FROM index_chunks WHERE run = $1 AND first IN (
                 SELECT first FROM index_chunks WHERE run = $1 ORDER BY first LIMIT $2
             )",
            &[&run, &REMOVED_CHUNKS],
        )
        .await?;
    if removed < REMOVED_CHUNKS.unsigned_abs() {
        session.execute("DELETE FROM index_runs WHERE id = $1", &[&run]).await?;
    }
    Ok(true)
}
