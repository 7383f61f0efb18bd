//! Makes the index behind the head, and merges its runs.

use super::{
    chain::Chain,
    queries::checked_ids,
    run::{self, CHUNK_ROWS, Merge, Row},
};
use crate::{
    StoreError, TransactionPlace,
    checksum::Checked,
    sqlite::codec::{from_ordered, ordered},
};
use futures::TryStreamExt;
use sqlx::SqliteConnection;

/// So many dockets or transactions above the index are worth a run; fewer are found by reading their ids.
pub(super) const MIN_RUN_DOCKETS: u64 = 1_024;
pub(super) const MIN_RUN_TRANSACTIONS: u64 = 16_384;
/// A run is made of at most so many transactions (a single docket may have more) ...
const MAX_RUN_TRANSACTIONS: i64 = 131_072;
/// ... and dockets.
const MAX_RUN_DOCKETS: i64 = 16_384;
/// So many runs of one level become one of the next.
const FAN_IN: i64 = 16;

/// States of a run, see the migration.
const BUILDING: i64 = 0;
const LIVE: i64 = 1;
const DROPPED: i64 = 2;

/// Indexes dockets above the index; how many rows that wrote. `None` when the next docket's ids are corrupt.
pub(super) async fn extend(connection: &mut SqliteConnection, chain: &mut Chain) -> Result<Option<usize>, StoreError> {
    let from = chain.unindexed_from();
    if from > chain.held.head {
        return Ok(Some(0));
    }
    let (mut rows, mut dockets) = (Vec::new(), 0);
    let mut last = None;
    let mut stream = sqlx::query_as::<_, (i64, Option<i64>, Option<Vec<u8>>)>(
        "SELECT number, ids_checksum, ids FROM (
             SELECT chosen, number, SUM(size) OVER (ORDER BY number) AS total, ROW_NUMBER() OVER (ORDER BY number) AS place
             FROM (
                 SELECT id AS chosen, number, transactions AS size FROM dockets
                 WHERE chain = $1 AND number >= $2 ORDER BY number LIMIT $3
             ) AS sizes
         ) AS sums LEFT JOIN docket_bodies ON docket = chosen WHERE total <= $4 OR place = 1 ORDER BY number",
    )
    .bind(chain.id)
    .bind(ordered(from))
    .bind(MAX_RUN_DOCKETS)
    .bind(MAX_RUN_TRANSACTIONS)
    .fetch(&mut *connection);
    while let Some((number, checksum, ids)) = stream.try_next().await? {
        let number = from_ordered(number);
        let Ok(ids) = checked_ids(chain.held.register, number, checksum, ids) else { break };
        let places = (0..).map(|position| TransactionPlace { number, position });
        rows.extend(ids.iter().zip(places).map(|(id, place)| Row::new(id, place)));
        last = Some(number);
        dockets += 1;
    }
    drop(stream);
    let Some(last) = last else { return Ok(None) };
    rows.sort_unstable();
    let run = Run { level: 0, first: from, last };
    let run = run.insert(connection, chain.id, LIVE).await?;
    for chunk in rows.chunks(CHUNK_ROWS) {
        insert_chunk(connection, run, chunk).await?;
    }
    chain.held.indexed_through = Some(last);
    chain.unindexed_dockets = chain.unindexed_dockets.saturating_sub(dockets);
    chain.unindexed_transactions = chain.unindexed_transactions.saturating_sub(rows.len() as u64);
    chain.save(connection).await?;
    begin_merge(connection, chain.id).await?;
    Ok(Some(rows.len()))
}

struct Run {
    level: i64,
    first: u64,
    last: u64,
}

impl Run {
    async fn insert(&self, connection: &mut SqliteConnection, chain: i64, state: i64) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar(
            "INSERT INTO index_runs (chain, level, first, last, state) VALUES ($1, $2, $3, $4, $5) RETURNING id",
        )
        .bind(chain)
        .bind(self.level)
        .bind(ordered(self.first))
        .bind(ordered(self.last))
        .bind(state)
        .fetch_one(connection)
        .await?)
    }
}

