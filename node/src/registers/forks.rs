//! Registers of which two histories are certified: frozen, with the proof, until people purge them here.

use bytes::Bytes;
use peerwright_encoding::{DecodeError, Reader, Writer};
use peerwright_ledger::{ForkProof, MAX_FORK_PROOF_BYTES, RegisterId};
use peerwright_store::{Store, StoreError};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Where the proofs are kept.
const DOCUMENT: &str = "register-forks";
/// Proofs that are kept at most. Further registers are frozen until a restart, and then by whoever serves the other
/// history again.
const MAX_FORKS: usize = 64;

/// The proofs, one a register.
#[derive(Debug, Default)]
pub(crate) struct Forks {
    proofs: Mutex<BTreeMap<RegisterId, Arc<ForkProof>>>,
}

impl Forks {
    /// Takes in what was kept.
    pub(crate) async fn load(&self, store: &dyn Store) -> Result<(), StoreError> {
        let kept = store.document(DOCUMENT).await?;
        let proofs = kept.map(|kept| read(&kept)).transpose();
        let proofs = proofs.map_err(|error| StoreError::Damaged(format!("the proofs of forks: {error}")))?;
        self.proofs().extend(proofs.into_iter().flatten().map(|proof| (proof.register(), Arc::new(proof))));
        Ok(())
    }

    /// The proof that the register has two histories.
    pub(crate) fn of(&self, register: RegisterId) -> Option<Arc<ForkProof>> {
        self.proofs().get(&register).cloned()
    }

    /// Keeps the first proof of a register.
    pub(crate) async fn keep(&self, store: &dyn Store, proof: ForkProof) -> Result<(), StoreError> {
        self.proofs().entry(proof.register()).or_insert_with(|| Arc::new(proof));
        self.save(store).await
    }

    /// The register was purged here.
    pub(crate) async fn forget(&self, store: &dyn Store, register: RegisterId) -> Result<(), StoreError> {
        if self.proofs().remove(&register).is_none() {
            return Ok(());
        }
        self.save(store).await
    }

    async fn save(&self, store: &dyn Store) -> Result<(), StoreError> {
        let document = write(&self.proofs());
        store.put_document(DOCUMENT, document).await
    }

    fn proofs(&self) -> MutexGuard<'_, BTreeMap<RegisterId, Arc<ForkProof>>> {
        self.proofs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write(proofs: &BTreeMap<RegisterId, Arc<ForkProof>>) -> Bytes {
    let proofs: Vec<_> = proofs.values().take(MAX_FORKS).collect();
    let mut writer = Writer::new();
    writer.list(&proofs, |writer, proof| {
        writer.bytes(&proof.encode());
    });
    writer.finish().into()
}

fn read(kept: &[u8]) -> Result<Vec<ForkProof>, DecodeError> {
    let mut reader = Reader::new(kept);
    let proofs = reader.list(MAX_FORKS, "proofs of forks", |reader| {
        let proof = ForkProof::decode(reader.bytes(MAX_FORK_PROOF_BYTES, "proof of a fork")?);
        proof.map_err(|_| DecodeError::Invalid("what was kept is no proof of a fork"))
    })?;
    reader.finish()?;
    Ok(proofs)
}

#[cfg(test)]
mod tests {
    use super::Forks;
    use crate::testing::sealed::SealedRegister;
    use peerwright_ledger::ForkProof;
    use peerwright_store::Memory;

    fn proof() -> ForkProof {
        let common = SealedRegister::of(1, 1);
        let [mut one, mut other] = [common.clone(), common];
        one.seal(1);
        other.seal(2);
        ForkProof::of(one.certified(2), other.certified(2)).unwrap()
    }

    #[tokio::test]
    async fn a_proof_outlives_a_restart_and_ends_with_the_purge() {
        let (store, proof) = (Memory::new("a network"), proof());
        let register = proof.register();
        Forks::default().keep(&store, proof.clone()).await.unwrap();

        let forks = Forks::default();
        forks.load(&store).await.unwrap();
        assert_eq!(forks.of(register).as_deref(), Some(&proof));

        forks.forget(&store, register).await.unwrap();
        let forks = Forks::default();
        forks.load(&store).await.unwrap();
        assert_eq!(forks.of(register), None);
    }
}
