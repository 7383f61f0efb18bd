//! Reading, from the last commit.

use super::{at_once, statements::Statements as _};
use crate::{
    CarriedTransactions, Counts, Held, ListedTransaction, MessageRange, StoreError, StoredTransaction,
    codec::{from_ordered, key, limit, ordered, position},
    rows::{BodyPart, Carrier, CarrierRow, ListRow, PlacedRow, TransactionRow, assemble, carriers, listed},
};
use bytes::Bytes;
use peerwright_ledger::{RegisterId, TransactionId};
use peerwright_secure::NodePublicKey;
use rusqlite::{Connection, params};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
};

pub(super) fn held(connection: &Connection, registers: Vec<RegisterId>) -> Result<Vec<Held>, StoreError> {
    let rows = "SELECT registers.register, lives.origin, lives.incarnation, ranges.first, ranges.last
         FROM ranges JOIN streams ON streams.id = ranges.stream JOIN lives ON lives.id = streams.life
         JOIN registers ON registers.id = streams.register ORDER BY ranges.stream, ranges.first";
    read_ranges(connection, rows, registers)
}

pub(super) fn gone(connection: &Connection, registers: Vec<RegisterId>) -> Result<Vec<Held>, StoreError> {
    let rows = "SELECT registers.register, lives.origin, lives.incarnation, gone.first, gone.last
         FROM gone JOIN streams ON streams.id = gone.stream JOIN lives ON lives.id = streams.life
         JOIN registers ON registers.id = streams.register ORDER BY gone.stream, gone.first";
    read_ranges(connection, rows, registers)
}

