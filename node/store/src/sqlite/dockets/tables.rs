//! The tables that the index is made from and lies in.

use super::{chain, removal};
use crate::{
    StoreError,
    chain::Chain,
    checker::IdsRow,
    codec::{from_ordered, ordered},
    index::{Chunk, Merging, NewChunk, Row, Run, State, Stretch, Tables},
    sqlite::statements::Statements as _,
};
use peerwright_ledger::{RegisterId, TransactionId};
use rusqlite::{Connection, params};

/// Every statement is a call within the process: what is asked for together costs no less.
impl Tables for &Connection {
    const ASKED_TOGETHER: usize = 1;
    const SENT_TOGETHER: usize = 512;

    async fn chain(&mut self, register: RegisterId) -> Result<Option<Chain>, StoreError> {
        chain::load(self, register)
    }

    async fn chains(&mut self) -> Result<Vec<Chain>, StoreError> {
        chain::load_all(self)
    }

    async fn save(&mut self, chain: &Chain) -> Result<(), StoreError> {
        chain::save(self, chain)
    }

    async fn ids_of(&mut self, chain: i64, numbers: &[u64]) -> Result<Vec<IdsRow>, StoreError> {
        let mut rows = Vec::with_capacity(numbers.len());
        for number in numbers {
            let row: Option<IdsRow> = self.optional(
                "SELECT number, ids_checksum, ids FROM dockets LEFT JOIN docket_bodies ON docket = dockets.id
                 WHERE chain = ?1 AND number = ?2",
                params![chain, ordered(*number)],
            )?;
            rows.extend(row);
        }
        Ok(rows)
    }

