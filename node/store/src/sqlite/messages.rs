//! Messages in the order in which they were stored, and their end: with their transactions and bodies, while their
//! numbers stay known.

use super::{index, statements::Statements as _};
use crate::{
    ListedMessage, MessageRange, Purged, StoreError,
    codec::{from_ordered, limit, ordered, position},
    message::Contents,
    rows::{MessageRow, listed_message},
};
use rusqlite::{Connection, params};

pub(super) fn after(connection: &Connection, after: Option<u64>, max: usize) -> Result<Vec<ListedMessage>, StoreError> {
    let rows: Vec<MessageRow> = connection.all(
        "SELECT chosen.id, registers.register, lives.origin, lives.incarnation, chosen.register_sequence, chosen.bytes
         FROM (SELECT * FROM messages WHERE id > ?1 ORDER BY id LIMIT ?2) AS chosen
         JOIN streams ON streams.id = chosen.stream JOIN lives ON lives.id = chosen.life
         JOIN registers ON registers.id = streams.register ORDER BY chosen.id",
        params![position(after), limit(max)],
    )?;
    rows.into_iter().map(listed_message).collect()
}

pub(super) fn newest(connection: &Connection) -> Result<Option<u64>, StoreError> {
    let newest: Option<i64> = connection.value("SELECT MAX(id) FROM messages", [])?;
    Ok(newest.map(i64::cast_unsigned))
}

pub(super) fn let_go(connection: &Connection, ranges: &[MessageRange]) -> Result<Purged, StoreError> {
    let mut all = Purged::default();
    for range in ranges {
        let found: Option<(i64, i64)> = connection.optional(
            "SELECT streams.id, streams.register FROM streams JOIN registers ON registers.id = streams.register
             JOIN lives ON lives.id = streams.life
             WHERE registers.register = ?1 AND lives.origin = ?2 AND lives.incarnation = ?3",
            params![range.register.as_bytes(), range.origin.as_bytes(), ordered(range.incarnation)],
        )?;
        let Some((stream, register)) = found else { continue };
        let removed = let_go_of(connection, register, stream, range)?;
        all.messages += removed.messages;
        all.transactions += removed.transactions;
        all.bodies += removed.bodies;
    }
    Ok(all)
}

fn let_go_of(connection: &Connection, register: i64, stream: i64, range: &MessageRange) -> Result<Purged, StoreError> {
    let rows: Vec<(i64, i64, Vec<u8>)> = connection.all(
        "DELETE FROM messages WHERE stream = ?1 AND register_sequence BETWEEN ?2 AND ?3
         RETURNING id, register_sequence, bytes",
        params![stream, ordered(range.from), ordered(range.to)],
    )?;
    let mut removed = Purged { messages: rows.len() as u64, ..Purged::default() };
    let mut numbers = Vec::with_capacity(rows.len());
    for (message, number, bytes) in rows {
        numbers.push(from_ordered(number));
        let Ok(contents) = Contents::read(bytes) else {
            // The disk has changed it: what it carried is looked for everywhere.
            removed.transactions += connection.run("DELETE FROM transactions WHERE message = ?1", [message])?;
            continue;
        };
        for id in &contents.transactions {
            removed.transactions += connection.run(
                "DELETE FROM transactions WHERE register = ?1 AND id = ?2 AND message = ?3",
                params![register, id.as_bytes(), message],
            )?;
            if contents.is_announced {
                removed.bodies += remove_body(connection, register, id.as_bytes())?;
            }
        }
    }
    index::gone(connection, stream, numbers)?;
    connection.run(
        "UPDATE registers SET messages = messages - ?1, transactions = transactions - ?2 WHERE id = ?3",
        params![removed.messages.cast_signed(), removed.transactions.cast_signed(), register],
    )?;
    Ok(removed)
}

fn remove_body(connection: &Connection, register: i64, id: &[u8]) -> Result<u64, StoreError> {
    connection.run(
        "DELETE FROM body_chunks WHERE body IN (SELECT id FROM bodies WHERE register = ?1 AND transaction_id = ?2)",
        params![register, id],
    )?;
    connection.run("DELETE FROM bodies WHERE register = ?1 AND transaction_id = ?2", params![register, id])
}
