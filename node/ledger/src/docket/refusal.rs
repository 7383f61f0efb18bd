//! Why a docket is not taken.

use super::CertificateRefused;
use crate::{ControlRefused, DocketHash, Refusal, RegisterId, TransactionId};
use peerwright_encoding::DecodeError;
use peerwright_secure::NodePublicKey;
use thiserror::Error;

/// Why a docket is not taken. [`DocketRefused::code`] is the reason on the wire and the metric label.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DocketRefused {
    /// Not the canonical encoding of a docket within the limits.
    #[error("the docket cannot be read: {0}")]
    Malformed(#[from] DecodeError),
    /// Of another register.
    #[error("the docket is of register {0}")]
    OtherRegister(RegisterId),
    /// Not the next one.
    #[error("the docket is number {found}, the next is {expected}")]
    Number {
        /// The next.
        expected: u64,
        /// Its number.
        found: u64,
    },
    /// Docket 0 that names one before it.
    #[error("docket 0 names a docket before it")]
    GenesisHasPrevious,
    /// A docket that names none before it and is not docket 0.
    #[error("the docket does not name the one before it")]
    PreviousMissing,
    /// Follows another docket than the last one here.
    #[error("the docket follows {found}, here the last one is {expected}")]
    Previous {
        /// The last one here.
        expected: DocketHash,
        /// The one that it names.
        found: DocketHash,
    },
    /// Sealed earlier than the docket before.
    #[error("the docket is dated {micros} microseconds earlier than the one before it")]
    EarlierThanPrevious {
        /// How much.
        micros: u64,
    },
    /// Sealed later than now, by more than clocks may differ.
    #[error("the docket is dated {seconds} s in the future; compare the clocks")]
    InFuture {
        /// How far ahead.
        seconds: u64,
    },
    /// Docket 0 that is not dated as its record.
    #[error("docket 0 is not dated as the record in it")]
    GenesisTime,
    /// Another history than the dockets before it have.
    #[error("the docket's history root is not that of the dockets before it")]
    History,
    /// Another control docket than the last one.
    #[error("the docket says that docket {found} governs the register, it is docket {expected}")]
    LastControl {
        /// The newest.
        expected: u64,
        /// The one that it names.
        found: u64,
    },
    /// For another set of sealers than the register's.
    #[error("the docket is for version {found} of the sealers, the register has version {expected}")]
    SealersVersion {
        /// The register's.
        expected: u32,
        /// The docket's.
        found: u32,
    },
    /// Proposed by nobody who may.
    #[error("{0:?} has proposed the docket and may not")]
    ForeignSealer(NodePublicKey),
    /// No transaction.
    #[error("the docket is empty")]
    Empty,
    /// Another number of transactions than the header says.
    #[error("the docket has {found} transactions, its header says {expected}")]
    Count {
        /// What the header says.
        expected: u32,
        /// How many there are.
        found: u32,
    },
    /// Another length than the header says.
    #[error("the docket's body is not as long as its header says")]
    BodyBytes,
    /// More transactions or bytes than the register's policy allows.
    #[error("the docket has more {0} than the register's policy allows")]
    OverPolicy(&'static str),
    /// Other transactions than the header commits to.
    #[error("the docket's transactions are not those that its header commits to")]
    TransactionsRoot,
    /// One transaction twice.
    #[error("the docket holds transaction {0} twice")]
    DuplicateTransaction(TransactionId),
    /// A control transaction in a docket that does not govern, another one in a docket that does, or more than one.
    #[error("a control docket holds one control transaction, and no other docket holds any")]
    ControlMisplaced,
    /// One of its transactions is not what a register holds.
    #[error("transaction {position} of the docket is refused: {refusal}")]
    Transaction {
        /// Which, from 0.
        position: usize,
        /// Why.
        refusal: Refusal,
    },
    /// Not signed by those who must.
    #[error("the docket's certificate is refused: {0}")]
    Certificate(#[from] CertificateRefused),
    /// It would govern the register against its rules.
    #[error("the docket's control record is refused: {0}")]
    Control(#[from] ControlRefused),
    /// A control docket of which only the header is there.
    #[error("a control docket is taken with its body only")]
    ControlWithoutBody,
}

impl DocketRefused {
    /// The refusal on the wire and as a metric label.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::OtherRegister(_) => "other_register",
            Self::Number { .. } => "docket_number",
            Self::GenesisHasPrevious => "genesis_has_previous",
            Self::PreviousMissing => "previous_missing",
            Self::Previous { .. } => "previous_hash",
            Self::EarlierThanPrevious { .. } => "earlier_than_previous",
            Self::InFuture { .. } => "sealed_in_future",
            Self::GenesisTime => "genesis_time",
            Self::History => "history_root",
            Self::LastControl { .. } => "last_control",
            Self::SealersVersion { .. } => "sealers_version",
            Self::ForeignSealer(_) => "foreign_sealer",
            Self::Empty => "empty",
            Self::Count { .. } => "transaction_count",
            Self::BodyBytes => "body_bytes",
            Self::OverPolicy(_) => "over_policy",
            Self::TransactionsRoot => "transactions_root",
            Self::DuplicateTransaction(_) => "duplicate_transaction",
            Self::ControlMisplaced => "control_misplaced",
            Self::Transaction { refusal, .. } => refusal.code(),
            Self::Certificate(refused) => refused.code(),
            Self::Control(refused) => refused.code(),
            Self::ControlWithoutBody => "control_without_body",
        }
    }
}
