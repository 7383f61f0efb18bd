//! Finds what the disk has changed before anybody asks for it, and fetches it again.
//!
//! ```text
//! every period: so many bytes of dockets, from where the last audit ended ─▶ read, compared with their checksums
//!                                                                              │ corrupt, or gone
//! whoever served or read ─────────────────────── Repairs ◀─────────────────────┘
//!                                                   ▼
//!       a source ─▶ header, certificate, body ─▶ the hash that the docket above names? ─▶ written over
//! ```
//!
//! Sealers do the same: what is certified is the same everywhere.

use super::{
    Ended, ReplicationSettings,
    source::{BODIES_WITHIN, SourceStream},
};
use crate::{
    driver::Clock,
    registers::{
        Registers,
        sources::{LeftSources, Sources},
    },
};
use peerwright_ledger::{
    CertificateRefused, CertifiedHeader, Chain, CommitCertificate, ControlRecord, Docket, DocketBody, DocketHash,
    DocketHeader, DocketRefused, RegisterId, SealerSet, Transaction, Verify, verify_body,
};
use peerwright_secure::PeerId;
use peerwright_store::{HeldDockets, NewDocket, Seen, StoreError, StoredDocket};
use std::convert::Infallible;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout, timeout_at},
};

/// Bodies that one audit reads.
const AUDIT_BYTES: usize = 64 * 1024 * 1024;
/// Read at once.
const READ_BYTES: usize = 1024 * 1024;
const READ_DOCKETS: usize = 1_024;
const READ_IDS: usize = 16_384;

/// Looks after the dockets of all registers on the disk.
pub(crate) struct Audit {
    pub(crate) registers: Registers,
    pub(crate) sources: Sources,
    /// As they are set now.
    pub(crate) settings: watch::Receiver<ReplicationSettings>,
}

/// What came of a docket that was said to be corrupt.
enum Repair {
    /// It is whole.
    Needless,
    Done,
    NobodyHelps,
}

/// Where an audit goes on.
type Cursor = Option<(RegisterId, u64)>;

impl Audit {
    /// Runs until it is dropped.
    pub(crate) async fn run(self) {
        tokio::select! {
            biased;
            never = self.walk() => match never {},
            never = self.repair() => match never {},
        }
    }

    async fn walk(&self) -> Infallible {
        let mut cursor = None;
        loop {
            period(self.settings.clone()).await;
            match self.read_some(cursor).await {
                Ok(next) => cursor = next,
                Err(error) => tracing::warn!(%error, "the audit of the store was cut short"),
            }
        }
    }

    /// Reads dockets from the cursor on; gives where the next audit begins.
    async fn read_some(&self, cursor: Cursor) -> Result<Cursor, StoreError> {
        let mut left = AUDIT_BYTES;
        let from = cursor.map(|(register, _)| register);
        let held = self.registers.store.registers().await?;
        for held in held.into_iter().filter(|held| from.is_none_or(|from| held.register >= from)) {
            let of_cursor = cursor.filter(|(register, _)| *register == held.register);
            let mut next = of_cursor.map_or(0, |(_, number)| number).max(held.first);
            while next <= held.head {
                if left == 0 {
                    return Ok(Some((held.register, next)));
                }
                let (end, bytes) = self.read_from(&held, next).await?;
                left = left.saturating_sub(bytes.max(1));
                next = end;
            }
        }
        Ok(None)
    }

    /// Reads some dockets, if they were not trimmed or purged meanwhile; gives the number behind them, and how many bytes
    /// they were.
    async fn read_from(&self, held: &HeldDockets, from: u64) -> Result<(u64, usize), StoreError> {
        let store = &self.registers.store;
        let reading = async {
            let read = store.dockets(held.register, from, Seen::All, READ_DOCKETS, READ_BYTES).await?;
            let Some(last) = read.last() else { return Ok((held.head + 1, 0)) };
            let (last, mut checked) = (last.header.number, from);
            while checked <= last {
                let ids = store.transaction_ids(held.register, checked, READ_IDS).await?;
                checked = ids.last().map_or(last, |ids| ids.number).max(checked) + 1;
            }
            Ok((last + 1, read.iter().map(|docket| docket.body.len()).sum()))
        };
        match reading.await {
            Err(error @ StoreError::CorruptDocket { number, .. }) => {
                self.registers.repairs.note(&error);
                Ok((number.max(from) + 1, 0))
            }
            read => read,
        }
    }

    async fn repair(&self) -> Infallible {
        loop {
            let (register, number) = self.registers.repairs.next().await;
            match Box::pin(self.repair_one(register, number)).await {
                Ok(Repair::Needless) => {}
                Ok(Repair::Done) => {
                    tracing::warn!(%register, number, "a docket that the disk had changed was fetched again");
                    self.registers.telemetry.docket_repaired();
                }
                Ok(Repair::NobodyHelps) => {
                    tracing::error!(%register, number, "nobody gives the docket that the disk has changed");
                }
                Err(error) => tracing::error!(%register, number, %error, "a changed docket is not written again"),
            }
        }
    }

    /// Fetches a docket again, if it is still corrupt.
    async fn repair_one(&self, register: RegisterId, number: u64) -> Result<Repair, StoreError> {
        match self.read_whole(register, number).await {
            Err(StoreError::CorruptDocket { number: corrupt, .. }) if corrupt == number => {}
            read => return read.map(|()| Repair::Needless),
        }
        self.registers.telemetry.docket_corrupt();
        let Some(held) = self.registers.store.held_dockets(register).await? else { return Ok(Repair::Needless) };
        self.registers.standing.lost(register, number, Clock::wall().0);
        let expected = self.expected(&held, number).await?;
        for source in self.sources.of(register, number, &mut LeftSources::default()).await {
            match Box::pin(self.fetch(source, register, number, expected)).await {
                Ok(docket) => {
                    self.registers.store.replace_docket(register, docket).await?;
                    let held = self.registers.heads.count(register);
                    self.registers.standing.stored(register, held, Clock::wall().0);
                    return Ok(Repair::Done);
                }
                Err(ended) => tracing::debug!(%register, number, %source, %ended, "a source did not help"),
            }
        }
        Ok(Repair::NobodyHelps)
    }

