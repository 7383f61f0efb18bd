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
use rusqlite::{Connection, params};
use std::time::{Duration, Instant};

pub(crate) fn run(plan: &Plan) -> Result<Outcome> {
    let rows = match plan.case {
        Case::Single => 1,
        Case::Batch => BATCH as u64,
        _ => return plan.not_done(),
    };
    let mut connection = Connection::open(plan.folder.join("rows.sqlite"))?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE handed_in (id BLOB PRIMARY KEY, body BLOB NOT NULL)",
    )?;
    let (began, mut number) = (Instant::now(), 0);
    while began.elapsed() < Duration::from_secs(plan.seconds.into()) {
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO handed_in (id, body) VALUES (?1, ?2)")?;
            for _ in 0..rows {
                let body = payload(number, TRANSACTION_BYTES);
                insert.execute(params![sha256(&body), body])?;
                number += 1;
            }
        }
        transaction.commit()?;
    }
    let seconds = began.elapsed().as_secs_f64();
    let transactions: i64 = connection.query_one("SELECT count(*) FROM handed_in", [], |row| row.get(0))?;
    Ok(Outcome { transactions: transactions.unsigned_abs(), seconds, ..Outcome::default() })
}
