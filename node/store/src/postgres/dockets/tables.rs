//! The tables that the index is made from and lies in.

use super::{chain, removal};
use crate::{
    StoreError,
    chain::Chain,
    checker::IdsRow,
    codec::{from_ordered, ordered},
    index::{Chunk, Merging, NewChunk, Row, Run, State, Stretch, Tables},
    postgres::session::Session,
};
use futures::future::try_join_all;
use peerwright_ledger::{RegisterId, TransactionId};

/// Every statement is a round trip: what is asked for together costs one.
impl Tables for Session {
    /// Of each run an id reads a chunk of 14 KiB.
    const ASKED_TOGETHER: usize = 32;
    /// What one step of the upkeep merges at least.
    const SENT_TOGETHER: usize = 36_864;

    async fn chain(&mut self, register: RegisterId) -> Result<Option<Chain>, StoreError> {
        chain::load(self, register).await
    }

    async fn chains(&mut self) -> Result<Vec<Chain>, StoreError> {
        chain::load_all(self).await
    }

    async fn save(&mut self, chain: &Chain) -> Result<(), StoreError> {
        chain::save(self, chain).await
    }

    async fn ids_of(&mut self, chain: i64, numbers: &[u64]) -> Result<Vec<IdsRow>, StoreError> {
        let numbers: Vec<i64> = numbers.iter().copied().map(ordered).collect();
        self.all(
            "SELECT number, ids_checksum, ids FROM docket_bodies WHERE chain = $1 AND number = ANY($2) ORDER BY number",
            &[&chain, &numbers],
        )
        .await
    }

