//! The tables: made, brought up to date, and checked whose they are.

use super::session::Session;
use crate::{
    StoreError,
    migrations::{self, Applied, Outstanding, Released},
};
use peerwright_secure::sha256;

/// Every migration that was ever released, in order; a released one never changes.
pub(super) const RELEASED: [Released; 4] = [
    ("messages", include_str!("../../migrations/postgres/0001_messages.sql")),
    ("dockets", include_str!("../../migrations/postgres/0002_dockets.sql")),
    ("dead letters", include_str!("../../migrations/postgres/0003_dead_letters.sql")),
    ("gone", include_str!("../../migrations/postgres/0004_gone.sql")),
];
/// The oldest server that is tested with and still cared for.
const OLDEST_SERVER: i32 = 140_000;

/// Refuses a server that would lose what it has acknowledged, or is too old.
pub(super) async fn require_durable(session: &Session) -> Result<(), StoreError> {
    let (commit, sync, version): (String, String, i32) = session
        .one(
            "SELECT current_setting('synchronous_commit'), current_setting('fsync'),
             current_setting('server_version_num')::INTEGER",
            &[],
        )
        .await?;
    if version < OLDEST_SERVER {
        return Err(StoreError::Unopened(format!("PostgreSQL {} is too old; use 14 or later", version / 10_000)));
    }
    if !["on", "remote_apply"].contains(&commit.as_str()) {
        return Err(StoreError::NotDurable { setting: "synchronous_commit", value: commit, wanted: "on" });
    }
    if sync != "on" {
        return Err(StoreError::NotDurable { setting: "fsync", value: sync, wanted: "on" });
    }
    Ok(())
}

/// Makes the schema when there is none. Whoever made it for the node need not let the node make schemas.
pub(super) async fn ensure(session: &Session, schema: &str) -> Result<(), StoreError> {
    let (is_there,): (bool,) = session.one("SELECT to_regnamespace($1) IS NOT NULL", &[&schema]).await?;
    if !is_there {
        session.run(&format!("CREATE SCHEMA \"{schema}\"")).await?;
    }
    Ok(())
}

/// Runs what was not run yet, all in one transaction.
pub(super) async fn migrate(session: &Session) -> Result<(), StoreError> {
    session.run("BEGIN").await?;
    session
        .run("CREATE TABLE IF NOT EXISTS migrations (version BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum BYTEA NOT NULL)")
        .await?;
    let applied: Vec<Applied> = session.all("SELECT version, checksum FROM migrations", &[]).await?;
    if let Some(newest) = migrations::newer(&applied, &RELEASED)
        && !may_be_newer(session, migrations::last(&RELEASED)).await?
    {
        return Err(StoreError::Newer(newest));
    }
    let checksum = |sql: &str| sha256(sql.as_bytes()).to_vec();
    for Outstanding { version, name, sql, checksum } in migrations::outstanding(&applied, &RELEASED, checksum)? {
        session.run(sql).await?;
        session
            .execute(
                "INSERT INTO migrations (version, name, checksum) VALUES ($1, $2, $3)",
                &[&version, &name, &checksum],
            )
            .await?;
    }
    session.run("COMMIT").await
}

/// Whether a later version has written the store and says that this one may use it all the same: a migration that only
/// adds records as 'readable_by' the lowest schema whose program does no harm, so that an upgrade can be taken back.
async fn may_be_newer(session: &Session, known: i64) -> Result<bool, StoreError> {
    let lowest: Option<(Option<i64>,)> =
        session.optional("SELECT number FROM records WHERE name = 'readable_by'", &[]).await?;
    Ok(lowest.and_then(|(lowest,)| lowest).is_some_and(|lowest| lowest <= known))
}

/// Records the network in a new store, and refuses the store of another.
pub(super) async fn claim(session: &Session, network_uid: &str) -> Result<(), StoreError> {
    session
        .execute("INSERT INTO records (name, text) VALUES ('network_uid', $1) ON CONFLICT DO NOTHING", &[&network_uid])
        .await?;
    let (recorded,): (String,) = session.one("SELECT text FROM records WHERE name = 'network_uid'", &[]).await?;
    if recorded == network_uid {
        Ok(())
    } else {
        Err(StoreError::ForeignNetwork { recorded, expected: network_uid.to_owned() })
    }
}
