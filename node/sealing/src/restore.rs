//! What a sealer finds in its store when it starts.

use crate::{
    durable::Durable,
    raft::{LogId, StoredMembership},
    registers::{Horizon, Register, Registers, ids, remember},
    settled::Settled,
};
use peerwright_encoding::DecodeError;
use peerwright_ledger::{Chain, ControlRefused, DocketBody, DocketHeader, RegisterId, docket::SEALED_HORIZON_MICROS};
use peerwright_secure::NodeKey;
use peerwright_store::{HeldDockets, SealingStore, Seen, StoreError};
use std::collections::BTreeMap;
use thiserror::Error;

/// Dockets that are read at once to learn which transactions were sealed.
const READ_DOCKETS: usize = 256;
const READ_BYTES: usize = 16 << 20;

/// Why a sealer cannot begin with what its store holds.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotRestored {
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something in it is not what this program wrote.
    #[error("the store holds something that is no docket or entry of a sealer: {0}; restore the volume")]
    Unreadable(#[from] DecodeError),
    /// A register's checkpoint is not what this program wrote.
    #[error("the checkpoint of register {register} cannot be read: {refused}; restore the volume")]
    Checkpoint {
        /// The register.
        register: RegisterId,
        /// Why.
        refused: ControlRefused,
    },
}

/// What a sealer begins with.
pub(crate) struct Restored {
    pub(crate) registers: Registers,
    /// It has more of a log than the entry that a group begins with.
    pub(crate) has_begun: bool,
}

/// The registers as they are stored. What the log has beyond that is applied again.
pub(crate) async fn restore(
    store: &dyn SealingStore,
    key: NodeKey,
    durable: &Durable,
) -> Result<Restored, NotRestored> {
    let mut registers = BTreeMap::new();
    for held in durable.ask(|| store.registers()).await? {
        let Some(checkpoint) = durable.ask(|| store.checkpoint(held.register)).await? else { continue };
        let chain = Chain::decode(&checkpoint)
            .map_err(|refused| NotRestored::Checkpoint { register: held.register, refused })?;
        let horizon = horizon(store, &held, &chain, durable).await?;
        registers.insert(held.register, Register::stored(chain, horizon));
    }
    let state = durable.ask(|| store.log_state()).await?;
    // The first entry names the first members and is the same wherever a group begins.
    let has_begun = state.last.is_some_and(|last| last.index > 0) || state.purged.is_some() || state.applied.is_some();
    let settled = state.applied.map(|applied| Settled::decode(&applied.state)).transpose()?;
    let settled: (Option<LogId>, StoredMembership) =
        settled.map_or_else(Default::default, |settled| (Some(settled.id), settled.membership));
    Ok(Restored { registers: Registers::new(key, registers, settled), has_begun })
}

/// The transactions that may still be handed in again, from the dockets that are young enough to hold any.
async fn horizon(
    store: &dyn SealingStore,
    held: &HeldDockets,
    chain: &Chain,
    durable: &Durable,
) -> Result<Horizon, NotRestored> {
    let mut horizon = Horizon::default();
    let since = chain.head().sealed_at_micros.saturating_sub(SEALED_HORIZON_MICROS);
    let mut from = first_sealed_after(store, held, since, durable).await?;
    loop {
        let dockets = durable.ask(|| store.dockets(held.register, from, Seen::All, READ_DOCKETS, READ_BYTES)).await?;
        let Some(last) = dockets.last() else { return Ok(horizon) };
        from = last.header.number + 1;
        for docket in dockets {
            let header = DocketHeader::decode(&docket.header.header)?;
            let body = DocketBody::decode(docket.body)?;
            remember(&mut horizon, &header, &body, &ids(&body));
        }
    }
}

/// The number of the first docket held that was sealed after `since`: times never fall, so it is found by halving.
async fn first_sealed_after(
    store: &dyn SealingStore,
    held: &HeldDockets,
    since: u64,
    durable: &Durable,
) -> Result<u64, NotRestored> {
    let (mut first, mut behind) = (held.first, held.head + 1);
    while first < behind {
        let middle = first.midpoint(behind);
        let headers = durable.ask(|| store.headers(held.register, middle, Seen::All, 1)).await?;
        let header = headers.first().map(|header| DocketHeader::decode(&header.header)).transpose()?;
        if header.is_some_and(|header| header.sealed_at_micros <= since) {
            first = middle + 1;
        } else {
            behind = middle;
        }
    }
    Ok(first)
}
