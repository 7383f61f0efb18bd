//! A register, as far as one has verified it.
//!
//! ```text
//!            header + certificate            body
//!   source ------------+----------------------+
//!                      v                      v
//!   Chain -- extend_header: who, when,     verify_body: hashes, ids, signatures     (any thread, any order)
//!   (head, history,   after what
//!    governance)
//!     -- extend: both
//!     -- seal: the next docket of these transactions, the same on every sealer
//!     -- replace_sealers: the docket that its authority signs when most sealers are gone
//! ```
//!
//! A chain is small whatever the register's length, and its [checkpoint](Chain::encode) belongs beside the dockets, in
//! one database transaction with them.

mod checkpoint;
mod next;
mod replace;
mod seal;

pub use replace::{endorse, named_sealers};
pub use seal::{Proposal, SealedDocket, seal_genesis};

use crate::docket::{CertificateRefused, CommitCertificate, Docket, DocketBody, DocketHeader, DocketRefused};
use crate::docket::{Verify, verify_body};
use crate::merkle::{ConsistencyProof, Frontier};
use crate::register::{ControlRecord, ControlRefused, GenesisHash, Governance};
use crate::{DocketHash, RegisterId, Transaction, TransactionId};
use next::Next;

/// How far ahead of this node's clock a docket may be dated: five minutes.
pub const MAX_SEALED_AHEAD_MICROS: u64 = 300 * MICROS_PER_SECOND;

const MICROS_PER_SECOND: u64 = 1_000_000;

/// The last docket of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its number.
    pub number: u64,
    /// Its name.
    pub hash: DocketHash,
    /// When it was sealed, unix microseconds.
    pub sealed_at_micros: u64,
}

/// What has to be known of a register to verify its next docket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    genesis: GenesisHash,
    head: Head,
    last_control: u64,
    governance: Governance,
    history: Frontier,
}

impl Chain {
    /// Begins with a register's docket 0. Whose register it is, [`Chain::register`] says: the id follows from the record.
    pub fn begin(docket: &Docket, now_micros: u64) -> Result<Self, DocketRefused> {
        let chain = Self::begin_uncertified(&docket.header, &docket.body)?;
        check_clock(&docket.header, now_micros)?;
        let CommitCertificate::Sealers(_) = docket.certificate else {
            return Err(CertificateRefused::NotForAuthority.into());
        };
        let governance = &chain.governance;
        docket.certificate.verify(&docket.header.hash(), governance.sealers(), governance.authority())?;
        Ok(chain)
    }

    /// As [`Chain::begin`], for a sealer that has yet to sign docket 0.
    pub fn begin_uncertified(header: &DocketHeader, body: &DocketBody) -> Result<Self, DocketRefused> {
        // Before anything else: what is no docket 0 is not hashed.
        match (header.number, header.previous) {
            (0, None) => {}
            (0, Some(_)) => return Err(DocketRefused::GenesisHasPrevious),
            (found, _) => return Err(DocketRefused::Number { expected: 0, found }),
        }
        if !header.control {
            return Err(ControlRefused::Genesis.into());
        }
        verify_body(header, body, Verify::EveryTransaction)?;
        let transaction = control_transaction(body)?;
        let ControlRecord::Genesis(record) = ControlRecord::of(&transaction)? else {
            return Err(ControlRefused::Genesis.into());
        };
        let genesis = record.hash();
        if genesis.register() != header.register {
            return Err(ControlRefused::OtherGenesis.into());
        }
        if Some(transaction.body().author) != record.owner() {
            return Err(ControlRefused::Author(transaction.body().author).into());
        }
        record.verify()?;
        let next = Next::genesis(&record, header.register);
        next.check(header)?;
        if header.sealed_at_micros != record.created_at_micros {
            return Err(DocketRefused::GenesisTime);
        }
        if !record.sealers.contains(&header.sealer) {
            return Err(DocketRefused::ForeignSealer(header.sealer));
        }
        let (head, history) = (Head::of(header), Frontier::new());
        let mut chain = Self { genesis, head, last_control: 0, governance: Governance::begin(&record), history };
        chain.advance(header);
        Ok(chain)
    }

    /// Verifies the next docket and takes it; gives its transactions' ids. What is refused changes nothing.
    pub fn extend(
        &mut self,
        docket: &Docket,
        verify: Verify,
        now_micros: u64,
    ) -> Result<Vec<TransactionId>, DocketRefused> {
        self.check(&docket.header, &docket.certificate, now_micros)?;
        let by_authority = matches!(docket.certificate, CommitCertificate::Authority(_));
        self.take(&docket.header, &docket.body, verify, by_authority)
    }

    /// Verifies the next docket without its body and takes it: [`verify_body`] is to follow before anybody relies on the
    /// docket. A control docket is taken by [`Chain::extend`], for who signs the next one depends on its body.
    pub fn extend_header(
        &mut self,
        header: &DocketHeader,
        certificate: &CommitCertificate,
        now_micros: u64,
    ) -> Result<(), DocketRefused> {
        if header.control {
            return Err(DocketRefused::ControlWithoutBody);
        }
        self.check(header, certificate, now_micros)?;
        self.advance(header);
        Ok(())
    }

    /// As [`Chain::extend`], for a sealer that has yet to sign the docket. The clock is not asked: what the sealers have
    /// agreed upon, each takes whatever its clock says.
    pub fn extend_uncertified(
        &mut self,
        header: &DocketHeader,
        body: &DocketBody,
        verify: Verify,
    ) -> Result<Vec<TransactionId>, DocketRefused> {
        self.check_place(header)?;
        self.check_sealer(header, false)?;
        self.take(header, body, verify, false)
    }