fn read_ranges(
    connection: &Connection,
    rows: &'static str,
    registers: Vec<RegisterId>,
) -> Result<Vec<Held>, StoreError> {
    let wanted: BTreeSet<RegisterId> = registers.into_iter().collect();
    let mut held: BTreeMap<(RegisterId, NodePublicKey, u64), Vec<(u64, u64)>> = BTreeMap::new();
    connection.each(rows, [], |(register, origin, incarnation, first, last)| {
        let register = RegisterId::from_bytes(key(register)?);
        if wanted.contains(&register) {
            let stream = (register, NodePublicKey::from_bytes(key(origin)?), from_ordered(incarnation));
            held.entry(stream).or_default().push((from_ordered(first), from_ordered(last)));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let streams = held.into_iter();
    Ok(streams
        .map(|((register, origin, incarnation), ranges)| Held { register, origin, incarnation, ranges })
        .collect())
}

pub(super) fn read(
    connection: &Connection,
    ranges: Vec<MessageRange>,
    max_messages: usize,
    max_bytes: usize,
) -> Result<Vec<Bytes>, StoreError> {
    let mut messages = Vec::new();
    let mut room = max_bytes;
    for range in ranges {
        if messages.len() == max_messages || !read_range(connection, range, max_messages, &mut room, &mut messages)? {
            break;
        }
    }
    Ok(messages)
}

/// Whether there is room for more.
fn read_range(
    connection: &Connection,
    range: MessageRange,
    max_messages: usize,
    room: &mut usize,
    messages: &mut Vec<Bytes>,
) -> Result<bool, StoreError> {
    let mut has_room = true;
    let values = params![
        range.register.as_bytes(),
        range.origin.as_bytes(),
        ordered(range.incarnation),
        ordered(range.from),
        ordered(range.to),
        limit(max_messages - messages.len())
    ];
    connection.each(
        "SELECT messages.bytes FROM messages JOIN streams ON streams.id = messages.stream
         JOIN lives ON lives.id = streams.life JOIN registers ON registers.id = streams.register
         WHERE registers.register = ?1 AND lives.origin = ?2 AND lives.incarnation = ?3
         AND register_sequence BETWEEN ?4 AND ?5 ORDER BY register_sequence LIMIT ?6",
        values,
        |(message,): (Vec<u8>,)| {
            let left = room.checked_sub(message.len());
            if left.is_none() && !messages.is_empty() {
                has_room = false;
                return Ok(ControlFlow::Break(()));
            }
            *room = left.unwrap_or_default();
            messages.push(message.into());
            Ok(ControlFlow::Continue(()))
        },
    )?;
    Ok(has_room)
}

/// All from one state of the store; each look-up alone would begin with pages that were read anew.
pub(super) fn transactions(
    connection: &mut Connection,
    register: RegisterId,
    ids: Vec<TransactionId>,
) -> Result<Vec<Option<StoredTransaction>>, StoreError> {
    let snapshot = connection.transaction()?;
    let mut rows: Vec<TransactionRow> = Vec::with_capacity(ids.len());
    for id in &ids {
        rows.extend(snapshot.optional::<TransactionRow>(
            "SELECT transactions.id, transactions.entry, transactions.size, transactions.stored_at, lives.origin,
             lives.incarnation, transactions.message FROM transactions
             JOIN messages ON messages.id = transactions.message JOIN lives ON lives.id = messages.life
             WHERE transactions.register = (SELECT id FROM registers WHERE register = ?1) AND transactions.id = ?2",
            params![register.as_bytes(), id.as_bytes()],
        )?);
    }
    let mut carried = Vec::new();
    for carrier in carriers(&rows) {
        let row: Option<CarrierRow> = snapshot.optional("SELECT id, bytes FROM messages WHERE id = ?1", [carrier])?;
        carried.extend(row);
    }
    at_once(assemble(&ids, rows, carried, async |id, size| body_chunk(&snapshot, id, 0, size)))
}

pub(super) fn list(
    connection: &Connection,
    register: RegisterId,
    after: Option<u64>,
    max: usize,
) -> Result<Vec<ListedTransaction>, StoreError> {
    let rows: Vec<ListRow> = connection.all(
        "SELECT transactions.position, transactions.id, transactions.size, lives.origin, transactions.stored_at
         FROM transactions JOIN messages ON messages.id = transactions.message JOIN lives ON lives.id = messages.life
         WHERE transactions.register = (SELECT id FROM registers WHERE register = ?1) AND transactions.position > ?2
         ORDER BY transactions.position LIMIT ?3",
        params![register.as_bytes(), position(after), limit(max)],
    )?;
    rows.into_iter().map(listed).collect()
}

/// In the order of their positions, which is that of their messages: each message is read once.
pub(super) fn list_carried(
    connection: &mut Connection,
    register: RegisterId,
    after: Option<u64>,
    max: usize,
    max_bytes: u64,
) -> Result<CarriedTransactions, StoreError> {
    let snapshot = connection.transaction()?;
    let mut placed: Vec<PlacedRow> = Vec::new();
    let (mut bytes, mut is_cut) = (0u64, false);
    snapshot.each(
        "SELECT position, id, size, stored_at, message, entry FROM transactions
         WHERE register = (SELECT id FROM registers WHERE register = ?1) AND position > ?2 ORDER BY position LIMIT ?3",
        params![register.as_bytes(), position(after), limit(max)],
        |row: PlacedRow| {
            bytes = bytes.saturating_add(row.2.cast_unsigned());
            is_cut = bytes > max_bytes && !placed.is_empty();
            if is_cut {
                return Ok(ControlFlow::Break(()));
            }
            placed.push(row);
            Ok(ControlFlow::Continue(()))
        },
    )?;
    let is_end = !is_cut && placed.len() < max;
    let mut rows = Vec::with_capacity(placed.len());
    let mut carrier: Option<Carrier> = None;
    for (position, id, size, stored_at, message, entry) in placed {
        if carrier.as_ref().is_none_or(|carrier| carrier.row != message) {
            let read: Option<(Vec<u8>, Vec<u8>)> = snapshot.optional(
                "SELECT lives.origin, messages.bytes FROM messages JOIN lives ON lives.id = messages.life
                 WHERE messages.id = ?1",
                [message],
            )?;
            carrier = read.map(|(origin, bytes)| Carrier::new(message, origin, bytes));
        }
        if let Some(carrier) = &carrier {
            let row = listed((position, id, size, carrier.origin.clone(), stored_at))?;
            rows.push((row, carrier.inline(entry)));
        }
    }
    let is_end = is_end || rows.is_empty();
    Ok(CarriedTransactions { rows, is_end })
}

pub(super) fn document(connection: &Connection, name: &'static str) -> Result<Option<Bytes>, StoreError> {
    let bytes: Option<Vec<u8>> = connection.optional_value("SELECT bytes FROM documents WHERE name = ?1", [name])?;
    Ok(bytes.map(Bytes::from))
}

pub(super) fn counts(connection: &Connection, register: RegisterId) -> Result<Counts, StoreError> {
    let counts = "SELECT messages, transactions FROM registers WHERE register = ?1";
    let row: Option<(i64, i64)> = connection.optional(counts, [register.as_bytes()])?;
    let (messages, transactions) = row.unwrap_or_default();
    Ok(Counts { messages: messages.cast_unsigned(), transactions: transactions.cast_unsigned() })
}

/// Only the rows that hold the wanted bytes are read.
pub(super) fn body_chunk(
    connection: &Connection,
    id: TransactionId,
    offset: u64,
    length: u32,
) -> Result<Option<Bytes>, StoreError> {
    let body: Option<(i64, i64)> =
        connection.optional("SELECT id, size FROM bodies WHERE transaction_id = ?1", [id.as_bytes()])?;
    let Some((body, size)) = body else { return Ok(None) };
    let Some(part) = BodyPart::of(size, offset, length) else { return Ok(Some(Bytes::new())) };
    let rows: Vec<Vec<u8>> = connection.values(
        "SELECT bytes FROM body_chunks WHERE body = ?1 AND number BETWEEN ?2 AND ?3 ORDER BY number",
        [body, part.first, part.last],
    )?;
    part.cut(id, rows).map(Some)
}