async fn insert_chunk(connection: &mut SqliteConnection, run: i64, rows: &[Row]) -> Result<(), StoreError> {
    let Some(first) = rows.first() else { return Ok(()) };
    let entries = run::encode(rows);
    sqlx::query("INSERT INTO index_chunks (run, first, checksum, entries) VALUES ($1, $2, $3, $4)")
        .bind(run)
        .bind(first.encode())
        .bind(Checked::Chunk(run).checksum(&entries))
        .bind(entries)
        .execute(connection)
        .await?;
    Ok(())
}

/// Begins to merge the oldest runs of the lowest level that has enough, unless a merge is under way.
async fn begin_merge(connection: &mut SqliteConnection, chain: i64) -> Result<(), StoreError> {
    let full: Option<i64> = sqlx::query_scalar(
        "SELECT level FROM index_runs WHERE chain = $1 AND state = 1
         AND NOT EXISTS (SELECT 1 FROM index_runs WHERE chain = $1 AND state = 0)
         GROUP BY level HAVING COUNT(*) >= $2 ORDER BY level LIMIT 1",
    )
    .bind(chain)
    .bind(FAN_IN)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(level) = full else { return Ok(()) };
    let (first, last): (i64, i64) = sqlx::query_as(
        "SELECT MIN(first), MAX(last) FROM (
             SELECT first, last FROM index_runs WHERE chain = $1 AND state = 1 AND level = $2 ORDER BY last LIMIT $3
         ) AS oldest",
    )
    .bind(chain)
    .bind(level)
    .bind(FAN_IN)
    .fetch_one(&mut *connection)
    .await?;
    let run = Run { level: level + 1, first: from_ordered(first), last: from_ordered(last) };
    run.insert(connection, chain, BUILDING).await?;
    Ok(())
}

/// What a merge is made of.
struct Job {
    run: i64,
    chain: i64,
    /// Dockets below were let go meanwhile.
    first: u64,
    inputs: Vec<i64>,
}

/// Merges on, at most so many rows; whether there was anything to merge.
pub(super) async fn merge(connection: &mut SqliteConnection, max_rows: usize) -> Result<bool, StoreError> {
    let Some(job) = next_job(connection).await? else { return Ok(false) };
    let Some(mut merge) = open(connection, &job).await? else {
        tracing::warn!(chain = job.chain, "the disk has changed the index by transaction; it is made again");
        drop_index(connection, job.chain).await?;
        return Ok(true);
    };
    let mut chunk = Vec::with_capacity(CHUNK_ROWS);
    let mut merged = 0;
    while let Some((row, ended)) = merge.pop() {
        if let Some(input) = ended
            && let Some(run) = job.inputs.get(input)
            && let Some(next) = next_chunk(connection, *run, row).await?
        {
            let Some(next) = next.checked(*run) else {
                drop_index(connection, job.chain).await?;
                return Ok(true);
            };
            merge.read(input, next, None);
        }
        if row.place.number >= job.first {
            chunk.push(row);
        }
        if chunk.len() == CHUNK_ROWS {
            insert_chunk(connection, job.run, &chunk).await?;
            merged += chunk.len();
            chunk.clear();
            if merged >= max_rows {
                // The next step begins behind the last chunk that is written.
                return Ok(true);
            }
        }
    }
    insert_chunk(connection, job.run, &chunk).await?;
    finish(connection, &job).await?;
    Ok(true)
}

