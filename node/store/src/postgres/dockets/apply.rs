//! What the writer does with dockets, inside the transaction of its group.
//!
//! A refusal is the inner result: it is found before anything is written, so the rest of the group stands.

use super::{
    chain,
    rows::{self, NewRow},
};
use crate::{
    DocketCertificate, StoreError,
    checksum::Checked,
    codec::{from_ordered, ordered},
    docket::{Link, follow},
    postgres::session::Session,
    prepared::{PreparedDocket, PreparedExtension},
};
use bytes::Bytes;
use futures::{future::try_join_all, try_join};
use peerwright_ledger::RegisterId;
use peerwright_secure::sha256;
use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

/// What an operation came to, unless the database failed.
pub(super) type Outcome<T> = Result<Result<T, StoreError>, StoreError>;

pub(super) async fn extend(session: &Session, extensions: Vec<PreparedExtension>) -> Outcome<()> {
    let registers: BTreeSet<RegisterId> = extensions.iter().map(|extension| extension.register).collect();
    let mut chains = chain::load_some(session, &registers).await?;
    let mut heads: BTreeMap<RegisterId, Link> =
        chains.iter().map(|(register, chain)| (*register, chain.head())).collect();
    for PreparedExtension { register, dockets, .. } in &extensions {
        let head = heads.get(register).copied();
        match follow(*register, head, dockets.iter().map(|docket| (&docket.docket, docket.hash))) {
            Ok(head) => heads.extend(head.map(|head| (*register, head))),
            Err(refusal) => return Ok(Err(refusal)),
        };
    }
    let mut new = Vec::new();
    let mut checkpoints: BTreeMap<i64, (i64, Bytes)> = BTreeMap::new();
    for PreparedExtension { register, dockets, checkpoint, checkpoint_checksum } in extensions {
        let Some(first) = dockets.first() else { continue };
        let chain = match chains.entry(register) {
            Entry::Occupied(held) => held.into_mut(),
            Entry::Vacant(place) => {
                place.insert(chain::begin(session, register, (first.docket.number, first.hash)).await?)
            }
        };
        for prepared in dockets {
            chain.append(&prepared);
            new.push(NewRow { chain: chain.id, prepared });
        }
        checkpoints.insert(chain.id, (checkpoint_checksum, checkpoint));
    }
    rows::insert(session, &new).await?;
    let save = try_join_all(chains.values().map(|chain| chain::save(session, chain)));
    try_join!(save, keep_checkpoints(session, &checkpoints))?;
    Ok(Ok(()))
}

async fn keep_checkpoints(session: &Session, checkpoints: &BTreeMap<i64, (i64, Bytes)>) -> Result<(), StoreError> {
    let chains: Vec<i64> = checkpoints.keys().copied().collect();
    let (checksums, bytes): (Vec<i64>, Vec<&[u8]>) =
        checkpoints.values().map(|(checksum, bytes)| (*checksum, bytes.as_ref())).unzip();
    session
        .execute(
            "INSERT INTO checkpoints (chain, checksum, bytes) SELECT * FROM unnest($1::BIGINT[], $2::BIGINT[], $3::BYTEA[])
             ON CONFLICT (chain) DO UPDATE SET checksum = excluded.checksum, bytes = excluded.bytes",
            &[&chains, &checksums, &bytes],
        )
        .await?;
    Ok(())
}

pub(super) async fn certify(session: &Session, certificates: Vec<DocketCertificate>) -> Outcome<()> {
    let registers: BTreeSet<RegisterId> = certificates.iter().map(|certificate| certificate.register).collect();
    let mut chains = chain::load_some(session, &registers).await?;
    let asked: BTreeSet<(i64, u64)> = certificates
        .iter()
        .filter_map(|certificate| Some((chains.get(&certificate.register)?.id, certificate.number)))
        .collect();
    let hashes = hashes(session, &asked).await?;
    let mut new: BTreeMap<(i64, u64), DocketCertificate> = BTreeMap::new();
    for certificate in certificates {
        let DocketCertificate { register, number, .. } = certificate;
        let chain = chains.get(&register).filter(|chain| number >= chain.held.first);
        let place = chain.map(|chain| (chain.id, number));
        let Some((place, hash)) = place.and_then(|place| Some((place, hashes.get(&place)?))) else {
            return Ok(Err(StoreError::DocketNotHeld { register, number }));
        };
        if hash != certificate.hash.as_bytes() {
            return Ok(Err(StoreError::DocketDiffers { register, number }));
        }
        // Of several, the first stays, as one that is held does.
        new.entry(place).or_insert(certificate);
    }
    add_certificates(session, &new).await?;
    for chain in chains.values_mut() {
        chain::find_certified(session, chain).await?;
        chain::save(session, chain).await?;
    }
    Ok(Ok(()))
}

async fn hashes(session: &Session, asked: &BTreeSet<(i64, u64)>) -> Result<BTreeMap<(i64, u64), Vec<u8>>, StoreError> {
    let (chains, numbers): (Vec<i64>, Vec<i64>) =
        asked.iter().map(|(chain, number)| (*chain, ordered(*number))).unzip();
    let rows: Vec<(i64, i64, Vec<u8>)> = session
        .all(
            "SELECT chain, number, hash FROM dockets
             JOIN unnest($1::BIGINT[], $2::BIGINT[]) AS asked (chain, number) USING (chain, number)",
            &[&chains, &numbers],
        )
        .await?;
    Ok(rows.into_iter().map(|(chain, number, hash)| ((chain, from_ordered(number)), hash)).collect())
}

