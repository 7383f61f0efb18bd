//! Every acknowledged transaction is where its level promises. Accepted: in the outbox of the replica that accepted it, or in a
//! docket that this replica holds. Committed: in a docket, and in one only. In the end both are in one docket.

use crate::tests::simulation::{Broken, replica::Replica};
use peerwright_ledger::{Docket, RegisterId, Transaction, TransactionId};
use peerwright_store::{DocketStore, Seen};
use std::collections::{BTreeMap, BTreeSet};

/// What was promised.
#[derive(Default)]
pub(in crate::tests::simulation) struct Acknowledged {
    committed: BTreeSet<TransactionId>,
    /// With the register, and the name of the replica that accepted it.
    accepted: BTreeMap<TransactionId, (RegisterId, String)>,
    /// What was found in dockets of all registers that were looked at.
    sealed: BTreeSet<TransactionId>,
}

impl Acknowledged {
    pub(in crate::tests::simulation) fn committed(&mut self, ids: impl IntoIterator<Item = TransactionId>) {
        self.committed.extend(ids);
    }

    pub(in crate::tests::simulation) fn accepted(
        &mut self,
        register: RegisterId,
        one: &Transaction,
        replica: &Replica,
    ) {
        self.accepted.insert(one.id(), (register, replica.name()));
    }

    /// What a replica has accepted is in its outbox or in a docket that it holds.
    pub(in crate::tests::simulation) async fn check_accepted(&self, replica: &Replica) -> Result<(), Broken> {
        let mut gone: BTreeMap<RegisterId, Vec<TransactionId>> = BTreeMap::new();
        for (id, (register, accepted_by)) in &self.accepted {
            if *accepted_by == replica.name() && !replica.outbox().contains_key(id) {
                gone.entry(*register).or_default().push(*id);
            }
        }
        for (register, ids) in gone {
            let places = replica.volume().find_all(register, ids.clone(), Seen::Certified).await;
            let places = places.map_err(|error| Broken::new("acknowledged", error.to_string()))?;
            if let Some((id, _)) = ids.iter().zip(places).find(|(_, place)| place.is_none()) {
                let what = format!("{id} is neither in the outbox nor in a docket of {}", replica.name());
                return Err(Broken::new("acknowledged", what));
            }
        }
        Ok(())
    }

    /// No volume has a transaction twice.
    pub(in crate::tests::simulation) fn check_once(
        &self,
        volume: &str,
        sealed: &[TransactionId],
    ) -> Result<(), Broken> {
        let mut seen = BTreeSet::new();
        match sealed.iter().find(|id| !seen.insert(**id)) {
            Some(id) => Err(Broken::new("acknowledged", format!("{id} is in two dockets of {volume}"))),
            None => Ok(()),
        }
    }

    /// Takes what a register's whole history holds.
    pub(in crate::tests::simulation) fn found(&mut self, history: &[Docket]) {
        self.sealed.extend(history.iter().flat_map(|docket| crate::registers::ids(&docket.body)));
    }

    /// All that was acknowledged was found.
    pub(in crate::tests::simulation) fn check_all(&self) -> Result<(), Broken> {
        let acknowledged = self.committed.iter().chain(self.accepted.keys());
        match acknowledged.into_iter().find(|id| !self.sealed.contains(id)) {
            Some(id) => Err(Broken::new("acknowledged", format!("{id} is in no docket"))),
            None => Ok(()),
        }
    }
}
