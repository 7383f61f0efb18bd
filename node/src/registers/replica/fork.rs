//! Two histories of one register: found, proved, frozen.
//!
//! ```text
//! here     ... ─ 6 ─ 7            the same number, another hash, both certified: most sealers have signed two histories
//! source   ... ─ 6'─ 7'─ 8'       7 and 7' with their certificates are the proof, wherever the two have parted
//! ```
//!
//! Each source is asked for its docket in the place of the head before anything else is taken of it.

use super::{Ended, Replica, source::SourceStream};
use peerwright_ledger::{CertifiedHeader, Chain, CommitCertificate, DocketHeader, DocketRefused, ForkProof, Head};
use peerwright_store::{Seen, StoreError};
use std::slice;

impl Replica {
    /// Refuses a source with another docket in the place of the head; one that is certified proves a fork.
    pub(super) async fn compare(&self, stream: &mut SourceStream, chain: &Chain) -> Result<(), Ended> {
        let head = chain.head();
        if !stream.holds.contains(&head.number) {
            // It is behind, or holds what comes later only.
            return Ok(());
        }
        let theirs = stream.headers(head.number, 1).await?.pop_front().ok_or(Ended::Short)?;
        let found = theirs.header.hash();
        if found == head.hash {
            return Ok(());
        }
        let refused = Ended::refused(&theirs.header, DocketRefused::Previous { expected: head.hash, found });
        let Some(ours) = self.own_head(head).await? else { return Err(refused) };
        // Who signed a head that has itself changed the sealers is not known any more: such a source is only refused.
        let (sealers, authority) = (chain.governance().sealers(), chain.governance().authority());
        let proof = ForkProof::of(ours, theirs).ok();
        match proof.filter(|proof| proof.verify(slice::from_ref(sealers), authority).is_ok()) {
            Some(proof) => Err(Ended::Fork(Box::new(proof))),
            None => Err(refused),
        }
    }

    async fn own_head(&self, head: &Head) -> Result<Option<CertifiedHeader>, StoreError> {
        let mut headers = self.registers.store.headers(self.register, head.number, Seen::Certified, 1).await?;
        Ok(headers.pop().filter(|stored| stored.hash == head.hash).and_then(|stored| {
            let header = DocketHeader::decode(&stored.header).ok()?;
            let certificate = CommitCertificate::decode(&stored.certificate?).ok()?;
            Some(CertifiedHeader { header, certificate })
        }))
    }

    /// Takes nothing more of the register, here and after a restart.
    pub(super) async fn freeze(&self, proof: ForkProof) {
        let message = message(&proof);
        tracing::error!(register = %self.register, number = proof.number(), "{message}");
        self.registers.telemetry.fork_found();
        self.registers.standing.frozen(self.register, message);
        if let Err(error) = self.registers.forks.keep(&*self.messages, proof).await {
            tracing::error!(%error, "the proof of a fork is not kept over a restart");
        }
    }
}

/// What people are told.
pub(super) fn message(proof: &ForkProof) -> String {
    let [one, other] = proof.hashes();
    format!(
        "docket {} is certified twice, as {one} and as {other}: the register is frozen here; find out which history holds, \
         and purge the register on the nodes that have the other one",
        proof.number()
    )
}
