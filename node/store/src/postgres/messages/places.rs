//! The rows that messages refer to: their register, the life of their origin, and what that publishes in the register.

use super::Arrival;
use crate::{
    StoreError,
    codec::{from_ordered, key, ordered},
    postgres::session::Session,
};
use futures::try_join;
use peerwright_ledger::RegisterId;
use peerwright_secure::NodePublicKey;
use std::collections::{BTreeMap, BTreeSet};

/// Where a message belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) register: i64,
    pub(super) life: i64,
    pub(super) stream: i64,
}

/// Finds or makes the rows of all messages, in their order.
pub(super) async fn resolve(session: &Session, arrivals: &[Arrival<'_>]) -> Result<Vec<Place>, StoreError> {
    let bodies = || arrivals.iter().map(|arrival| arrival.message.message.body());
    let asked: BTreeSet<RegisterId> = bodies().map(|body| body.register).collect();
    let lives: BTreeSet<(NodePublicKey, u64)> = bodies().map(|body| (body.origin, body.incarnation)).collect();
    let (registers, lives) = try_join!(registers(session, &asked), self::lives(session, &lives))?;
    let pairs: Vec<Option<(i64, i64)>> = bodies()
        .map(|body| Some((*registers.get(&body.register)?, *lives.get(&(body.origin, body.incarnation))?)))
        .collect();
    let streams = streams(session, &pairs.iter().flatten().copied().collect()).await?;
    let places = pairs.into_iter().map(|pair| {
        let (register, life) = pair?;
        Some(Place { register, life, stream: *streams.get(&(register, life))? })
    });
    let missing = || StoreError::Damaged("a row that was just made is missing".to_owned());
    places.map(|place| place.ok_or_else(missing)).collect()
}

/// Finds the rows that have these columns in a table, or makes them. The values are an array for each column.
macro_rules! find_or_make {
    ($table:literal, $columns:literal, $arrays:literal) => {
        concat!(
            "WITH asked AS (SELECT * FROM unnest(",
            $arrays,
            ") AS asked (",
            $columns,
            ")),
             found AS (SELECT id, ",
            $columns,
            " FROM ",
            $table,
            " JOIN asked USING (",
            $columns,
            ")),
             made AS (
                 INSERT INTO ",
            $table,
            " (",
            $columns,
            ") SELECT ",
            $columns,
            " FROM asked
                 WHERE (",
            $columns,
            ") NOT IN (SELECT ",
            $columns,
            " FROM found)
                 RETURNING id, ",
            $columns,
            "
             )
             SELECT * FROM found UNION ALL SELECT * FROM made"
        )
    };
}

pub(super) async fn registers(
    session: &Session,
    asked: &BTreeSet<RegisterId>,
) -> Result<BTreeMap<RegisterId, i64>, StoreError> {
    let keys: Vec<&[u8]> = asked.iter().map(|register| register.as_bytes().as_slice()).collect();
    let rows: Vec<(i64, Vec<u8>)> =
        session.all(find_or_make!("registers", "register", "$1::BYTEA[]"), &[&keys]).await?;
    rows.into_iter().map(|(id, register)| Ok((RegisterId::from_bytes(key(register)?), id))).collect()
}

async fn lives(
    session: &Session,
    asked: &BTreeSet<(NodePublicKey, u64)>,
) -> Result<BTreeMap<(NodePublicKey, u64), i64>, StoreError> {
    let origins: Vec<&[u8]> = asked.iter().map(|(origin, _)| origin.as_bytes().as_slice()).collect();
    let incarnations: Vec<i64> = asked.iter().map(|(_, incarnation)| ordered(*incarnation)).collect();
    let statement = find_or_make!("lives", "origin, incarnation", "$1::BYTEA[], $2::BIGINT[]");
    let rows: Vec<(i64, Vec<u8>, i64)> = session.all(statement, &[&origins, &incarnations]).await?;
    rows.into_iter()
        .map(|(id, origin, incarnation)| Ok(((NodePublicKey::from_bytes(key(origin)?), from_ordered(incarnation)), id)))
        .collect()
}

async fn streams(session: &Session, asked: &BTreeSet<(i64, i64)>) -> Result<BTreeMap<(i64, i64), i64>, StoreError> {
    let (registers, lives): (Vec<i64>, Vec<i64>) = asked.iter().copied().unzip();
    let statement = find_or_make!("streams", "register, life", "$1::BIGINT[], $2::BIGINT[]");
    let rows: Vec<(i64, i64, i64)> = session.all(statement, &[&registers, &lives]).await?;
    Ok(rows.into_iter().map(|(id, register, life)| ((register, life), id)).collect())
}