    async fn ids_between(&mut self, chain: i64, wanted: Stretch) -> Result<Vec<IdsRow>, StoreError> {
        self.all(
            "SELECT number, ids_checksum, ids FROM (
                 SELECT chosen, number, SUM(size) OVER (ORDER BY number) AS total,
                 ROW_NUMBER() OVER (ORDER BY number) AS place FROM (
                     SELECT id AS chosen, number, transactions AS size FROM dockets
                     WHERE chain = ?1 AND number >= ?2 AND number <= ?3 ORDER BY number LIMIT ?4
                 ) AS sizes
             ) AS sums LEFT JOIN docket_bodies ON docket = chosen WHERE total <= ?5 OR place = 1 ORDER BY number",
            params![chain, ordered(wanted.from), ordered(wanted.through), wanted.max_dockets, wanted.max_ids],
        )
    }

    async fn remove_dockets(&mut self) -> Result<bool, StoreError> {
        removal::dockets(self)
    }

    async fn remove_runs(&mut self) -> Result<bool, StoreError> {
        removal::runs(self)
    }

    async fn drop_index(&mut self, chain: i64) -> Result<(), StoreError> {
        self.run("UPDATE index_runs SET state = ?1 WHERE chain = ?2", params![State::Dropped.number(), chain])?;
        self.run(
            "UPDATE chains SET indexed = NULL, unindexed_transactions = transactions, unindexed_dockets = head -
             first + 1
             WHERE id = ?1",
            [chain],
        )?;
        Ok(())
    }

    async fn insert_run(&mut self, chain: i64, run: Run) -> Result<i64, StoreError> {
        self.value(
            "INSERT INTO index_runs (chain, level, first, last, state) VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id",
            params![chain, run.level, ordered(run.first), ordered(run.last), run.state.number()],
        )
    }

    async fn set_state(&mut self, run: i64, state: State) -> Result<(), StoreError> {
        self.run("UPDATE index_runs SET state = ?1 WHERE id = ?2", [state.number(), run])?;
        Ok(())
    }

    async fn full_level(&mut self, chain: i64, runs: i64) -> Result<Option<i64>, StoreError> {
        self.optional_value(
            "SELECT level FROM index_runs WHERE chain = ?1 AND state = 1
             AND NOT EXISTS (SELECT 1 FROM index_runs WHERE chain = ?1 AND state = 0)
             GROUP BY level HAVING COUNT(*) >= ?2 ORDER BY level LIMIT 1",
            params![chain, runs],
        )
    }

    async fn oldest(&mut self, chain: i64, level: i64, runs: i64) -> Result<(u64, u64), StoreError> {
        let (first, last): (i64, i64) = self.one(
            "SELECT MIN(first), MAX(last) FROM (
                 SELECT first, last FROM index_runs
                 WHERE chain = ?1 AND state = 1 AND level = ?2 ORDER BY last LIMIT ?3
             ) AS oldest",
            params![chain, level, runs],
        )?;
        Ok((from_ordered(first), from_ordered(last)))
    }

    async fn merging(&mut self) -> Result<Option<Merging>, StoreError> {
        let row: Option<(i64, i64, i64, i64, i64, i64)> = self.optional(
            "SELECT index_runs.id, chain, chains.first, level, index_runs.first, last
             FROM index_runs JOIN chains ON chains.id = chain WHERE state = 0 ORDER BY index_runs.id LIMIT 1",
            [],
        )?;
        let Some((run, chain, held_from, level, first, last)) = row else { return Ok(None) };
        let inputs = self.values(
            "SELECT id FROM index_runs WHERE chain = ?1 AND state = 1 AND level = ?2 AND first >= ?3 AND last <= ?4",
            params![chain, level - 1, first, last],
        )?;
        Ok(Some(Merging { run, chain, held_from: from_ordered(held_from), inputs }))
    }

    async fn insert_chunks(&mut self, run: i64, rows: &[Row]) -> Result<(), StoreError> {
        for NewChunk { first, checksum, entries } in NewChunk::all(run, rows) {
            self.run(
                "INSERT INTO index_chunks (run, first, checksum, entries) VALUES (?1, ?2, ?3, ?4)",
                params![run, first, checksum, entries],
            )?;
        }
        Ok(())
    }

    async fn chunks_of(&mut self, chain: i64, ids: &[TransactionId]) -> Result<Vec<(i64, Chunk)>, StoreError> {
        let mut chunks = Vec::new();
        for id in ids {
            let found: Vec<(i64, i64, Vec<u8>)> = self.all(
                "SELECT index_runs.id, checksum, entries FROM index_runs JOIN index_chunks ON index_chunks.id = (
                     SELECT id FROM index_chunks AS before WHERE before.run = index_runs.id AND before.first <= ?1
                     ORDER BY before.first DESC LIMIT 1
                 ) WHERE index_runs.chain = ?2 AND index_runs.state = 1",
                params![Row::last_of(id).encode(), chain],
            )?;
            chunks.extend(found.into_iter().map(|(run, checksum, entries)| (run, (checksum, entries).into())));
        }
        Ok(chunks)
    }

    async fn chunk_at(&mut self, run: i64, row: Row) -> Result<Option<Chunk>, StoreError> {
        let found: Option<(i64, Vec<u8>)> = self.optional(
            "SELECT checksum, entries FROM index_chunks WHERE run = ?1 AND first <= ?2 ORDER BY first DESC LIMIT 1",
            params![run, row.encode()],
        )?;
        Ok(found.map(Chunk::from))
    }

    async fn chunk_before(&mut self, run: i64, row: Row) -> Result<Option<Chunk>, StoreError> {
        let found: Option<(i64, Vec<u8>)> = self.optional(
            "SELECT checksum, entries FROM index_chunks WHERE run = ?1 AND first < ?2 ORDER BY first DESC LIMIT 1",
            params![run, row.encode()],
        )?;
        Ok(found.map(Chunk::from))
    }

    async fn chunk_after(&mut self, run: i64, row: Option<Row>) -> Result<Option<Chunk>, StoreError> {
        // No row is as short as nothing.
        let behind = row.as_ref().map(Row::encode).unwrap_or_default();
        let found: Option<(i64, Vec<u8>)> = self.optional(
            "SELECT checksum, entries FROM index_chunks WHERE run = ?1 AND first > ?2 ORDER BY first LIMIT 1",
            params![run, behind],
        )?;
        Ok(found.map(Chunk::from))
    }
}
