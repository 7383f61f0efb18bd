//! The rows of registers.

use crate::{
    StoreError,
    chain::{Chain, Columns},
    codec::{from_ordered, ordered},
    docket::Link,
    postgres::session::Session,
};
use peerwright_ledger::RegisterId;
use std::collections::{BTreeMap, BTreeSet};

pub(super) async fn load(session: &Session, register: RegisterId) -> Result<Option<Chain>, StoreError> {
    let mut found = load_some(session, &BTreeSet::from([register])).await?;
    Ok(found.remove(&register))
}

/// Those of these registers that are held.
pub(super) async fn load_some(
    session: &Session,
    registers: &BTreeSet<RegisterId>,
) -> Result<BTreeMap<RegisterId, Chain>, StoreError> {
    let keys: Vec<&[u8]> = registers.iter().map(|register| register.as_bytes().as_slice()).collect();
    let rows: Vec<Columns> = session
        .all(
            "SELECT id, first, head, head_hash, certified, indexed, unindexed_dockets, unindexed_transactions,
             transactions, body_bytes, register FROM chains WHERE register = ANY($1)",
            &[&keys],
        )
        .await?;
    rows.into_iter().map(|row| Chain::read(row).map(|chain| (chain.held.register, chain))).collect()
}

/// In the order of the registers.
pub(super) async fn load_all(session: &Session) -> Result<Vec<Chain>, StoreError> {
    let rows: Vec<Columns> = session
        .all(
            "SELECT id, first, head, head_hash, certified, indexed, unindexed_dockets, unindexed_transactions,
             transactions, body_bytes, register FROM chains WHERE register IS NOT NULL ORDER BY register",
            &[],
        )
        .await?;
    rows.into_iter().map(Chain::read).collect()
}

/// Begins a register with its first docket, which is yet to be inserted.
pub(super) async fn begin(session: &Session, register: RegisterId, first: Link) -> Result<Chain, StoreError> {
    let (number, hash) = first;
    let (id,) = session
        .one(
            "INSERT INTO chains (register, first, lowest, head, head_hash, unindexed_dockets, unindexed_transactions,
             transactions, body_bytes) VALUES ($1, $2, $2, $2, $3, 0, 0, 0, 0) RETURNING id",
            &[&register.as_bytes().as_slice(), &ordered(number), &hash.as_bytes().as_slice()],
        )
        .await?;
    Ok(Chain::begun(id, register, first))
}

pub(super) async fn save(session: &Session, chain: &Chain) -> Result<(), StoreError> {
    let held = &chain.held;
    session
        .execute(
            "UPDATE chains SET first = $1, head = $2, head_hash = $3, certified = $4, indexed = $5,
             unindexed_dockets = $6, unindexed_transactions = $7, transactions = $8, body_bytes = $9 WHERE id = $10",
            &[
                &ordered(held.first),
                &ordered(held.head),
                &held.head_hash.as_bytes().as_slice(),
                &held.certified_through.map(ordered),
                &held.indexed_through.map(ordered),
                &chain.unindexed_dockets.cast_signed(),
                &chain.unindexed_transactions.cast_signed(),
                &held.transactions.cast_signed(),
                &held.body_bytes.cast_signed(),
                &chain.id,
            ],
        )
        .await?;
    Ok(())
}

/// Moves `certified_through` up to the first docket that has no certificate.
pub(super) async fn find_certified(session: &Session, chain: &mut Chain) -> Result<(), StoreError> {
    let lacking: Option<(i64,)> = session
        .optional(
            "SELECT number FROM dockets WHERE chain = $1 AND number >= $2 AND certificate IS NULL
             ORDER BY number LIMIT 1",
            &[&chain.id, &ordered(chain.uncertified_from())],
        )
        .await?;
    chain.certify_up_to(lacking.map(|(lacking,)| from_ordered(lacking)));
    Ok(())
}

/// Counts again what the index lacks.
pub(super) async fn count_unindexed(session: &Session, chain: &mut Chain) -> Result<(), StoreError> {
    let (dockets, transactions): (i64, i64) = session
        .one(
            "SELECT COUNT(*), COALESCE(SUM(transactions), 0)::BIGINT FROM dockets WHERE chain = $1 AND number >= $2",
            &[&chain.id, &ordered(chain.unindexed_from())],
        )
        .await?;
    chain.unindexed_dockets = dockets.cast_unsigned();
    chain.unindexed_transactions = transactions.cast_unsigned();
    Ok(())
}