async fn next_job(connection: &mut SqliteConnection) -> Result<Option<Job>, StoreError> {
    let row: Option<(i64, i64, i64, i64, i64, i64)> = sqlx::query_as(
        "SELECT index_runs.id, chain, chains.first, level, index_runs.first, last
         FROM index_runs JOIN chains ON chains.id = chain WHERE state = 0 ORDER BY index_runs.id LIMIT 1",
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some((run, chain, held_from, level, first, last)) = row else { return Ok(None) };
    let inputs = sqlx::query_scalar(
        "SELECT id FROM index_runs WHERE chain = $1 AND state = 1 AND level = $2 AND first >= $3 AND last <= $4",
    )
    .bind(chain)
    .bind(level - 1)
    .bind(first)
    .bind(last)
    .fetch_all(connection)
    .await?;
    Ok(Some(Job { run, chain, first: from_ordered(held_from), inputs }))
}

/// A chunk that was read.
struct Chunk {
    checksum: i64,
    entries: Vec<u8>,
}

impl Chunk {
    fn checked(self, run: i64) -> Option<Vec<u8>> {
        (Checked::Chunk(run).checksum(&self.entries) == self.checksum).then_some(self.entries)
    }
}

/// Opens the inputs behind what is written already; `None` when a chunk is corrupt.
async fn open(connection: &mut SqliteConnection, job: &Job) -> Result<Option<Merge>, StoreError> {
    let after = match chunk_at(connection, job.run, Row::LAST).await? {
        None => None,
        Some(written) => match written.checked(job.run) {
            Some(entries) => run::last_row(&entries),
            None => return Ok(None),
        },
    };
    let mut merge = Merge::new(job.inputs.len());
    for (input, run) in job.inputs.iter().enumerate() {
        // The chunk in which the row lies, then the one after it when the row is its last.
        let mut found = match after {
            Some(after) => chunk_at(connection, *run, after).await?,
            None => None,
        };
        if found.is_none() {
            found = first_chunk(connection, *run).await?;
        }
        while let Some(read) = found {
            let Some(entries) = read.checked(*run) else { return Ok(None) };
            let last = run::last_row(&entries);
            found = match last {
                Some(last) if !merge.read(input, entries, after) => next_chunk(connection, *run, last).await?,
                _ => None,
            };
        }
    }
    Ok(Some(merge))
}

/// The last chunk of a run that begins at or before a row.
async fn chunk_at(connection: &mut SqliteConnection, run: i64, row: Row) -> Result<Option<Chunk>, StoreError> {
    let found = sqlx::query_as(
        "SELECT checksum, entries FROM index_chunks WHERE run = $1 AND first <= $2 ORDER BY first DESC LIMIT 1",
    )
    .bind(run)
    .bind(row.encode())
    .fetch_optional(connection)
    .await?;
    Ok(found.map(|(checksum, entries)| Chunk { checksum, entries }))
}

async fn first_chunk(connection: &mut SqliteConnection, run: i64) -> Result<Option<Chunk>, StoreError> {
    let row = sqlx::query_as("SELECT checksum, entries FROM index_chunks WHERE run = $1 ORDER BY first LIMIT 1")
        .bind(run)
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|(checksum, entries)| Chunk { checksum, entries }))
}

async fn next_chunk(connection: &mut SqliteConnection, run: i64, after: Row) -> Result<Option<Chunk>, StoreError> {
    let row = sqlx::query_as(
        "SELECT checksum, entries FROM index_chunks WHERE run = $1 AND first > $2 ORDER BY first LIMIT 1",
    )
    .bind(run)
    .bind(after.encode())
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|(checksum, entries)| Chunk { checksum, entries }))
}

/// From here on the merged run answers.
async fn finish(connection: &mut SqliteConnection, job: &Job) -> Result<(), StoreError> {
    for input in &job.inputs {
        set_state(connection, *input, DROPPED).await?;
    }
    set_state(connection, job.run, LIVE).await?;
    begin_merge(connection, job.chain).await
}

async fn set_state(connection: &mut SqliteConnection, run: i64, state: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE index_runs SET state = $1 WHERE id = $2").bind(state).bind(run).execute(connection).await?;
    Ok(())
}

/// Gives the index of a register up, to be made again.
pub(super) async fn drop_index(connection: &mut SqliteConnection, chain: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE index_runs SET state = $1 WHERE chain = $2")
        .bind(DROPPED)
        .bind(chain)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "UPDATE chains SET indexed = NULL, unindexed_transactions = transactions, unindexed_dockets = head - first + 1
         WHERE id = $1",
    )
    .bind(chain)
    .execute(connection)
    .await?;
    Ok(())
}
