//! All that can be read of a store and that a loss of power may not change.

use super::steps::BODIES;
use crate::{
    BODY_CHUNK_BYTES, HeldDockets, ListedMessage, ListedTransaction, Seen, StoreError,
    tests::{
        docket_model::Whole,
        fixtures::{large_transaction, register, told},
        model::{REGISTERS, everything},
    },
};
use peerwright_ledger::{RegisterId, TransactionId};
use peerwright_secure::sha256;
use std::sync::LazyLock;

/// One line for each thing that was read.
pub(super) type State = Vec<String>;

static BODY_IDS: LazyLock<Vec<TransactionId>> = LazyLock::new(|| {
    let numbers = REGISTERS.flat_map(|of| (0..BODIES).map(move |number| (of, number)));
    numbers.map(|(of, number)| large_transaction(register(of), number).id()).collect()
});

pub(super) async fn observe(store: &dyn Whole) -> Result<State, StoreError> {
    let mut state = dockets(store).await?;
    state.extend(places(store).await?);
    state.extend(messages(store).await?);
    Ok(state)
}

async fn dockets(store: &dyn Whole) -> Result<State, StoreError> {
    let mut state = vec![
        told(store.log_state().await?),
        told(store.read_log(0, u64::MAX, usize::MAX).await?.into_iter().map(|entry| entry.index).collect::<Vec<_>>()),
    ];
    for held in store.registers().await? {
        let id = held.register;
        state.push(told(HeldDockets { indexed_through: None, ..held }));
        state.push(told(store.checkpoint(id).await?));
        for docket in store.dockets(id, held.first, Seen::All, usize::MAX, usize::MAX).await? {
            state.push(told((
                docket.header.number,
                docket.header.hash,
                docket.header.certificate,
                sha256(&docket.body),
            )));
        }
    }
    Ok(state)
}

/// Where the transactions of the dockets are, which the index by transaction tells, or the dockets above it.
pub(super) async fn places(store: &dyn Whole) -> Result<State, StoreError> {
    let mut state = Vec::new();
    for held in store.registers().await? {
        let dockets = store.transaction_ids(held.register, held.first, usize::MAX).await?;
        let ids = dockets.iter().flat_map(|docket| docket.transactions.clone()).collect();
        state.push(told(dockets));
        state.push(told(store.find_all(held.register, ids, Seen::All).await?));
    }
    Ok(state)
}

async fn messages(store: &dyn Whole) -> Result<State, StoreError> {
    let registers: Vec<RegisterId> = REGISTERS.map(register).collect();
    let listed = store.messages_after(None, usize::MAX).await?;
    let mut state = vec![
        told(store.document("note").await?.map(|note| sha256(&note))),
        told(store.held(registers.clone()).await?),
        told(store.gone(registers.clone()).await?),
        told(listed.into_iter().map(|row| ListedMessage { position: 0, ..row }).collect::<Vec<_>>()),
    ];
    let bytes = store.read(everything(1, u64::MAX), usize::MAX, usize::MAX).await?;
    state.push(told(bytes.iter().map(|bytes| sha256(bytes)).collect::<Vec<_>>()));
    for id in registers {
        state.push(told(store.counts(id).await?));
        let listed = store.list(id, None, usize::MAX).await?;
        for row in listed.first().into_iter().chain(listed.last()) {
            state.push(told(store.transaction(id, row.id).await?.map(|stored| sha256(&stored.bytes))));
        }
        state.push(told(listed.into_iter().map(|row| ListedTransaction { position: 0, ..row }).collect::<Vec<_>>()));
        let dead = store.dead_letters(id, None, usize::MAX).await?;
        state.push(told(dead.into_iter().map(|row| row.letter).collect::<Vec<_>>()));
    }
    // The last bytes of each body that may have been put.
    for id in BODY_IDS.iter() {
        state.push(told(store.body_chunk(*id, 2 * BODY_CHUNK_BYTES as u64, u32::MAX).await?.map(|end| sha256(&end))));
    }
    Ok(state)
}

/// The lines in which two states differ.
pub(super) fn difference(found: &State, expected: &State) -> String {
    let missing = expected.iter().filter(|line| !found.contains(line)).map(|line| format!("- {line}\n"));
    let surplus = found.iter().filter(|line| !expected.contains(line)).map(|line| format!("+ {line}\n"));
    missing.chain(surplus).collect()
}
