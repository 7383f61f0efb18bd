//! Forming dockets: the same chain and proposal give the same docket on every sealer.

use super::next::Next;
use super::{Chain, control_transaction};
use crate::docket::{DocketBody, DocketHeader, DocketRefused, LENGTH_BYTES, check_admissible, verify_body};
use crate::merkle::{LeafHash, merkle_root};
use crate::register::{ControlRecord, GenesisRecord};
use crate::{Kind, TransactionView, Verify};
use bytes::Bytes;
use peerwright_secure::{NodeKey, NodePublicKey};
use std::collections::BTreeSet;

/// What a sealer proposes for the next docket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The proposer's clock, unix microseconds.
    pub time_micros: u64,
    /// Who proposes.
    pub proposer: NodePublicKey,
    /// Encoded transactions, in the order that the docket is to have. Their signatures were checked.
    pub transactions: Vec<Bytes>,
}

/// A docket that nobody has signed yet.
pub type SealedDocket = (DocketHeader, DocketBody);

impl Chain {
    /// Forms the next docket of a proposal.
    ///
    /// One control transaction makes a control docket, unless the register's rules refuse it. Of others, those are left out that
    /// cannot be read, are for another register, are not valid at the docket's time, govern, come twice, or have no
    /// more room; whether a transaction is in an earlier docket the caller knows. None when nothing is left.
    #[must_use]
    pub fn seal(&self, proposal: &Proposal) -> Option<SealedDocket> {
        let next = Next::of(self);
        let sealed_at_micros = proposal.time_micros.max(self.head.sealed_at_micros);
        if let [only] = proposal.transactions.as_slice()
            && TransactionView::read(only).is_ok_and(|view| view.kind == Kind::Control)
        {
            return self.seal_control(&next, only, proposal);
        }
        if !self.governance.sealers().contains(&proposal.proposer) {
            return None;
        }
        let policy = self.governance.policy();
        let most = usize::try_from(policy.max_docket_transactions).ok()?;
        let room = usize::try_from(policy.max_docket_bytes).ok()?;
        let (mut chosen, mut leaves, mut ids) = (Vec::new(), Vec::new(), BTreeSet::new());
        let mut bytes = LENGTH_BYTES;
        for encoded in &proposal.transactions {
            let Ok(view) = TransactionView::read(encoded) else { continue };
            let is_admissible = check_admissible(&view, self.register(), sealed_at_micros).is_ok();
            let longer = bytes + LENGTH_BYTES + encoded.len();
            let has_room = chosen.is_empty() || (longer <= room && chosen.len() < most);
            let id = view.id();
            if is_admissible && view.kind != Kind::Control && has_room && ids.insert(id) {
                bytes = longer;
                leaves.push(view.leaf(&id));
                chosen.push(encoded.as_ref());
            }
        }
        if chosen.is_empty() {
            return None;
        }
        let body = DocketBody::gather(chosen).ok()?;
        let header = next.header(&body, merkle_root(leaves), proposal.time_micros, proposal.proposer, false)?;
        Some((header, body))
    }

    /// Checked whole, for all sealers must come to the same verdict, and here one transaction decides over a docket.
    fn seal_control(&self, next: &Next, encoded: &Bytes, proposal: &Proposal) -> Option<SealedDocket> {
        let body = DocketBody::gather([encoded.as_ref()]).ok()?;
        let root = merkle_root([leaf(encoded)?]);
        let header = next.header(&body, root, proposal.time_micros, proposal.proposer, true)?;
        verify_body(&header, &body, Verify::EveryTransaction).ok()?;
        let transaction = control_transaction(&body).ok()?;
        let is_sealer_change = matches!(ControlRecord::of(&transaction).ok()?, ControlRecord::SealerChange(_));
        self.check_sealer(&header, false).or_else(|_| self.check_sealer(&header, is_sealer_change)).ok()?;
        self.governance.changed_by(&transaction, header.sealed_at_micros).ok()?;
        Some((header, body))
    }
}

/// Docket 0 of a register: its record, handed in by its owner.
pub fn seal_genesis(
    record: &GenesisRecord,
    owner: &NodeKey,
    proposer: NodePublicKey,
) -> Result<SealedDocket, DocketRefused> {
    record.check()?;
    let register = record.register();
    let at_genesis = |refusal| DocketRefused::Transaction { position: 0, refusal };
    let control = ControlRecord::Genesis(Box::new(record.clone()));
    let transaction = control.sign(register, record.created_at_micros, owner).map_err(at_genesis)?;
    let body = DocketBody::gather([transaction.encoded().as_ref()])?;
    let root = merkle_root(leaf(transaction.encoded()));
    let header = Next::genesis(record, register).header(&body, root, record.created_at_micros, proposer, true);
    let header = header.ok_or(DocketRefused::BodyBytes)?;
    Chain::begin_uncertified(&header, &body)?;
    Ok((header, body))
}

fn leaf(encoded: &[u8]) -> Option<LeafHash> {
    let view = TransactionView::read(encoded).ok()?;
    Some(view.leaf(&view.id()))
}
