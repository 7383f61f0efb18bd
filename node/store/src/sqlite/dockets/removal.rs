//! Removes, a few at a time, the rows of what was let go.

use crate::{
    StoreError,
    codec::{from_ordered, ordered},
    index::{REMOVED_BYTES, REMOVED_CHUNKS, REMOVED_DOCKETS},
    sqlite::statements::Statements as _,
};
use rusqlite::{Connection, params};

/// Removes some dockets of a register that was purged or trimmed; whether there were any.
pub(super) fn dockets(connection: &Connection) -> Result<bool, StoreError> {
    let due: Option<(i64, i64, bool)> = connection.optional(
        "SELECT id, first, register IS NULL FROM chains WHERE register IS NULL OR lowest < first LIMIT 1",
        [],
    )?;
    let Some((chain, first, purged)) = due else { return Ok(false) };
    let runs = "UPDATE index_runs SET state = 2 WHERE chain = ?1 AND state <> 2 AND (?2 OR last < ?3)";
    connection.run(runs, params![chain, purged, first])?;
    let dockets: Vec<(i64, i64, i64)> = connection.all(
        "SELECT id, number, body_bytes FROM dockets
         WHERE chain = ?1 AND (?2 OR number < ?3) ORDER BY number LIMIT ?4",
        params![chain, purged, first, REMOVED_DOCKETS],
    )?;
    let mut lowest = None;
    let mut bytes = 0;
    for (docket, number, body_bytes) in dockets {
        if bytes >= REMOVED_BYTES {
            break;
        }
        bytes += body_bytes;
        lowest = from_ordered(number).checked_add(1);
        connection.run("DELETE FROM docket_bodies WHERE docket = ?1", [docket])?;
        connection.run("DELETE FROM dockets WHERE id = ?1", [docket])?;
    }
    match lowest {
        // The rest comes with the next steps.
        Some(lowest) => {
            connection.run("UPDATE chains SET lowest = ?1 WHERE id = ?2", params![ordered(lowest), chain])?;
        }
        None if purged => {
            connection.run(
                "DELETE FROM chains WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM index_runs WHERE chain = ?1)",
                [chain],
            )?;
        }
        None => {
            connection.run("UPDATE chains SET lowest = first WHERE id = ?1", [chain])?;
        }
    }
    Ok(true)
}

/// Removes some chunks of a run that was merged or dropped; whether there were any.
pub(super) fn runs(connection: &Connection) -> Result<bool, StoreError> {
    let due: Option<i64> = connection.optional_value("SELECT id FROM index_runs WHERE state = 2 LIMIT 1", [])?;
    let Some(run) = due else { return Ok(false) };
    let removed = connection.run(
        "DELETE FROM index_chunks WHERE id IN (SELECT id FROM index_chunks WHERE run = ?1 LIMIT ?2)",
        params![run, REMOVED_CHUNKS],
    )?;
    if removed < REMOVED_CHUNKS.unsigned_abs() {
        connection.run("DELETE FROM index_runs WHERE id = ?1", [run])?;
    }
    Ok(true)
}
