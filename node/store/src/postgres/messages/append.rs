//! Stores messages, as many as there are, with the same few statements.

use super::{
    places::{self, Place},
    ranges,
};
use crate::{Appended, StoreError, codec::ordered, message::IndexedMessage, postgres::session::Session};
use futures::try_join;
use std::collections::{BTreeMap, HashMap};

/// A message to store.
#[derive(Clone, Copy)]
pub(in crate::postgres) struct Arrival<'m> {
    pub(in crate::postgres) message: &'m IndexedMessage,
    /// When it is stored, unix microseconds.
    pub(in crate::postgres) now: u64,
}

/// Stream, register sequence, life, sequence.
type Key = (i64, i64, i64, i64);

/// What became of each message, in their order.
pub(in crate::postgres) async fn append(
    session: &Session,
    arrivals: &[Arrival<'_>],
) -> Result<Vec<Appended>, StoreError> {
    if arrivals.is_empty() {
        return Ok(Vec::new());
    }
    let places = places::resolve(session, arrivals).await?;
    let keys: Vec<Key> = arrivals.iter().zip(&places).map(|(arrival, place)| key(arrival, place)).collect();
    let rows = insert(session, arrivals, &keys).await?;
    let (new, same) = try_join!(index(session, arrivals, &places, &rows), compare(session, arrivals, &keys, &rows))?;

    let mut grown: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    let mut added: BTreeMap<i64, Vec<u64>> = BTreeMap::new();
    let mut outcomes = Vec::with_capacity(arrivals.len());
    for (number, ((arrival, place), row)) in arrivals.iter().zip(&places).zip(&rows).enumerate() {
        let Some(row) = row else {
            let is_same = same.get(&number) == Some(&true);
            outcomes.push(if is_same { Appended::Duplicate } else { Appended::Conflicting });
            continue;
        };
        let transactions = new.get(row).copied().unwrap_or_default();
        let (messages, counted) = grown.entry(place.register).or_default();
        *messages += 1;
        *counted += i64::from(transactions);
        added.entry(place.stream).or_default().push(arrival.message.message.body().register_sequence);
        outcomes.push(Appended::Stored { transactions });
    }
    try_join!(ranges::add(session, added), count(session, grown))?;
    Ok(outcomes)
}

fn key(arrival: &Arrival<'_>, place: &Place) -> Key {
    let body = arrival.message.message.body();
    (place.stream, ordered(body.register_sequence), place.life, ordered(body.sequence))
}

/// The row id of each message; `None` when one of its two places is taken, or it was let go of.
async fn insert(session: &Session, arrivals: &[Arrival<'_>], keys: &[Key]) -> Result<Vec<Option<i64>>, StoreError> {
    let streams: Vec<i64> = keys.iter().map(|key| key.0).collect();
    let register_sequences: Vec<i64> = keys.iter().map(|key| key.1).collect();
    let lives: Vec<i64> = keys.iter().map(|key| key.2).collect();
    let sequences: Vec<i64> = keys.iter().map(|key| key.3).collect();
    let bytes: Vec<&[u8]> = arrivals.iter().map(|arrival| arrival.message.message.encoded().as_ref()).collect();
    let inserted: Vec<(i64, i64, i64, i64, i64)> = session
        .all(
            "INSERT INTO messages (stream, register_sequence, life, sequence, bytes)
             SELECT stream, register_sequence, life, sequence, bytes
             FROM unnest($1::BIGINT[], $2::BIGINT[], $3::BIGINT[], $4::BIGINT[], $5::BYTEA[]) WITH ORDINALITY
             AS asked (stream, register_sequence, life, sequence, bytes, place)
             WHERE NOT EXISTS (
                 SELECT 1 FROM gone WHERE gone.stream = asked.stream AND asked.register_sequence BETWEEN first AND last
             ) ORDER BY place
             ON CONFLICT DO NOTHING RETURNING stream, register_sequence, life, sequence, id",
            &[&streams, &register_sequences, &lives, &sequences, &bytes],
        )
        .await?;
    let mut inserted: HashMap<Key, i64> = inserted
        .into_iter()
        .map(|(stream, register_sequence, life, sequence, id)| ((stream, register_sequence, life, sequence), id))
        .collect();
    // Of several with one key, only the first can have been stored.
    Ok(keys.iter().map(|key| inserted.remove(key)).collect())
}

/// Indexes the transactions of the messages that were stored; how many of each were new to the register, by row id.
async fn index(
    session: &Session,
    arrivals: &[Arrival<'_>],
    places: &[Place],
    rows: &[Option<i64>],
) -> Result<HashMap<i64, u32>, StoreError> {
    let (mut registers, mut ids, mut messages) = (Vec::new(), Vec::<&[u8]>::new(), Vec::new());
    let (mut numbers, mut sizes, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for ((arrival, place), row) in arrivals.iter().zip(places).zip(rows) {
        let Some(row) = row else { continue };
        for (number, entry) in (0i64..).zip(&arrival.message.entries) {
            registers.push(place.register);
            ids.push(entry.id.as_bytes());
            messages.push(*row);
            numbers.push(number);
            sizes.push(i64::from(entry.size));
            times.push(arrival.now.cast_signed());
        }
    }
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let new: Vec<(i64,)> = session
        .all(
            "INSERT INTO transactions (register, id, message, entry, size, stored_at)
             SELECT register, id, message, entry, size, stored_at
             FROM unnest($1::BIGINT[], $2::BYTEA[], $3::BIGINT[], $4::BIGINT[], $5::BIGINT[], $6::BIGINT[]) WITH ORDINALITY
             AS asked (register, id, message, entry, size, stored_at, place) ORDER BY place
             ON CONFLICT DO NOTHING RETURNING message",
            &[&registers, &ids, &messages, &numbers, &sizes, &times],
        )
        .await?;
    let mut counts = HashMap::new();
    for (message,) in new {
        *counts.entry(message).or_default() += 1;
    }
    Ok(counts)
}

/// Whether each of those that were not stored was let go of, or is held under the same sequence with the same bytes.
async fn compare(
    session: &Session,
    arrivals: &[Arrival<'_>],
    keys: &[Key],
    rows: &[Option<i64>],
) -> Result<BTreeMap<usize, bool>, StoreError> {
    let refused: Vec<usize> =
        rows.iter().enumerate().filter(|(_, row)| row.is_none()).map(|(number, _)| number).collect();
    if refused.is_empty() {
        return Ok(BTreeMap::new());
    }
    let of = |number: &usize| Some((arrivals.get(*number)?, keys.get(*number)?));
    let asked: Vec<_> = refused.iter().filter_map(of).collect();
    let streams: Vec<i64> = asked.iter().map(|(_, key)| key.0).collect();
    let register_sequences: Vec<i64> = asked.iter().map(|(_, key)| key.1).collect();
    let lives: Vec<i64> = asked.iter().map(|(_, key)| key.2).collect();
    let sequences: Vec<i64> = asked.iter().map(|(_, key)| key.3).collect();
    let bytes: Vec<&[u8]> = asked.iter().map(|(arrival, _)| arrival.message.message.encoded().as_ref()).collect();
    let same: Vec<(i64, bool)> = session
        .all(
            "SELECT place, COALESCE(messages.bytes = asked.bytes, FALSE) OR EXISTS (
                 SELECT 1 FROM gone WHERE gone.stream = asked.stream AND asked.register_sequence BETWEEN first AND last
             )
             FROM unnest($1::BIGINT[], $2::BIGINT[], $3::BIGINT[], $4::BIGINT[], $5::BYTEA[]) WITH ORDINALITY
             AS asked (stream, register_sequence, life, sequence, bytes, place)
             LEFT JOIN messages ON messages.life = asked.life AND messages.sequence = asked.sequence",
            &[&streams, &register_sequences, &lives, &sequences, &bytes],
        )
        .await?;
    // Places count from 1.
    let number = |place: i64| refused.get(usize::try_from(place - 1).ok()?).copied();
    Ok(same.into_iter().filter_map(|(place, same)| Some((number(place)?, same))).collect())
}

/// Adds messages and transactions to what is counted of registers.
pub(super) async fn count(session: &Session, grown: BTreeMap<i64, (i64, i64)>) -> Result<(), StoreError> {
    if grown.is_empty() {
        return Ok(());
    }
    let registers: Vec<i64> = grown.keys().copied().collect();
    let (messages, transactions): (Vec<i64>, Vec<i64>) = grown.into_values().unzip();
    session
        .execute(
            "UPDATE registers SET messages = registers.messages + grown.messages,
             transactions = registers.transactions + grown.transactions
             FROM unnest($1::BIGINT[], $2::BIGINT[], $3::BIGINT[]) AS grown (register, messages, transactions)
             WHERE registers.id = grown.register",
            &[&registers, &messages, &transactions],
        )
        .await?;
    Ok(())
}
