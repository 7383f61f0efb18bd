//! The end of messages whose transactions are in dockets: their numbers stay known.

use super::{append::count, ranges};
use crate::{
    MessageRange, Purged, StoreError,
    codec::{from_ordered, ordered},
    message::Contents,
    postgres::session::Session,
};
use std::collections::BTreeMap;

/// Row id, register, stream, register sequence, bytes.
type Removed = (i64, i64, i64, i64, Vec<u8>);

/// Removes the messages in these ranges with their transactions and bodies.
pub(in crate::postgres) async fn let_go(session: &Session, asked: &[MessageRange]) -> Result<Purged, StoreError> {
    let messages = remove_messages(session, asked).await?;
    let mut shrunk: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    let mut gone: BTreeMap<i64, Vec<u64>> = BTreeMap::new();
    let (mut registers, mut ids, mut carriers) = (Vec::new(), Vec::new(), Vec::new());
    let (mut announced_in, mut announced) = (Vec::new(), Vec::new());
    let mut unreadable = Vec::new();
    let mut removed = Purged { messages: messages.len() as u64, ..Purged::default() };
    for (row, register, stream, number, bytes) in messages {
        gone.entry(stream).or_default().push(from_ordered(number));
        shrunk.entry(register).or_default().0 -= 1;
        let Ok(contents) = Contents::read(bytes) else {
            unreadable.push(row);
            continue;
        };
        for id in contents.transactions {
            registers.push(register);
            ids.push(id.as_bytes().to_vec());
            carriers.push(row);
            if contents.is_announced {
                announced_in.push(register);
                announced.push(id.as_bytes().to_vec());
            }
        }
    }
    if gone.is_empty() {
        return Ok(removed);
    }
    let mut listed: Vec<(i64,)> = session
        .all(
            "DELETE FROM transactions
             USING unnest($1::BIGINT[], $2::BYTEA[], $3::BIGINT[]) AS gone (register, id, message)
             WHERE transactions.register = gone.register AND transactions.id = gone.id
             AND transactions.message = gone.message RETURNING transactions.register",
            &[&registers, &ids, &carriers],
        )
        .await?;
    if !unreadable.is_empty() {
        // The disk has changed them: what they carried is looked for everywhere.
        let of_those = "DELETE FROM transactions WHERE message = ANY($1) RETURNING register";
        listed.extend(session.all::<(i64,)>(of_those, &[&unreadable]).await?);
    }
    removed.transactions = listed.len() as u64;
    for (register,) in listed {
        shrunk.entry(register).or_default().1 -= 1;
    }
    if !announced.is_empty() {
        removed.bodies = remove_bodies(session, &announced_in, &announced).await?;
    }
    ranges::add_gone(session, gone).await?;
    count(session, shrunk).await?;
    Ok(removed)
}

async fn remove_messages(session: &Session, asked: &[MessageRange]) -> Result<Vec<Removed>, StoreError> {
    let registers: Vec<&[u8]> = asked.iter().map(|range| range.register.as_bytes().as_slice()).collect();
    let origins: Vec<&[u8]> = asked.iter().map(|range| range.origin.as_bytes().as_slice()).collect();
    let incarnations: Vec<i64> = asked.iter().map(|range| ordered(range.incarnation)).collect();
    let (lows, highs): (Vec<i64>, Vec<i64>) =
        asked.iter().map(|range| (ordered(range.from), ordered(range.to))).unzip();
    session
        .all(
            "DELETE FROM messages USING (
                 SELECT streams.id AS stream, streams.register, low, high
                 FROM unnest($1::BYTEA[], $2::BYTEA[], $3::BIGINT[], $4::BIGINT[], $5::BIGINT[])
                      AS asked (register, origin, incarnation, low, high)
                 JOIN registers ON registers.register = asked.register
                 JOIN lives ON lives.origin = asked.origin AND lives.incarnation = asked.incarnation
                 JOIN streams ON streams.register = registers.id AND streams.life = lives.id
             ) AS chosen
             WHERE messages.stream = chosen.stream AND messages.register_sequence BETWEEN low AND high
             RETURNING messages.id, chosen.register, messages.stream, messages.register_sequence, messages.bytes",
            &[&registers, &origins, &incarnations, &lows, &highs],
        )
        .await
}

async fn remove_bodies(session: &Session, registers: &[i64], ids: &[Vec<u8>]) -> Result<u64, StoreError> {
    session
        .execute(
            "DELETE FROM body_chunks USING bodies, unnest($1::BIGINT[], $2::BYTEA[]) AS gone (register, id)
             WHERE body_chunks.body = bodies.id AND bodies.register = gone.register AND bodies.transaction_id = gone.id",
            &[&registers, &ids],
        )
        .await?;
    session
        .execute(
            "DELETE FROM bodies USING unnest($1::BIGINT[], $2::BYTEA[]) AS gone (register, id)
             WHERE bodies.register = gone.register AND bodies.transaction_id = gone.id",
            &[&registers, &ids],
        )
        .await
}
