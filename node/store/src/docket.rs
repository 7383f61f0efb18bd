//! Dockets and the sealing log, as the store takes and gives them. Their bytes mean nothing to it.

use crate::StoreError;
use bytes::Bytes;
use peerwright_ledger::{Docket, DocketHash, RegisterId, TransactionId};
use peerwright_secure::sha256;

/// A docket to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDocket {
    /// Its number.
    pub number: u64,
    /// Hash of the docket before it; `None` exactly for number 0.
    pub previous: Option<DocketHash>,
    /// The encoded header. The docket's hash is its SHA-256.
    pub header: Bytes,
    /// The encoded body.
    pub body: Bytes,
    /// The encoded certificate, when it is there already.
    pub certificate: Option<Bytes>,
    /// The ids of the body's transactions, in their order.
    pub transactions: Vec<TransactionId>,
}

impl NewDocket {
    /// A certified docket whose transactions have these ids, in the order of its body.
    #[must_use]
    pub fn of(docket: &Docket, transactions: Vec<TransactionId>) -> Self {
        Self {
            number: docket.header.number,
            previous: docket.header.previous,
            header: docket.header.encode().into(),
            body: docket.body.encoded().clone(),
            certificate: Some(docket.certificate.encode().into()),
            transactions,
        }
    }

    /// The docket's name.
    #[must_use]
    pub fn hash(&self) -> DocketHash {
        DocketHash::from_bytes(sha256(&self.header))
    }
}

/// Dockets that follow the head of one register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// The register.
    pub register: RegisterId,
    /// The dockets, in their order.
    pub dockets: Vec<NewDocket>,
    /// What the caller needs to go on verifying behind the last of them.
    pub checkpoint: Bytes,
}

/// The certificate of a docket that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocketCertificate {
    /// The register.
    pub register: RegisterId,
    /// The docket's number.
    pub number: u64,
    /// The docket's hash.
    pub hash: DocketHash,
    /// The encoded certificate.
    pub certificate: Bytes,
}

/// Which dockets a reader sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Those up to [`HeldDockets::certified_through`]: all that may be given to others.
    Certified,
    /// All that are held.
    All,
}

/// What is held of a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldDockets {
    /// The register.
    pub register: RegisterId,
    /// The lowest number held.
    pub first: u64,
    /// The highest number held.
    pub head: u64,
    /// Hash of the docket with that number.
    pub head_hash: DocketHash,
    /// From `first` to here every docket has its certificate; `None` when the first has none.
    pub certified_through: Option<u64>,
    /// The index by transaction reaches so far; looking a transaction up reads the ids of every docket above.
    pub indexed_through: Option<u64>,
    /// Transactions in these dockets.
    pub transactions: u64,
    /// Bytes of their bodies.
    pub body_bytes: u64,
}

impl HeldDockets {
    /// The highest number that a reader sees.
    #[must_use]
    pub fn last(&self, seen: Seen) -> Option<u64> {
        match seen {
            Seen::Certified => self.certified_through,
            Seen::All => Some(self.head),
        }
    }
}

/// A header that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredHeader {
    /// The docket's number.
    pub number: u64,
    /// The docket's hash.
    pub hash: DocketHash,
    /// The encoded header.
    pub header: Bytes,
    /// The encoded certificate, when there is one.
    pub certificate: Option<Bytes>,
}

/// A docket that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDocket {
    /// Its header and certificate.
    pub header: StoredHeader,
    /// The encoded body.
    pub body: Bytes,
}

/// The transactions of a docket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocketTransactions {
    /// The docket's number.
    pub number: u64,
    /// Their ids, in the order of the body.
    pub transactions: Vec<TransactionId>,
}

/// Where a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransactionPlace {
    /// Number of the docket.
    pub number: u64,
    /// Its place in the body, from 0.
    pub position: u32,
}

/// An entry of the sealing group's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Its index.
    pub index: u64,
    /// The caller's bytes.
    pub bytes: Bytes,
}

/// What the log has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Index of the last entry applied.
    pub index: u64,
    /// The caller's small document about it.
    pub state: Bytes,
}

/// What a sealer finds when it starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogState {
    /// What was last purged; the log begins behind it.
    pub purged: Option<LogEntry>,
    /// The last entry; `None` when the log is empty.
    pub last: Option<LogEntry>,
    /// The vote.
    pub vote: Option<Bytes>,
    /// What was last applied.
    pub applied: Option<Applied>,
}

/// A log in place of the one that is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewLog {
    /// What it begins behind, as if that had been purged; `None`: with the first entry of all.
    pub purged: Option<LogEntry>,
    /// Its vote.
    pub vote: Bytes,
    /// What was applied; `None`: nothing.
    pub applied: Option<Applied>,
    /// Its entries.
    pub entries: Vec<LogEntry>,
}

impl NewLog {
    /// Checks that its entries have no hole.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        follow_log(self.purged.as_ref().map(|purged| purged.index), &self.entries)
    }

    /// How much it takes in the queue of the writer.
    pub(crate) fn size(&self) -> usize {
        let applied = self.applied.as_ref().map_or(0, |applied| applied.state.len());
        self.vote.len() + applied + self.entries.iter().map(|entry| entry.bytes.len()).sum::<usize>()
    }
}

/// Number and hash of a docket.
pub(crate) type Link = (u64, DocketHash);

/// Checks that dockets follow a head, each the one before; the head after them.
pub(crate) fn follow<'d>(
    register: RegisterId,
    head: Option<Link>,
    dockets: impl IntoIterator<Item = (&'d NewDocket, DocketHash)>,
) -> Result<Option<Link>, StoreError> {
    dockets.into_iter().try_fold(head, |head, (docket, hash)| {
        let number = docket.number;
        let follows = match head {
            // A register may begin anywhere; only the very first docket has none before it.
            None => (number == 0) == docket.previous.is_none(),
            Some((before, _)) if before.checked_add(1) != Some(number) => {
                return Err(StoreError::DocketNotNext { register, number, head: before });
            }
            Some((_, before)) => docket.previous == Some(before),
        };
        if !follows {
            return Err(StoreError::DocketBreaksChain { register, number });
        }
        Ok(Some((number, hash)))
    })
}

/// Checks that entries follow the end of a log.
pub(crate) fn follow_log(last: Option<u64>, entries: &[LogEntry]) -> Result<(), StoreError> {
    entries
        .iter()
        .try_fold(last, |last, entry| match last {
            Some(last) if last.checked_add(1) != Some(entry.index) => {
                Err(StoreError::LogNotNext { index: entry.index, last })
            }
            _ => Ok(Some(entry.index)),
        })
        .map(drop)
}
