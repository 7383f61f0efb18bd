//! SQLite as an application would use it: one connection, a row for each transaction, an index by its id, and a synced
//! commit for each row or batch.

use crate::{
    chain::TRANSACTION_BYTES,
    ours::BATCH,
    plan::{Case, Outcome, Plan},
};
use anyhow::Result;
use peerwright_bench_load::payload;
use peerwright_secure::sha256;
use sqlx::{
    Connection as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use std::time::{Duration, Instant};
use tokio::runtime::Builder;

pub(crate) fn run(plan: &Plan) -> Result<Outcome> {
    let rows = match plan.case {
        Case::Single => 1,
        Case::Batch => BATCH as u64,
        _ => return plan.not_done(),
    };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(hand_in(plan, rows))
}

async fn hand_in(plan: &Plan, rows: u64) -> Result<Outcome> {
    let options = SqliteConnectOptions::new()
        .filename(plan.folder.join("rows.sqlite"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    sqlx::query("CREATE TABLE handed_in (id BLOB PRIMARY KEY, body BLOB NOT NULL)").execute(&mut connection).await?;
    let (began, mut number) = (Instant::now(), 0);
    while began.elapsed() < Duration::from_secs(plan.seconds.into()) {
        let mut transaction = connection.begin().await?;
        for _ in 0..rows {
            let body = payload(number, TRANSACTION_BYTES);
            sqlx::query("INSERT INTO handed_in (id, body) VALUES ($1, $2)")
                .bind(sha256(&body).to_vec())
                .bind(body)
                .execute(&mut *transaction)
                .await?;
            number += 1;
        }
        transaction.commit().await?;
    }
    let seconds = began.elapsed().as_secs_f64();
    let (transactions,): (i64,) = sqlx::query_as("SELECT count(*) FROM handed_in").fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(Outcome { transactions: transactions.unsigned_abs(), seconds, ..Outcome::default() })
}