async fn add_certificates(session: &Session, new: &BTreeMap<(i64, u64), DocketCertificate>) -> Result<(), StoreError> {
    let (chains, numbers): (Vec<i64>, Vec<i64>) = new.keys().map(|(chain, number)| (*chain, ordered(*number))).unzip();
    let (checksums, bytes): (Vec<i64>, Vec<&[u8]>) = new
        .values()
        .map(|DocketCertificate { register, number, certificate, .. }| {
            (Checked::Certificate(*register, *number).checksum(certificate), certificate.as_ref())
        })
        .unzip();
    session
        .execute(
            "UPDATE dockets SET certificate_checksum = added.checksum, certificate = added.bytes
             FROM unnest($1::BIGINT[], $2::BIGINT[], $3::BIGINT[], $4::BYTEA[]) AS added (chain, number, checksum, bytes)
             WHERE dockets.chain = added.chain AND dockets.number = added.number AND dockets.certificate IS NULL",
            &[&chains, &numbers, &checksums, &bytes],
        )
        .await?;
    Ok(())
}

pub(super) async fn replace(session: &Session, register: RegisterId, prepared: PreparedDocket) -> Outcome<()> {
    let number = prepared.docket.number;
    let not_held = StoreError::DocketNotHeld { register, number };
    let Some(mut chain) = chain::load(session, register).await?.filter(|chain| number >= chain.held.first) else {
        return Ok(Err(not_held));
    };
    let found: Option<(Vec<u8>, Vec<u8>)> = session
        .optional("SELECT hash, header FROM dockets WHERE chain = $1 AND number = $2", &[&chain.id, &ordered(number)])
        .await?;
    let Some((hash, header)) = found else {
        if number > chain.held.head {
            return Ok(Err(not_held));
        }
        // Its row is lost; that of its body may be there.
        session
            .execute("DELETE FROM docket_bodies WHERE chain = $1 AND number = $2", &[&chain.id, &ordered(number)])
            .await?;
        rows::insert(session, &[NewRow { chain: chain.id, prepared }]).await?;
        chain::find_certified(session, &mut chain).await?;
        chain::save(session, &chain).await?;
        return Ok(Ok(()));
    };
    if sha256(&header).as_slice() == hash && hash != prepared.hash.as_bytes() {
        return Ok(Err(StoreError::DocketDiffers { register, number }));
    }
    session
        .execute(
            "UPDATE dockets SET hash = $1, transactions = $2, body_bytes = $3, header = $4,
             certificate_checksum = COALESCE($5, certificate_checksum), certificate = COALESCE($6, certificate)
             WHERE chain = $7 AND number = $8",
            &[
                &prepared.hash.as_bytes().as_slice(),
                &prepared.transactions().cast_signed(),
                &prepared.body_bytes().cast_signed(),
                &prepared.docket.header.as_ref(),
                &prepared.certificate_checksum,
                &prepared.docket.certificate.as_deref(),
                &chain.id,
                &ordered(number),
            ],
        )
        .await?;
    session
        .execute(
            "INSERT INTO docket_bodies (chain, number, ids_checksum, body_checksum, ids, body)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (chain, number) DO UPDATE SET
             ids_checksum = excluded.ids_checksum, body_checksum = excluded.body_checksum, ids = excluded.ids,
             body = excluded.body",
            &[
                &chain.id,
                &ordered(number),
                &prepared.ids_checksum,
                &prepared.body_checksum,
                &prepared.ids,
                &prepared.docket.body.as_ref(),
            ],
        )
        .await?;
    chain::find_certified(session, &mut chain).await?;
    chain::save(session, &chain).await?;
    Ok(Ok(()))
}

pub(super) async fn trim(session: &Session, register: RegisterId, below: u64) -> Result<(), StoreError> {
    let Some(mut chain) = chain::load(session, register).await? else { return Ok(()) };
    let below = below.min(chain.held.head);
    if below <= chain.held.first {
        return Ok(());
    }
    let (transactions, body_bytes): (i64, i64) = session
        .one(
            "SELECT COALESCE(SUM(transactions), 0)::BIGINT, COALESCE(SUM(body_bytes), 0)::BIGINT FROM dockets
             WHERE chain = $1 AND number >= $2 AND number < $3",
            &[&chain.id, &ordered(chain.held.first), &ordered(below)],
        )
        .await?;
    chain.cut(below, transactions.cast_unsigned(), body_bytes.cast_unsigned());
    chain::find_certified(session, &mut chain).await?;
    chain::count_unindexed(session, &mut chain).await?;
    chain::save(session, &chain).await
}

/// The rows go little by little, see the upkeep.
pub(super) async fn purge(session: &Session, register: RegisterId) -> Result<u64, StoreError> {
    let Some(chain) = chain::load(session, register).await? else { return Ok(0) };
    session.execute("DELETE FROM checkpoints WHERE chain = $1", &[&chain.id]).await?;
    session.execute("UPDATE chains SET register = NULL WHERE id = $1", &[&chain.id]).await?;
    Ok((chain.held.head - chain.held.first).saturating_add(1))
}
