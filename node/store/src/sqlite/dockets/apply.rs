//! What the writer does with dockets, inside the transaction of its group.
//!
//! A refusal is the inner result: it is found before anything is written, so the rest of the group stands.

use super::chain;
use crate::{
    DocketCertificate, NewDocket, StoreError,
    chain::Chain,
    checksum::Checked,
    codec::ordered,
    docket::{Link, follow},
    prepared::{PreparedDocket, PreparedExtension},
    sqlite::statements::Statements as _,
};
use peerwright_ledger::RegisterId;
use peerwright_secure::sha256;
use rusqlite::{Connection, params};
use std::collections::BTreeMap;

/// What an operation came to, unless the database failed.
pub(in crate::sqlite) type Outcome<T> = Result<Result<T, StoreError>, StoreError>;

pub(in crate::sqlite) fn extend(connection: &Connection, extensions: Vec<PreparedExtension>) -> Outcome<()> {
    let mut chains: BTreeMap<RegisterId, Option<Chain>> = BTreeMap::new();
    let mut heads: BTreeMap<RegisterId, Option<Link>> = BTreeMap::new();
    for PreparedExtension { register, dockets, .. } in &extensions {
        if !chains.contains_key(register) {
            let chain = chain::load(connection, *register)?;
            heads.insert(*register, chain.as_ref().map(Chain::head));
            chains.insert(*register, chain);
        }
        let head = heads.get(register).copied().flatten();
        match follow(*register, head, dockets.iter().map(|docket| (&docket.docket, docket.hash))) {
            Ok(head) => heads.insert(*register, head),
            Err(refusal) => return Ok(Err(refusal)),
        };
    }
    for extension in extensions {
        let chain = chains.entry(extension.register).or_default();
        append(connection, chain, extension)?;
    }
    for chain in chains.values_mut().flatten() {
        chain::find_certified(connection, chain)?;
        chain::save(connection, chain)?;
    }
    Ok(Ok(()))
}

/// Writes dockets that follow; the row of their register is saved by the caller.
fn append(connection: &Connection, chain: &mut Option<Chain>, extension: PreparedExtension) -> Result<(), StoreError> {
    let Some(first) = extension.dockets.first() else { return Ok(()) };
    let chain = match chain {
        Some(chain) => chain,
        None => {
            let begun = chain::begin(connection, extension.register, (first.docket.number, first.hash))?;
            chain.insert(begun)
        }
    };
    for docket in extension.dockets {
        chain.append(&docket);
        insert(connection, chain.id, docket)?;
    }
    connection.run(
        "INSERT INTO checkpoints (chain, checksum, bytes) VALUES (?1, ?2, ?3)
         ON CONFLICT (chain) DO UPDATE SET checksum = excluded.checksum, bytes = excluded.bytes",
        params![chain.id, extension.checkpoint_checksum, &extension.checkpoint[..]],
    )?;
    Ok(())
}

fn insert(connection: &Connection, chain: i64, prepared: PreparedDocket) -> Result<(), StoreError> {
    let (transactions, body_bytes) = (prepared.transactions(), prepared.body_bytes());
    let PreparedDocket { docket, hash, ids, ids_checksum, body_checksum, certificate_checksum } = prepared;
    let NewDocket { number, header, body, certificate, .. } = docket;
    let row: i64 = connection.value(
        "INSERT INTO dockets (chain, number, hash, transactions, body_bytes, header, certificate_checksum, certificate)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING id",
        params![
            chain,
            ordered(number),
            hash.as_bytes(),
            transactions.cast_signed(),
            body_bytes.cast_signed(),
            &header[..],
            certificate_checksum,
            certificate.as_deref()
        ],
    )?;
    connection.run(
        "INSERT INTO docket_bodies (docket, ids_checksum, body_checksum, ids, body) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![row, ids_checksum, body_checksum, ids, &body[..]],
    )?;
    Ok(())
}

pub(in crate::sqlite) fn certify(connection: &Connection, certificates: Vec<DocketCertificate>) -> Outcome<()> {
    let mut chains: BTreeMap<RegisterId, Chain> = BTreeMap::new();
    let mut rows = Vec::with_capacity(certificates.len());
    for DocketCertificate { register, number, hash, .. } in &certificates {
        let not_held = StoreError::DocketNotHeld { register: *register, number: *number };
        if !chains.contains_key(register) {
            let Some(chain) = chain::load(connection, *register)? else { return Ok(Err(not_held)) };
            chains.insert(*register, chain);
        }
        let Some(row) = find(connection, chains.get(register), *number)? else { return Ok(Err(not_held)) };
        if row.hash != hash.as_bytes() {
            return Ok(Err(StoreError::DocketDiffers { register: *register, number: *number }));
        }
        rows.push(row.id);
    }
    for (row, DocketCertificate { register, number, certificate, .. }) in rows.into_iter().zip(certificates) {
        connection.run(
            "UPDATE dockets SET certificate_checksum = ?1, certificate = ?2 WHERE id = ?3 AND certificate IS NULL",
            params![Checked::Certificate(register, number).checksum(&certificate), &certificate[..], row],
        )?;
    }
    for chain in chains.values_mut() {
        chain::find_certified(connection, chain)?;
        chain::save(connection, chain)?;
    }
    Ok(Ok(()))
}

