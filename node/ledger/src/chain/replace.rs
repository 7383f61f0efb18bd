//! Other sealers without the old ones: what the register's authority alone may order.
//!
//! ```text
//! who goes on: replace_sealers ─▶ a docket with the change, without signatures ─▶ authority: endorse ─▶ certificate
//! ```
//!
//! The docket follows from the chain and the change alone, its time too: asked again, the authority signs the same docket
//! and not a second one with its number.

use super::{Chain, Proposal, SealedDocket, control_transaction};
use crate::docket::{CertificateRefused, CommitCertificate, DocketBody, DocketHeader, DocketRefused, SealerSet};
use crate::docket::{Verify, verify_body};
use crate::register::ControlRecord;
use peerwright_secure::{NodeKey, NodePublicKey};
use std::collections::BTreeSet;

impl Chain {
    /// Forms the docket that makes `sealers` those of the register once its authority has signed it. `author` is one of the
    /// sealers before, or the authority.
    pub fn replace_sealers(
        &self,
        sealers: BTreeSet<NodePublicKey>,
        author: &NodeKey,
    ) -> Result<SealedDocket, DocketRefused> {
        let time_micros = self.head.sealed_at_micros;
        let sealers = SealerSet::new(self.governance.sealers().version().saturating_add(1), sealers)?;
        let transaction = ControlRecord::SealerChange(sealers).sign(self.register(), time_micros, author);
        let transaction = transaction.map_err(|refusal| DocketRefused::Transaction { position: 0, refusal })?;
        self.governance.changed_by(&transaction, time_micros)?;
        let transactions = vec![transaction.encoded().clone()];
        let proposal = Proposal { time_micros, proposer: *self.governance.authority(), transactions };
        self.seal(&proposal).ok_or(DocketRefused::ControlMisplaced)
    }
}

/// The sealers that a docket names instead of those before.
pub fn named_sealers(body: &DocketBody) -> Result<BTreeSet<NodePublicKey>, DocketRefused> {
    match ControlRecord::of(&control_transaction(body)?)? {
        ControlRecord::SealerChange(change) => Ok(change.sealers().clone()),
        _ => Err(CertificateRefused::NotForAuthority.into()),
    }
}

/// The certificate of a docket that makes `sealers` those of its register, by the register's authority. Whose register it is
/// and where the docket stands in it the authority need not know: whoever takes the docket checks that.
pub fn endorse(
    header: &DocketHeader,
    body: &DocketBody,
    sealers: &BTreeSet<NodePublicKey>,
    authority: &NodeKey,
) -> Result<CommitCertificate, DocketRefused> {
    if header.sealer != authority.public() {
        return Err(DocketRefused::ForeignSealer(header.sealer));
    }
    if !header.control {
        return Err(CertificateRefused::NotForAuthority.into());
    }
    verify_body(header, body, Verify::EveryTransaction)?;
    if named_sealers(body)? != *sealers {
        return Err(CertificateRefused::NotForAuthority.into());
    }
    Ok(header.hash().certify(authority))
}
