//! Reading messages and transactions, from the last commit.

use super::bodies::body_chunk;
use crate::{
    Counts, Held, ListedMessage, ListedTransaction, MessageRange, StoreError, StoredTransaction,
    codec::{from_ordered, key, limit, ordered, position},
    postgres::readers::Readers,
    rows::{CarrierRow, ListRow, MessageRow, TransactionRow, assemble, carriers, listed, listed_message},
};
use bytes::Bytes;
use peerwright_ledger::{RegisterId, TransactionId};
use peerwright_secure::NodePublicKey;
use std::collections::BTreeMap;

/// Register, origin, incarnation, both ends of a range.
type HeldRow = (Vec<u8>, Vec<u8>, i64, i64, i64);

pub(in crate::postgres) async fn held(readers: &Readers, registers: Vec<RegisterId>) -> Result<Vec<Held>, StoreError> {
    let rows = "SELECT registers.register, lives.origin, lives.incarnation, ranges.first, ranges.last
         FROM registers JOIN streams ON streams.register = registers.id JOIN lives ON lives.id = streams.life
         JOIN ranges ON ranges.stream = streams.id
         WHERE registers.register = ANY($1) ORDER BY ranges.stream, ranges.first";
    read_ranges(readers, rows, registers).await
}

pub(in crate::postgres) async fn gone(readers: &Readers, registers: Vec<RegisterId>) -> Result<Vec<Held>, StoreError> {
    let rows = "SELECT registers.register, lives.origin, lives.incarnation, gone.first, gone.last
         FROM registers JOIN streams ON streams.register = registers.id JOIN lives ON lives.id = streams.life
         JOIN gone ON gone.stream = streams.id
         WHERE registers.register = ANY($1) ORDER BY gone.stream, gone.first";
    read_ranges(readers, rows, registers).await
}

async fn read_ranges(
    readers: &Readers,
    rows: &'static str,
    registers: Vec<RegisterId>,
) -> Result<Vec<Held>, StoreError> {
    let asked: Vec<&[u8]> = registers.iter().map(|register| register.as_bytes().as_slice()).collect();
    let rows: Vec<HeldRow> = readers.all(rows, &[&asked]).await?;
    let mut held: BTreeMap<(RegisterId, NodePublicKey, u64), Vec<(u64, u64)>> = BTreeMap::new();
    for (register, origin, incarnation, first, last) in rows {
        let stream = (
            RegisterId::from_bytes(key(register)?),
            NodePublicKey::from_bytes(key(origin)?),
            from_ordered(incarnation),
        );
        held.entry(stream).or_default().push((from_ordered(first), from_ordered(last)));
    }
    let streams = held.into_iter();
    Ok(streams
        .map(|((register, origin, incarnation), ranges)| Held { register, origin, incarnation, ranges })
        .collect())
}

/// The sizes come first, so that no message beyond the budget is read from the disk.
pub(in crate::postgres) async fn read(
    readers: &Readers,
    ranges: Vec<MessageRange>,
    max_messages: usize,
    max_bytes: usize,
) -> Result<Vec<Bytes>, StoreError> {
    let registers: Vec<&[u8]> = ranges.iter().map(|range| range.register.as_bytes().as_slice()).collect();
    let origins: Vec<&[u8]> = ranges.iter().map(|range| range.origin.as_bytes().as_slice()).collect();
    let incarnations: Vec<i64> = ranges.iter().map(|range| ordered(range.incarnation)).collect();
    let (lows, highs): (Vec<i64>, Vec<i64>) =
        ranges.iter().map(|range| (ordered(range.from), ordered(range.to))).unzip();
    let rows: Vec<(Vec<u8>,)> = readers
        .all(
            "SELECT messages.bytes FROM (
                 SELECT chosen, nth, SUM(size) OVER (ORDER BY nth) AS total FROM (
                     SELECT chosen, size, ROW_NUMBER() OVER (ORDER BY place, number) AS nth
                     FROM unnest($1::BYTEA[], $2::BYTEA[], $3::BIGINT[], $4::BIGINT[], $5::BIGINT[]) WITH ORDINALITY
                          AS asked (register, origin, incarnation, low, high, place)
                     JOIN registers ON registers.register = asked.register
                     JOIN lives ON lives.origin = asked.origin AND lives.incarnation = asked.incarnation
                     JOIN streams ON streams.register = registers.id AND streams.life = lives.id
                     CROSS JOIN LATERAL (
                         SELECT id AS chosen, register_sequence AS number, LENGTH(bytes)::BIGINT AS size FROM messages
                         WHERE stream = streams.id AND register_sequence BETWEEN low AND high
                         ORDER BY register_sequence LIMIT $6
                     ) AS found
                     ORDER BY nth LIMIT $6
                 ) AS sizes
             ) AS sums JOIN messages ON messages.id = chosen WHERE total <= $7::BIGINT OR nth = 1 ORDER BY nth",
            &[&registers, &origins, &incarnations, &lows, &highs, &limit(max_messages), &limit(max_bytes)],
        )
        .await?;
    Ok(rows.into_iter().map(|(bytes,)| bytes.into()).collect())
}