    async fn read_whole(&self, register: RegisterId, number: u64) -> Result<(), StoreError> {
        self.registers.store.docket(register, number, Seen::All).await?;
        self.registers.store.transaction_ids(register, number, 1).await.map(drop)
    }

    /// The docket's hash, as the one above names it.
    async fn expected(&self, held: &HeldDockets, number: u64) -> Result<DocketHash, StoreError> {
        if number == held.head {
            return Ok(held.head_hash);
        }
        let above = self.registers.store.headers(held.register, number + 1, Seen::All, 1).await?;
        let above = above.first().and_then(|above| DocketHeader::decode(&above.header).ok());
        let corrupt = StoreError::CorruptDocket { register: held.register, number: number + 1 };
        above.and_then(|above| above.previous).ok_or(corrupt)
    }

    async fn fetch(
        &self,
        source: PeerId,
        register: RegisterId,
        number: u64,
        expected: DocketHash,
    ) -> Result<NewDocket, Ended> {
        let mut stream = SourceStream::open(&self.sources, register, source, number).await?;
        let found = stream.headers(number, 1).await?.pop_front().ok_or(Ended::Short)?;
        let CertifiedHeader { header, certificate } = found;
        let found = header.hash();
        let refused = |refused| Ended::refused(&header, refused);
        if found != expected {
            return Err(refused(DocketRefused::Previous { expected, found }));
        }
        self.check_certificate(&header, &certificate).await?;
        stream.ask_bodies(number, 1).await?;
        let bodies = timeout(BODIES_WITHIN, stream.bodies()).await.map_err(|_| Ended::Silent)??;
        let body = bodies.into_iter().next().ok_or(Ended::Short)?;
        let verifying = move || {
            let body = DocketBody::decode(body.clone()).map_err(|error| Ended::Malformed(error, body))?;
            let ids = verify_body(&header, &body, Verify::Docket).map_err(|error| Ended::refused(&header, error))?;
            Ok(NewDocket::of(&Docket { header, certificate, body }, ids))
        };
        self.registers.budget.verify(verifying).await
    }

    /// Whether those have signed the docket who had to then: others ask this node for it.
    async fn check_certificate(&self, header: &DocketHeader, certificate: &CommitCertificate) -> Result<(), Ended> {
        let checkpoint = self.registers.store.checkpoint(header.register).await?.ok_or(Ended::NotHeld)?;
        let chain = Chain::decode(&checkpoint)?;
        let governance = chain.governance();
        let sealers = match self.sealers_of(header).await {
            Some(sealers) => sealers,
            // Those who govern now may have signed it, where what governed it is not held.
            None => governance.sealers().clone(),
        };
        let certified = certificate.verify(&header.hash(), &sealers, governance.authority());
        certified.map_err(|refused: CertificateRefused| Ended::refused(header, refused.into()))
    }

    /// Who had to sign a docket: the last control docket before it that says so.
    async fn sealers_of(&self, header: &DocketHeader) -> Option<SealerSet> {
        let mut of = *header;
        if of.number == 0 {
            return None;
        }
        loop {
            let stored = self.registers.store.docket(of.register, of.last_control, Seen::Certified).await.ok()??;
            match control_record(&stored)? {
                ControlRecord::Genesis(record) => return Some(record.sealers),
                ControlRecord::SealerChange(sealers) => return Some(sealers),
                ControlRecord::Governance(_) => {
                    of = DocketHeader::decode(&stored.header.header).ok().filter(|before| before.number < of.number)?;
                }
            }
        }
    }
}

/// Resolves when the time between two audits is over, by what is set then.
async fn period(mut settings: watch::Receiver<ReplicationSettings>) {
    let begun = Instant::now();
    loop {
        let until = begun + settings.borrow_and_update().audit_period;
        match timeout_at(until, settings.changed()).await {
            Ok(Ok(())) => {}
            // Nobody sets anything any more.
            Ok(Err(_)) => return sleep_until(until).await,
            Err(_) => return,
        }
    }
}

fn control_record(stored: &StoredDocket) -> Option<ControlRecord> {
    let body = DocketBody::decode(stored.body.clone()).ok()?;
    let encoded = body.transactions().next()?;
    let transaction = Transaction::decode(body.encoded().slice_ref(encoded)).ok()?;
    ControlRecord::of(&transaction).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_shorter_time_between_audits_counts_from_the_last_one() {
        const MINUTE: Duration = Duration::from_secs(60);
        let set = |minutes| ReplicationSettings { audit_period: MINUTE * minutes, ..ReplicationSettings::default() };
        let (setting, settings) = watch::channel(set(60));
        let begun = Instant::now();
        let changes = async {
            sleep_until(begun + MINUTE).await;
            setting.send_replace(set(10));
            sleep_until(begun + MINUTE * 2).await;
            setting.send_replace(set(5));
        };

        tokio::join!(period(settings.clone()), changes);
        assert_eq!(begun.elapsed().as_secs(), 5 * 60);

        drop(setting);
        period(settings).await;
        assert_eq!(begun.elapsed().as_secs(), 10 * 60);
    }
}
