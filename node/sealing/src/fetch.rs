//! Fetches certified dockets from another sealer: what a snapshot names and this sealer lacks.
//!
//! ```text
//! snapshot: heads ─▶ for each: from what is stored here ─▶ dockets, verified as a stranger would ─▶ stored ─▶ ... ─▶ head
//! ```

use crate::{
    core::{Core, extension},
    snapshot::{Head, Heads},
    transport::{Transport, TransportError},
    wire::{Answer, Request},
};
use bytes::Bytes;
use peerwright_encoding::DecodeError;
use peerwright_ledger::{Chain, Docket, DocketRefused, RegisterId, TransactionId, Verify};
use peerwright_secure::NodePublicKey;
use peerwright_store::{Seen, StoreError};
use std::{sync::Arc, time::Duration};
use thiserror::Error;

/// Bytes of dockets that are asked for at once.
const FETCH_BYTES: u32 = 4 << 20;
/// Most bytes and dockets that are given at once.
const SERVED_BYTES: usize = 8 << 20;
const SERVED_DOCKETS: usize = 1_024;
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a sealer did not get what a snapshot names.
#[derive(Debug, Error)]
pub(crate) enum NotFetched {
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error("the sealer's answer cannot be read: {0}")]
    Unreadable(#[from] DecodeError),
    #[error("the sealer has answered something else")]
    OtherAnswer,
    #[error("the sealer does not have docket {number} of {register}, and named it")]
    NotHeld { register: RegisterId, number: u64 },
    #[error("a docket of {register} is refused: {refused}")]
    Refused { register: RegisterId, refused: DocketRefused },
    #[error("docket {number} of {register} is certified here with another hash than there")]
    Fork { register: RegisterId, number: u64 },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Fetches up to all heads.
pub(crate) async fn fetch(
    core: &Arc<Core>,
    transport: &dyn Transport,
    from: NodePublicKey,
    heads: &Heads,
) -> Result<(), NotFetched> {
    for head in &heads.0 {
        while !reached(core, head).await? {
            fetch_some(core, transport, from, head).await?;
        }
    }
    Ok(())
}

/// Whether the head is stored here. Another docket in its place is a fork, however far this one has gone on behind it.
async fn reached(core: &Core, head: &Head) -> Result<bool, NotFetched> {
    let Some(held) = certified(core, head.register).map(|chain| *chain.head()) else { return Ok(false) };
    if held.number < head.number {
        return Ok(false);
    }
    let there = core.store.headers(head.register, head.number, Seen::Certified, 1).await?;
    let there = there.first().filter(|there| there.number == head.number);
    if there.is_some_and(|there| there.hash != head.hash) {
        return Err(NotFetched::Fork { register: head.register, number: head.number });
    }
    Ok(true)
}

fn certified(core: &Core, register: RegisterId) -> Option<Chain> {
    core.registers(|registers| registers.get(&register)?.certified().cloned())
}

async fn fetch_some(
    core: &Arc<Core>,
    transport: &dyn Transport,
    from: NodePublicKey,
    head: &Head,
) -> Result<(), NotFetched> {
    let register = head.register;
    let held = certified(core, register);
    let next = held.as_ref().map_or(0, |chain| chain.head().number + 1);
    let request = Request::Dockets { register, from: next, max_bytes: FETCH_BYTES };
    let Answer::Dockets(encoded) = Answer::decode(&transport.call(from, request.encode(), PATIENCE).await?)? else {
        return Err(NotFetched::OtherAnswer);
    };
    let (chain, dockets) = verify(held.clone(), register, encoded, core.now())?;
    let Some(chain) = chain.filter(|_| !dockets.is_empty()) else {
        return Err(NotFetched::NotHeld { register, number: next });
    };
    // To its end, even when whoever sent the snapshot waits no longer: what is stored and what is known do not part.
    let adopting = tokio::spawn(adopt(Arc::clone(core), register, held, chain, dockets));
    Ok(adopting.await.unwrap_or(Err(StoreError::Closed))?)
}

/// Stores verified dockets, and knows of them.
async fn adopt(
    core: Arc<Core>,
    register: RegisterId,
    held: Option<Chain>,
    chain: Chain,
    dockets: Vec<(Docket, Vec<TransactionId>)>,
) -> Result<(), StoreError> {
    let _writing = core.writing.lock().await;
    if core.durable.cancelled.is_cancelled() {
        return Err(StoreError::Closed);
    }
    if certified(&core, register) != held {
        // What came by the log meanwhile was stored first; the rest is asked for again.
        return Ok(());
    }
    let extensions = vec![extension(register, dockets.iter().cloned(), chain.encode())];
    core.durable.write(|| core.store.extend(extensions.clone())).await?;
    core.registers(|registers| registers.adopt(register, chain, &dockets));
    for (docket, _) in dockets {
        core.tail.push(docket);
    }
    core.recorded.send_modify(|count| *count += 1);
    Ok(())
}

type Verified = (Option<Chain>, Vec<(Docket, Vec<TransactionId>)>);

/// Verifies dockets as a stranger would, behind what is held.
fn verify(
    mut chain: Option<Chain>,
    register: RegisterId,
    encoded: Vec<Bytes>,
    now: u64,
) -> Result<Verified, NotFetched> {
    let refused = |refused| NotFetched::Refused { register, refused };
    let mut dockets = Vec::with_capacity(encoded.len());
    for docket in encoded {
        let docket = Docket::decode(docket)?;
        let ids = match &mut chain {
            Some(chain) => chain.extend(&docket, Verify::Docket, now).map_err(refused)?,
            None => {
                let begun = Chain::begin(&docket, now).map_err(refused)?;
                if begun.register() != register {
                    return Err(refused(DocketRefused::OtherRegister(begun.register())));
                }
                chain = Some(begun);
                crate::registers::ids(&docket.body)
            }
        };
        dockets.push((docket, ids));
    }
    Ok((chain, dockets))
}

/// Gives another sealer the dockets that it asks for.
pub(crate) async fn serve(
    core: &Core,
    register: RegisterId,
    from: u64,
    max_bytes: u32,
) -> Result<Vec<Bytes>, NotFetched> {
    let max_bytes = usize::try_from(max_bytes).unwrap_or(SERVED_BYTES).min(SERVED_BYTES);
    let stored = core.store.dockets(register, from, Seen::Certified, SERVED_DOCKETS, max_bytes).await?;
    stored
        .into_iter()
        .map(|stored| {
            let header = peerwright_ledger::DocketHeader::decode(&stored.header.header)?;
            let certificate = stored.header.certificate.unwrap_or_default();
            let certificate = peerwright_ledger::CommitCertificate::decode(&certificate)?;
            let body = peerwright_ledger::DocketBody::decode(stored.body)?;
            Ok(Docket { header, certificate, body }.encode())
        })
        .collect()
}