pub(in crate::postgres) async fn transactions(
    readers: &Readers,
    register: RegisterId,
    ids: Vec<TransactionId>,
) -> Result<Vec<Option<StoredTransaction>>, StoreError> {
    let wanted: Vec<&[u8]> = ids.iter().map(|id| id.as_bytes().as_slice()).collect();
    let rows: Vec<TransactionRow> = readers
        .all(
            "SELECT transactions.id, transactions.entry, transactions.size, transactions.stored_at, lives.origin,
             lives.incarnation, transactions.message FROM transactions
             JOIN messages ON messages.id = transactions.message JOIN lives ON lives.id = messages.life
             WHERE transactions.register = (SELECT id FROM registers WHERE register = $1) AND transactions.id = ANY($2)",
            &[&register.as_bytes().as_slice(), &wanted],
        )
        .await?;
    if rows.is_empty() {
        return Ok(vec![None; ids.len()]);
    }
    let carriers: Vec<CarrierRow> =
        readers.all("SELECT id, bytes FROM messages WHERE id = ANY($1)", &[&carriers(&rows)]).await?;
    assemble(&ids, rows, carriers, |id, size| body_chunk(readers, id, 0, size)).await
}

pub(in crate::postgres) async fn list(
    readers: &Readers,
    register: RegisterId,
    after: Option<u64>,
    max: usize,
) -> Result<Vec<ListedTransaction>, StoreError> {
    let rows: Vec<ListRow> = readers
        .all(
            "SELECT transactions.position, transactions.id, transactions.size, lives.origin, transactions.stored_at
             FROM transactions JOIN messages ON messages.id = transactions.message JOIN lives ON lives.id = messages.life
             WHERE transactions.register = (SELECT id FROM registers WHERE register = $1) AND transactions.position > $2
             ORDER BY transactions.position LIMIT $3",
            &[&register.as_bytes().as_slice(), &position(after), &limit(max)],
        )
        .await?;
    rows.into_iter().map(listed).collect()
}

pub(in crate::postgres) async fn after(
    readers: &Readers,
    after: Option<u64>,
    max: usize,
) -> Result<Vec<ListedMessage>, StoreError> {
    let rows: Vec<MessageRow> = readers
        .all(
            "SELECT chosen.id, registers.register, lives.origin, lives.incarnation, chosen.register_sequence, chosen.bytes
             FROM (SELECT * FROM messages WHERE id > $1 ORDER BY id LIMIT $2) AS chosen
             JOIN streams ON streams.id = chosen.stream JOIN lives ON lives.id = chosen.life
             JOIN registers ON registers.id = streams.register ORDER BY chosen.id",
            &[&position(after), &limit(max)],
        )
        .await?;
    rows.into_iter().map(listed_message).collect()
}

pub(in crate::postgres) async fn newest(readers: &Readers) -> Result<Option<u64>, StoreError> {
    let newest: Option<(i64,)> = readers.optional("SELECT id FROM messages ORDER BY id DESC LIMIT 1", &[]).await?;
    Ok(newest.map(|(newest,)| newest.cast_unsigned()))
}

pub(in crate::postgres) async fn document(readers: &Readers, name: &'static str) -> Result<Option<Bytes>, StoreError> {
    let bytes: Option<(Vec<u8>,)> = readers.optional("SELECT bytes FROM documents WHERE name = $1", &[&name]).await?;
    Ok(bytes.map(|(bytes,)| bytes.into()))
}

pub(in crate::postgres) async fn counts(readers: &Readers, register: RegisterId) -> Result<Counts, StoreError> {
    let row: Option<(i64, i64)> = readers
        .optional(
            "SELECT messages, transactions FROM registers WHERE register = $1",
            &[&register.as_bytes().as_slice()],
        )
        .await?;
    let (messages, transactions) = row.unwrap_or_default();
    Ok(Counts { messages: messages.cast_unsigned(), transactions: transactions.cast_unsigned() })
}
