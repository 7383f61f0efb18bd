//! Fetches what any other member holds of the registers, before a sealer goes on without the others.
//!
//! Not in a hurry and from everybody: what was certified and is not here would be lost, or prove a fork later.

use super::{
    Ended, govern, next_number,
    source::{BODIES_WITHIN, SourceStream},
    stretch::take_headers,
};
use crate::{
    driver::Clock,
    registers::{Registers, sources::Sources},
};
use bytes::Bytes;
use peerwright_ledger::{Chain, RegisterId};
use peerwright_secure::PeerId;
use peerwright_store::{Extension, NewDocket, StoreError};
use std::collections::BTreeSet;
use tokio::time::timeout;

/// Fetches of these registers what the members that are alive hold beyond what is here. Whoever does not answer is left out.
pub(crate) async fn fetch_from_all(registers: &Registers, sources: &Sources, of: &BTreeSet<RegisterId>) {
    let own = sources.membership.peer_id();
    for peer in sources.callers.alive().await.into_iter().filter(|peer| *peer != own) {
        for register in of {
            match Box::pin(fetch(registers, sources, *register, peer)).await {
                Ok(0) | Err(Ended::NotHeld) => {}
                Ok(dockets) => tracing::info!(%register, %peer, dockets, "dockets that were not here were fetched"),
                Err(ended @ Ended::Unreached(_)) => {
                    tracing::warn!(%peer, %ended, "a member is not asked for what it holds");
                    break;
                }
                Err(ended) => tracing::warn!(%register, %peer, %ended, "what a member holds is not fetched"),
            }
        }
    }
}

/// Fetches what one member holds of a register beyond what is here; how many dockets that were.
async fn fetch(registers: &Registers, sources: &Sources, register: RegisterId, peer: PeerId) -> Result<u64, Ended> {
    let checkpoint = registers.store.checkpoint(register).await?;
    let mut chain = checkpoint.map(|checkpoint| Chain::decode(&checkpoint)).transpose()?;
    let begin = next_number(chain.as_ref());
    let mut stream = SourceStream::open(sources, register, peer, begin).await?;
    while next_number(chain.as_ref()) < stream.holds.end {
        let mut headers = stream.headers(next_number(chain.as_ref()), 0).await?;
        while !headers.is_empty() {
            while let Some(control) = headers.pop_front_if(|next| next.header.control) {
                let (governed, docket) = govern(registers, &mut stream, register, chain, control).await?;
                store(registers, register, vec![docket], governed.encode()).await?;
                chain = Some(governed);
            }
            // Docket 0 governs.
            let known = chain.as_mut().ok_or(Ended::Short)?;
            for stretch in take_headers(known, &mut headers, Clock::wall().0)? {
                stream.ask_bodies(stretch.first(), stretch.count()).await?;
                let bodies = timeout(BODIES_WITHIN, stream.bodies()).await.map_err(|_| Ended::Silent)??;
                let checkpoint = stretch.checkpoint().clone();
                let dockets = registers.budget.verify(move || stretch.verify(bodies)).await?;
                store(registers, register, dockets, checkpoint).await?;
            }
        }
    }
    Ok(next_number(chain.as_ref()).saturating_sub(begin))
}

async fn store(
    registers: &Registers,
    register: RegisterId,
    dockets: Vec<NewDocket>,
    checkpoint: Bytes,
) -> Result<(), StoreError> {
    registers.store.extend(vec![Extension { register, dockets, checkpoint }]).await
}