struct Found {
    id: i64,
    hash: Vec<u8>,
    header: Vec<u8>,
}

fn find(connection: &Connection, chain: Option<&Chain>, number: u64) -> Result<Option<Found>, StoreError> {
    let Some(chain) = chain.filter(|chain| number >= chain.held.first) else { return Ok(None) };
    let row = connection.optional(
        "SELECT id, hash, header FROM dockets WHERE chain = ?1 AND number = ?2",
        params![chain.id, ordered(number)],
    )?;
    Ok(row.map(|(id, hash, header)| Found { id, hash, header }))
}

pub(in crate::sqlite) fn replace(
    connection: &Connection,
    register: RegisterId,
    prepared: PreparedDocket,
) -> Outcome<()> {
    let number = prepared.docket.number;
    let not_held = StoreError::DocketNotHeld { register, number };
    let Some(mut chain) = chain::load(connection, register)? else { return Ok(Err(not_held)) };
    let Some(Found { id, hash, header }) = find(connection, Some(&chain), number)? else {
        if !(chain.held.first..=chain.held.head).contains(&number) {
            return Ok(Err(not_held));
        }
        // Its row is lost.
        insert(connection, chain.id, prepared)?;
        chain::find_certified(connection, &mut chain)?;
        chain::save(connection, &chain)?;
        return Ok(Ok(()));
    };
    if sha256(&header).as_slice() == hash && hash != prepared.hash.as_bytes() {
        return Ok(Err(StoreError::DocketDiffers { register, number }));
    }
    connection.run(
        "UPDATE dockets SET hash = ?1, transactions = ?2, body_bytes = ?3, header = ?4,
         certificate_checksum = COALESCE(?5, certificate_checksum), certificate = COALESCE(?6, certificate)
         WHERE id = ?7",
        params![
            prepared.hash.as_bytes(),
            prepared.transactions().cast_signed(),
            prepared.body_bytes().cast_signed(),
            &prepared.docket.header[..],
            prepared.certificate_checksum,
            prepared.docket.certificate.as_deref(),
            id
        ],
    )?;
    connection.run(
        "INSERT INTO docket_bodies (docket, ids_checksum, body_checksum, ids, body) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (docket) DO UPDATE SET ids_checksum = excluded.ids_checksum,
         body_checksum = excluded.body_checksum,
         ids = excluded.ids, body = excluded.body",
        params![id, prepared.ids_checksum, prepared.body_checksum, prepared.ids, &prepared.docket.body[..]],
    )?;
    chain::find_certified(connection, &mut chain)?;
    chain::save(connection, &chain)?;
    Ok(Ok(()))
}

pub(in crate::sqlite) fn trim(connection: &Connection, register: RegisterId, below: u64) -> Result<(), StoreError> {
    let Some(mut chain) = chain::load(connection, register)? else { return Ok(()) };
    let below = below.min(chain.held.head);
    if below <= chain.held.first {
        return Ok(());
    }
    let (transactions, body_bytes): (i64, i64) = connection.one(
        "SELECT CAST(COALESCE(SUM(transactions), 0) AS BIGINT), CAST(COALESCE(SUM(body_bytes), 0) AS BIGINT)
         FROM dockets WHERE chain = ?1 AND number >= ?2 AND number < ?3",
        params![chain.id, ordered(chain.held.first), ordered(below)],
    )?;
    chain.cut(below, transactions.cast_unsigned(), body_bytes.cast_unsigned());
    chain::find_certified(connection, &mut chain)?;
    chain::count_unindexed(connection, &mut chain)?;
    chain::save(connection, &chain)
}

/// The rows go little by little, see the upkeep.
pub(in crate::sqlite) fn purge(connection: &Connection, register: RegisterId) -> Result<u64, StoreError> {
    let Some(chain) = chain::load(connection, register)? else { return Ok(0) };
    connection.run("DELETE FROM checkpoints WHERE chain = ?1", params![chain.id])?;
    connection.run("UPDATE chains SET register = NULL WHERE id = ?1", params![chain.id])?;
    Ok((chain.held.head - chain.held.first).saturating_add(1))
}