    async fn ids_between(&mut self, chain: i64, wanted: Stretch) -> Result<Vec<IdsRow>, StoreError> {
        self.all(
            "SELECT number, ids_checksum, ids FROM (
                 SELECT chain, number, SUM(size) OVER (ORDER BY number) AS total,
                        ROW_NUMBER() OVER (ORDER BY number) AS place
                 FROM (
                     SELECT chain, number, transactions AS size FROM dockets
                     WHERE chain = $1 AND number >= $2 AND number <= $3 ORDER BY number LIMIT $4
                 ) AS sizes
             ) AS sums LEFT JOIN docket_bodies USING (chain, number) WHERE total <= $5::BIGINT OR place = 1 ORDER BY number",
            &[&chain, &ordered(wanted.from), &ordered(wanted.through), &wanted.max_dockets, &wanted.max_ids],
        )
        .await
    }

    async fn remove_dockets(&mut self) -> Result<bool, StoreError> {
        removal::dockets(self).await
    }

    async fn remove_runs(&mut self) -> Result<bool, StoreError> {
        removal::runs(self).await
    }

    async fn drop_index(&mut self, chain: i64) -> Result<(), StoreError> {
        self.execute("UPDATE index_runs SET state = $1 WHERE chain = $2", &[&State::Dropped.number(), &chain]).await?;
        self.execute(
            "UPDATE chains SET indexed = NULL, unindexed_transactions = transactions, unindexed_dockets = head - first + 1
             WHERE id = $1",
            &[&chain],
        )
        .await?;
        Ok(())
    }

    async fn insert_run(&mut self, chain: i64, run: Run) -> Result<i64, StoreError> {
        let (id,) = self
            .one(
                "INSERT INTO index_runs (chain, level, first, last, state) VALUES ($1, $2, $3, $4, $5) RETURNING id",
                &[&chain, &run.level, &ordered(run.first), &ordered(run.last), &run.state.number()],
            )
            .await?;
        Ok(id)
    }

    async fn set_state(&mut self, run: i64, state: State) -> Result<(), StoreError> {
        self.execute("UPDATE index_runs SET state = $1 WHERE id = $2", &[&state.number(), &run]).await?;
        Ok(())
    }

    async fn full_level(&mut self, chain: i64, runs: i64) -> Result<Option<i64>, StoreError> {
        let level: Option<(i64,)> = self
            .optional(
                "SELECT level FROM index_runs WHERE chain = $1 AND state = 1
                 AND NOT EXISTS (SELECT 1 FROM index_runs WHERE chain = $1 AND state = 0)
                 GROUP BY level HAVING COUNT(*) >= $2 ORDER BY level LIMIT 1",
                &[&chain, &runs],
            )
            .await?;
        Ok(level.map(|(level,)| level))
    }

    async fn oldest(&mut self, chain: i64, level: i64, runs: i64) -> Result<(u64, u64), StoreError> {
        let (first, last): (i64, i64) = self
            .one(
                "SELECT MIN(first), MAX(last) FROM (
                     SELECT first, last FROM index_runs WHERE chain = $1 AND state = 1 AND level = $2
                     ORDER BY last LIMIT $3
                 ) AS oldest",
                &[&chain, &level, &runs],
            )
            .await?;
        Ok((from_ordered(first), from_ordered(last)))
    }

    async fn merging(&mut self) -> Result<Option<Merging>, StoreError> {
        let row: Option<(i64, i64, i64, i64, i64, i64)> = self
            .optional(
                "SELECT index_runs.id, chain, chains.first, level, index_runs.first, last
                 FROM index_runs JOIN chains ON chains.id = chain WHERE state = 0 ORDER BY index_runs.id LIMIT 1",
                &[],
            )
            .await?;
        let Some((run, chain, held_from, level, first, last)) = row else { return Ok(None) };
        let inputs: Vec<(i64,)> = self
            .all(
                "SELECT id FROM index_runs WHERE chain = $1 AND state = 1 AND level = $2 AND first >= $3 AND last <= $4",
                &[&chain, &(level - 1), &first, &last],
            )
            .await?;
        let inputs = inputs.into_iter().map(|(input,)| input).collect();
        Ok(Some(Merging { run, chain, held_from: from_ordered(held_from), inputs }))
    }

    async fn insert_chunks(&mut self, run: i64, rows: &[Row]) -> Result<(), StoreError> {
        let session: &Self = self;
        try_join_all(NewChunk::all(run, rows).map(|chunk| insert_chunk(session, run, chunk))).await?;
        Ok(())
    }

    async fn chunks_of(&mut self, chain: i64, ids: &[TransactionId]) -> Result<Vec<(i64, Chunk)>, StoreError> {
        let rows: Vec<Vec<u8>> = ids.iter().map(|id| Row::last_of(id).encode()).collect();
        let chunks: Vec<(i64, i64, Vec<u8>)> = self
            .all(
                "SELECT run, checksum, entries FROM index_chunks JOIN (
                     SELECT DISTINCT index_runs.id AS run, chunk.first
                     FROM unnest($1::BYTEA[]) AS asked (last_row) CROSS JOIN index_runs CROSS JOIN LATERAL (
                         SELECT first FROM index_chunks WHERE run = index_runs.id AND index_chunks.first <= asked.last_row
                         ORDER BY index_chunks.first DESC LIMIT 1
                     ) AS chunk WHERE index_runs.chain = $2 AND index_runs.state = 1
                 ) AS chosen USING (run, first)",
                &[&rows, &chain],
            )
            .await?;
        Ok(chunks.into_iter().map(|(run, checksum, entries)| (run, (checksum, entries).into())).collect())
    }

    async fn chunk_at(&mut self, run: i64, row: Row) -> Result<Option<Chunk>, StoreError> {
        let found: Option<(i64, Vec<u8>)> = self
            .optional(
                "SELECT checksum, entries FROM index_chunks WHERE run = $1 AND first <= $2 ORDER BY first DESC LIMIT 1",
                &[&run, &row.encode()],
            )
            .await?;
        Ok(found.map(Chunk::from))
    }

    async fn chunk_before(&mut self, run: i64, row: Row) -> Result<Option<Chunk>, StoreError> {
        let found: Option<(i64, Vec<u8>)> = self
            .optional(
                "SELECT checksum, entries FROM index_chunks WHERE run = $1 AND first < $2 ORDER BY first DESC LIMIT 1",
                &[&run, &row.encode()],
            )
            .await?;
        Ok(found.map(Chunk::from))
    }

    async fn chunk_after(&mut self, run: i64, row: Option<Row>) -> Result<Option<Chunk>, StoreError> {
        // No row is as short as nothing.
        let after = row.as_ref().map(Row::encode).unwrap_or_default();
        let found: Option<(i64, Vec<u8>)> = self
            .optional(
                "SELECT checksum, entries FROM index_chunks WHERE run = $1 AND first > $2 ORDER BY first LIMIT 1",
                &[&run, &after],
            )
            .await?;
        Ok(found.map(Chunk::from))
    }
}

async fn insert_chunk(session: &Session, run: i64, chunk: NewChunk) -> Result<(), StoreError> {
    let NewChunk { first, checksum, entries } = chunk;
    session
        .execute(
            "INSERT INTO index_chunks (run, first, checksum, entries) VALUES ($1, $2, $3, $4)",
            &[&run, &first, &checksum, &entries],
        )
        .await?;
    Ok(())
}
