//! Looks a transaction up: in the runs of the index, then among the ids of the dockets above them.

use super::{
    chain::Chain,
    queries::checked_ids,
    run::{self, Row},
};
use crate::{
    Seen, StoreError, TransactionPlace,
    checksum::Checked,
    sqlite::codec::{from_ordered, ordered},
};
use futures::TryStreamExt;
use peerwright_ledger::{RegisterId, TransactionId};
use sqlx::{SqliteConnection, SqlitePool};

/// What a look-up came to.
pub(in crate::sqlite) enum Found {
    /// Where it is, if it is held.
    Answer(Option<TransactionPlace>),
    /// The disk has changed the index.
    IndexCorrupt,
}

pub(in crate::sqlite) async fn find(
    readers: &SqlitePool,
    register: RegisterId,
    id: TransactionId,
    seen: Seen,
) -> Result<Found, StoreError> {
    // Runs are merged and dropped meanwhile: all is read from one state of the store.
    let mut snapshot = readers.begin().await?;
    let Some(chain) = Chain::load(&mut *snapshot, register).await? else { return Ok(Found::Answer(None)) };
    let Some(last) = chain.held.last(seen) else { return Ok(Found::Answer(None)) };
    let Some(mut candidates) = in_runs(&mut snapshot, &chain, &id).await? else { return Ok(Found::IndexCorrupt) };
    candidates.retain(|place| (chain.held.first..=last).contains(&place.number));
    candidates.sort_unstable();
    for place in candidates {
        if ids_of(&mut snapshot, &chain, place.number).await?.get(place.position as usize) == Some(&id) {
            return Ok(Found::Answer(Some(place)));
        }
    }
    in_tail(&mut snapshot, &chain, &id, last).await.map(Found::Answer)
}

/// Where the index says that it may be; `None` when a chunk is corrupt.
async fn in_runs(
    connection: &mut SqliteConnection,
    chain: &Chain,
    id: &TransactionId,
) -> Result<Option<Vec<TransactionPlace>>, StoreError> {
    let chunks: Vec<(i64, i64, Vec<u8>)> = sqlx::query_as(
        "SELECT index_runs.id, checksum, entries FROM index_runs JOIN index_chunks ON index_chunks.id = (
             SELECT id FROM index_chunks AS before WHERE before.run = index_runs.id AND before.first <= $1
             ORDER BY before.first DESC LIMIT 1
         ) WHERE index_runs.chain = $2 AND index_runs.state = 1",
    )
    .bind(Row::last_of(id).encode())
    .bind(chain.id)
    .fetch_all(&mut *connection)
    .await?;
    let mut places = Vec::new();
    for (run, mut checksum, mut chunk) in chunks {
        loop {
            if Checked::Chunk(run).checksum(&chunk) != checksum {
                return Ok(None);
            }
            places.extend(run::look_up(&chunk, id));
            // Rows of one id may begin in the chunk before.
            let Some(first) = run::first_row(&chunk).filter(|first| first.may_be(id)) else { break };
            let before: Option<(i64, Vec<u8>)> = sqlx::query_as(
                "SELECT checksum, entries FROM index_chunks WHERE run = $1 AND first < $2 ORDER BY first DESC LIMIT 1",
            )
            .bind(run)
            .bind(first.encode())
            .fetch_optional(&mut *connection)
            .await?;
            match before {
                Some(before) => (checksum, chunk) = before,
                None => break,
            }
        }
    }
    Ok(Some(places))
}

async fn ids_of(
    connection: &mut SqliteConnection,
    chain: &Chain,
    number: u64,
) -> Result<Vec<TransactionId>, StoreError> {
    let row: Option<(i64, Vec<u8>)> = sqlx::query_as(
        "SELECT ids_checksum, ids FROM docket_bodies
         WHERE docket = (SELECT id FROM dockets WHERE chain = $1 AND number = $2)",
    )
    .bind(chain.id)
    .bind(ordered(number))
    .fetch_optional(connection)
    .await?;
    let (checksum, ids) = row.unzip();
    checked_ids(chain.held.register, number, checksum, ids)
}

async fn in_tail(
    connection: &mut SqliteConnection,
    chain: &Chain,
    id: &TransactionId,
    last: u64,
) -> Result<Option<TransactionPlace>, StoreError> {
    let mut rows = sqlx::query_as::<_, (i64, Option<i64>, Option<Vec<u8>>)>(
        "SELECT number, ids_checksum, ids FROM dockets LEFT JOIN docket_bodies ON docket = dockets.id
         WHERE chain = $1 AND number >= $2 AND number <= $3 ORDER BY number",
    )
    .bind(chain.id)
    .bind(ordered(chain.unindexed_from()))
    .bind(ordered(last))
    .fetch(connection);
    while let Some((number, checksum, ids)) = rows.try_next().await? {
        let number = from_ordered(number);
        let ids = checked_ids(chain.held.register, number, checksum, ids)?;
        if let Some((position, _)) = (0..).zip(&ids).find(|(_, held)| *held == id) {
            return Ok(Some(TransactionPlace { number, position }));
        }
    }
    Ok(None)
}
