//! What concurrent requests hand in is looked up together, and its signatures are checked together.

use crate::{
    signatures::Signatures,
    together::{Bounds, Together},
};
use futures::FutureExt;
use peerwright_ledger::{RegisterId, TransactionId};
use peerwright_store::{Store, StoreError};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Look-ups of a batch, and batches under way: a reader of the store is enough.
const LOOK_UPS: Bounds = Bounds { batch: 256, under_way: 1 };

type Place = (RegisterId, TransactionId);

pub(in crate::api) struct Intake {
    pub(super) signatures: Signatures,
    held: Together<Place, Result<bool, StoreError>>,
}

impl Intake {
    pub(in crate::api) fn new(store: Arc<dyn Store>) -> Self {
        let held = Together::new(LOOK_UPS, move |places| look_up(store.clone(), places).boxed());
        Self { signatures: Signatures::new(), held }
    }

    /// Which of these the store holds.
    pub(super) async fn held(
        &self,
        register: RegisterId,
        ids: Vec<TransactionId>,
    ) -> Result<BTreeSet<TransactionId>, StoreError> {
        let places = ids.iter().map(|id| (register, *id)).collect();
        let held = self.held.ask(places).await.ok_or(StoreError::Closed)?;
        let held = ids.into_iter().zip(held).map(|(id, held)| Ok(held?.then_some(id)));
        held.filter_map(Result::transpose).collect()
    }
}

async fn look_up(store: Arc<dyn Store>, places: Vec<Place>) -> Vec<Result<bool, StoreError>> {
    let mut of_registers: BTreeMap<RegisterId, Vec<TransactionId>> = BTreeMap::new();
    for (register, id) in &places {
        of_registers.entry(*register).or_default().push(*id);
    }
    let mut found = BTreeMap::new();
    for (register, ids) in of_registers {
        let held = store.transactions(register, ids).await;
        found.insert(register, held.map(|held| held.into_iter().flatten().map(|one| one.id).collect::<BTreeSet<_>>()));
    }
    let is_held = |(register, id): Place| match found.get(&register) {
        Some(Ok(held)) => Ok(held.contains(&id)),
        Some(Err(error)) => Err(error.clone()),
        None => Ok(false),
    };
    places.into_iter().map(is_held).collect()
}
