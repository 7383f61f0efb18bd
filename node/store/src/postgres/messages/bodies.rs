//! Bodies of transactions that their messages only announce, and the end of all that a register has.

use super::places;
use crate::{
    BODY_CHUNK_BYTES, Purged, StoreError,
    postgres::{
        dead_letters,
        readers::Readers,
        session::{Session, Values},
    },
    rows::BodyPart,
};
use bytes::Bytes;
use peerwright_ledger::{RegisterId, TransactionId};
use std::collections::BTreeSet;

pub(in crate::postgres) async fn put_body(
    session: &Session,
    register: RegisterId,
    id: TransactionId,
    bytes: &[u8],
) -> Result<(), StoreError> {
    let rows = places::registers(session, &BTreeSet::from([register])).await?;
    let row = rows.get(&register).copied();
    let size = i64::try_from(bytes.len()).map_err(|_| StoreError::DiskFull)?;
    let chunks: Vec<&[u8]> = bytes.chunks(BODY_CHUNK_BYTES).collect();
    session
        .execute(
            "WITH made AS (
                 INSERT INTO bodies (register, transaction_id, size) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING id
             )
             INSERT INTO body_chunks (body, number, bytes)
             SELECT made.id, chunk.place - 1, chunk.bytes
             FROM made CROSS JOIN unnest($4::BYTEA[]) WITH ORDINALITY AS chunk (bytes, place)",
            &[&row, &id.as_bytes().as_slice(), &size, &chunks],
        )
        .await?;
    Ok(())
}

/// Only the rows that hold the wanted bytes are read.
pub(in crate::postgres) async fn body_chunk(
    readers: &Readers,
    id: TransactionId,
    offset: u64,
    length: u32,
) -> Result<Option<Bytes>, StoreError> {
    let body: Option<(i64, i64)> =
        readers.optional("SELECT id, size FROM bodies WHERE transaction_id = $1", &[&id.as_bytes().as_slice()]).await?;
    let Some((body, size)) = body else { return Ok(None) };
    let Some(part) = BodyPart::of(size, offset, length) else { return Ok(Some(Bytes::new())) };
    let rows: Vec<(Vec<u8>,)> = readers
        .all(
            "SELECT bytes FROM body_chunks WHERE body = $1 AND number BETWEEN $2 AND $3 ORDER BY number",
            &[&body, &part.first, &part.last],
        )
        .await?;
    part.cut(id, rows.into_iter().map(|(row,)| row)).map(Some)
}

pub(in crate::postgres) async fn purge(session: &Session, register: RegisterId) -> Result<Purged, StoreError> {
    dead_letters::purge(session, register).await?;
    let found: Option<(i64,)> =
        session.optional("SELECT id FROM registers WHERE register = $1", &[&register.as_bytes().as_slice()]).await?;
    let Some((row,)) = found else { return Ok(Purged::default()) };
    let row: Values<'_> = &[&row];
    // One after the other: the later ones take away what the earlier ones look for.
    session.execute("DELETE FROM ranges WHERE stream IN (SELECT id FROM streams WHERE register = $1)", row).await?;
    session.execute("DELETE FROM gone WHERE stream IN (SELECT id FROM streams WHERE register = $1)", row).await?;
    let transactions = session.execute("DELETE FROM transactions WHERE register = $1", row).await?;
    let messages = session
        .execute("DELETE FROM messages WHERE stream IN (SELECT id FROM streams WHERE register = $1)", row)
        .await?;
    session.execute("DELETE FROM streams WHERE register = $1", row).await?;
    session.execute("DELETE FROM body_chunks WHERE body IN (SELECT id FROM bodies WHERE register = $1)", row).await?;
    let bodies = session.execute("DELETE FROM bodies WHERE register = $1", row).await?;
    session.execute("DELETE FROM registers WHERE id = $1", row).await?;
    Ok(Purged { messages, transactions, bodies })
}
