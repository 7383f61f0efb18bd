//! The tables: made, brought up to date, and checked whose they are.

use super::statements::Statements as _;
use crate::{
    StoreError,
    migrations::{self, Applied, Outstanding, Released},
};
use rusqlite::{Connection, TransactionBehavior, params};
use sha2::{Digest as _, Sha384};

/// Every migration that was ever released, in order; a released one never changes.
pub(super) const RELEASED: [Released; 4] = [
    ("messages", include_str!("../../migrations/0001_messages.sql")),
    ("dockets", include_str!("../../migrations/0002_dockets.sql")),
    ("dead letters", include_str!("../../migrations/0003_dead_letters.sql")),
    ("gone", include_str!("../../migrations/0004_gone.sql")),
];

/// What was run. Name, columns and checksums are those of sqlx, by which earlier versions ran it: a store that one of them
/// has written opens here, and the other way round.
const RECORDS: &str = "CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL, checksum BLOB NOT NULL, execution_time BIGINT NOT NULL)";

/// Runs what was not run yet of these, all in one transaction.
pub(super) fn migrate(connection: &mut Connection, released: &[Released]) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(RECORDS)?;
    let applied: Vec<Applied> = transaction.all("SELECT version, checksum FROM _sqlx_migrations", [])?;
    if let Some(newest) = migrations::newer(&applied, released)
        && !may_be_newer(&transaction, migrations::last(released))?
    {
        return Err(StoreError::Newer(newest));
    }
    let checksum = |sql: &str| Sha384::digest(sql.as_bytes()).to_vec();
    for Outstanding { version, name, sql, checksum } in migrations::outstanding(&applied, released, checksum)? {
        transaction.execute_batch(sql)?;
        transaction.run(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (?1, ?2, TRUE, ?3, 0)",
            params![version, name, checksum],
        )?;
    }
    Ok(transaction.commit()?)
}

/// Whether a later version has written the store and says that this one may use it all the same: a migration that only
/// adds records as 'readable_by' the lowest schema whose program does no harm, so that an upgrade can be taken back.
fn may_be_newer(connection: &Connection, known: i64) -> Result<bool, StoreError> {
    let lowest: Option<i64> = connection.optional_value("SELECT value FROM records WHERE name = 'readable_by'", [])?;
    Ok(lowest.is_some_and(|lowest| lowest <= known))
}

/// Records the network in a new store, and refuses the store of another.
pub(super) fn claim(connection: &Connection, network_uid: &str) -> Result<(), StoreError> {
    connection
        .run("INSERT INTO records (name, value) VALUES ('network_uid', ?1) ON CONFLICT DO NOTHING", [network_uid])?;
    let recorded: String = connection.value("SELECT value FROM records WHERE name = 'network_uid'", [])?;
    if recorded == network_uid {
        Ok(())
    } else {
        Err(StoreError::ForeignNetwork { recorded, expected: network_uid.to_owned() })
    }
}
