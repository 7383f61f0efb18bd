//! Proof that something is in a register, for who holds one header of it.
//!
//! ```text
//! header of docket 900                     trusted, because it is certified
//!   | history root + inclusion proof
//!   v
//! docket 17's hash = header of docket 17
//!   | transactions root + inclusion proof
//!   v
//! id and signature of the transaction
//! ```

use super::{DocketBody, DocketHeader};
use crate::merkle::{InclusionProof, LeafHash};
use crate::{DocketHash, TransactionId, TransactionView};
use peerwright_encoding::DecodeError;

impl DocketHash {
    /// The leaf that stands for the docket in its register's history.
    #[must_use]
    pub fn leaf(&self) -> LeafHash {
        LeafHash::of(&[self.as_bytes()])
    }
}

impl DocketBody {
    /// The proof that the transaction at `position` is in the docket; none when there is no such position.
    pub fn prove(&self, position: u32) -> Result<Option<InclusionProof>, DecodeError> {
        let leaves: Result<Vec<_>, _> =
            self.transactions().map(|encoded| leaf(encoded).map(|(_, leaf)| leaf)).collect();
        Ok(InclusionProof::of(position.into(), &leaves?))
    }
}

impl DocketHeader {
    /// Whether the encoded transaction is in the docket where the proof says; gives its id.
    pub fn holds_transaction(
        &self,
        encoded: &[u8],
        proof: &InclusionProof,
    ) -> Result<Option<TransactionId>, DecodeError> {
        let (id, leaf) = leaf(encoded)?;
        let is_there = proof.size() == u64::from(self.transaction_count) && proof.holds(&leaf, &self.transactions_root);
        Ok(is_there.then_some(id))
    }

    /// Whether `docket` is the one before this one that has the proof's index as its number.
    #[must_use]
    pub fn follows(&self, docket: &DocketHash, proof: &InclusionProof) -> bool {
        proof.size() == self.number && proof.holds(&docket.leaf(), &self.history_root)
    }
}

fn leaf(encoded: &[u8]) -> Result<(TransactionId, LeafHash), DecodeError> {
    let view = TransactionView::read(encoded)?;
    let id = view.id();
    Ok((id, view.leaf(&id)))
}