    /// Goes on right before `header`, whatever number of dockets that leaves out; [`Chain::extend`] takes the header's docket
    /// then. What governs the register has not changed in between, for the header's last control docket is this chain's. The
    /// header commits to `history`, the tree over all that lies before it, and `proof` shows that this begins with what
    /// is known here.
    pub fn skip_to(
        &mut self,
        header: &DocketHeader,
        certificate: &CommitCertificate,
        history: Frontier,
        proof: &ConsistencyProof,
    ) -> Result<(), DocketRefused> {
        let Some(number) = header.number.checked_sub(1).filter(|number| *number >= self.head.number) else {
            return Err(DocketRefused::Number { expected: self.history.size(), found: header.number });
        };
        let previous = header.previous.ok_or(DocketRefused::PreviousMissing)?;
        let is_about = (proof.earlier(), proof.later()) == (self.history.size(), history.size());
        let goes_on = is_about && proof.holds(&self.history.root(), &header.history_root);
        if history.size() != header.number || !goes_on {
            return Err(DocketRefused::History);
        }
        let head = Head { number, hash: previous, ..self.head };
        let skipped = Self { head, history, ..self.clone() };
        skipped.check_place(header)?;
        skipped.check_signed(header, certificate)?;
        *self = skipped;
        Ok(())
    }

    /// The register.
    #[must_use]
    pub fn register(&self) -> RegisterId {
        self.genesis.register()
    }

    /// The whole hash of the register's genesis record.
    #[must_use]
    pub const fn genesis(&self) -> &GenesisHash {
        &self.genesis
    }

    /// The last docket.
    #[must_use]
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// The newest control docket.
    #[must_use]
    pub const fn last_control(&self) -> u64 {
        self.last_control
    }

    /// Who governs and seals the register, and how.
    #[must_use]
    pub const fn governance(&self) -> &Governance {
        &self.governance
    }

    /// The tree over the hashes of all dockets, whose root the next header repeats.
    #[must_use]
    pub const fn history(&self) -> &Frontier {
        &self.history
    }

    fn check(
        &self,
        header: &DocketHeader,
        certificate: &CommitCertificate,
        now_micros: u64,
    ) -> Result<(), DocketRefused> {
        self.check_place(header)?;
        check_clock(header, now_micros)?;
        self.check_signed(header, certificate)
    }

    fn check_signed(&self, header: &DocketHeader, certificate: &CommitCertificate) -> Result<(), DocketRefused> {
        self.check_sealer(header, matches!(certificate, CommitCertificate::Authority(_)))?;
        let governance = &self.governance;
        Ok(certificate.verify(&header.hash(), governance.sealers(), governance.authority())?)
    }

    fn check_place(&self, header: &DocketHeader) -> Result<(), DocketRefused> {
        Next::of(self).check(header)?;
        self.check_limits(header)
    }

    fn check_limits(&self, header: &DocketHeader) -> Result<(), DocketRefused> {
        let policy = self.governance.policy();
        if header.control {
            return Ok(());
        }
        if header.transaction_count > policy.max_docket_transactions {
            return Err(DocketRefused::OverPolicy("transactions"));
        }
        if header.transaction_count > 1 && header.body_bytes > policy.max_docket_bytes {
            return Err(DocketRefused::OverPolicy("bytes"));
        }
        Ok(())
    }

    fn check_sealer(&self, header: &DocketHeader, by_authority: bool) -> Result<(), DocketRefused> {
        if by_authority && !header.control {
            return Err(CertificateRefused::NotForAuthority.into());
        }
        let governance = &self.governance;
        let may_propose = if by_authority {
            header.sealer == *governance.authority()
        } else {
            governance.sealers().contains(&header.sealer)
        };
        if may_propose { Ok(()) } else { Err(DocketRefused::ForeignSealer(header.sealer)) }
    }

    fn take(
        &mut self,
        header: &DocketHeader,
        body: &DocketBody,
        verify: Verify,
        by_authority: bool,
    ) -> Result<Vec<TransactionId>, DocketRefused> {
        // What governs a register is checked whole by everybody.
        let verify = if header.control { Verify::EveryTransaction } else { verify };
        let ids = verify_body(header, body, verify)?;
        if header.control {
            let transaction = control_transaction(body)?;
            if by_authority && !matches!(ControlRecord::of(&transaction)?, ControlRecord::SealerChange(_)) {
                return Err(CertificateRefused::NotForAuthority.into());
            }
            self.governance = self.governance.changed_by(&transaction, header.sealed_at_micros)?;
        }
        self.advance(header);
        Ok(ids)
    }

    fn advance(&mut self, header: &DocketHeader) {
        self.head = Head::of(header);
        if header.control {
            self.last_control = header.number;
        }
        self.history.push(self.head.hash.leaf());
    }
}

impl Head {
    fn of(header: &DocketHeader) -> Self {
        Self { number: header.number, hash: header.hash(), sealed_at_micros: header.sealed_at_micros }
    }
}

fn check_clock(header: &DocketHeader, now_micros: u64) -> Result<(), DocketRefused> {
    let lead = header.sealed_at_micros.saturating_sub(now_micros);
    if lead > MAX_SEALED_AHEAD_MICROS {
        return Err(DocketRefused::InFuture { seconds: lead.div_ceil(MICROS_PER_SECOND) });
    }
    Ok(())
}

/// The one transaction of a control docket whose body was verified.
fn control_transaction(body: &DocketBody) -> Result<Transaction, DocketRefused> {
    let encoded = body.transactions().next().ok_or(DocketRefused::Empty)?;
    let transaction = Transaction::decode(body.encoded().slice_ref(encoded));
    transaction.map_err(|refusal| DocketRefused::Transaction { position: 0, refusal })
}
