//! How a register is sealed, checked and governed.

use super::refusal::{ControlRefused, check_range};
use crate::docket::{MAX_DOCKET_BYTES, MAX_DOCKET_TRANSACTIONS, Verify};
use peerwright_encoding::{DecodeError, Reader, Writer};

/// Shortest `max_docket_bytes`.
const MIN_DOCKET_BYTES: u32 = 64 * 1024;
const MIN_BUILD_INTERVAL_MILLIS: u32 = 10;
const MAX_BUILD_INTERVAL_MILLIS: u32 = 60_000;
const MAX_PROPOSAL_LIFE_DAYS: u32 = 90;

/// A register's own settings. All who verify it know them, and each change is a docket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegisterPolicy {
    /// The policy's number, from 1; each change has a higher one.
    pub version: u32,
    /// How many of those who govern must vote for a change.
    pub quorum: Quorum,
    /// Whether the owner's vote is enough.
    pub owner_decides_alone: bool,
    /// How long votes for a change count, in days: 1 to 90.
    pub proposal_life_days: u32,
    /// What replicas check that are not told otherwise.
    pub verify: VerifyPolicy,
    /// Most transactions in a docket: 1 to 10,000.
    pub max_docket_transactions: u32,
    /// The longest body, 64 KiB to 15 MiB. One transaction that is longer has a docket of its own.
    pub max_docket_bytes: u32,
    /// How long sealers gather transactions for a docket, in milliseconds: 10 to 60,000.
    pub build_interval_millis: u32,
}

/// How many of those who govern a register must vote for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quorum {
    /// More than half.
    StrictMajority,
    /// At least two thirds.
    Supermajority,
    /// All.
    Unanimous,
}

/// What a replica checks of the dockets that it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifyPolicy {
    /// All hashes, and a sample of the transactions.
    Docket,
    /// Each transaction.
    EveryTransaction,
}

impl Default for RegisterPolicy {
    fn default() -> Self {
        Self {
            version: 1,
            quorum: Quorum::StrictMajority,
            owner_decides_alone: true,
            proposal_life_days: 7,
            verify: VerifyPolicy::EveryTransaction,
            max_docket_transactions: 1000,
            max_docket_bytes: 1024 * 1024,
            build_interval_millis: 100,
        }
    }
}

impl VerifyPolicy {
    /// What is checked by a verifier whose samples follow from `secret`.
    #[must_use]
    pub const fn with_secret(self, secret: u64) -> Verify {
        match self {
            Self::Docket => Verify::Sampled { secret },
            Self::EveryTransaction => Verify::EveryTransaction,
        }
    }
}

impl Quorum {
    /// How many of `voters` votes it takes.
    #[must_use]
    pub const fn of(self, voters: usize) -> usize {
        match self {
            Self::StrictMajority => voters / 2 + 1,
            Self::Supermajority => (2 * voters).div_ceil(3),
            Self::Unanimous => voters,
        }
    }
}

impl RegisterPolicy {
    /// Refuses a value outside its range.
    pub fn check(&self) -> Result<(), ControlRefused> {
        let ranges = [
            ("the policy's version", self.version, 1, u32::MAX),
            ("the proposals' life in days", self.proposal_life_days, 1, MAX_PROPOSAL_LIFE_DAYS),
            ("the number of a docket's transactions", self.max_docket_transactions, 1, MAX_DOCKET_TRANSACTIONS),
            ("the length of a docket", self.max_docket_bytes, MIN_DOCKET_BYTES, MAX_DOCKET_BYTES),
            (
                "the build interval in milliseconds",
                self.build_interval_millis,
                MIN_BUILD_INTERVAL_MILLIS,
                MAX_BUILD_INTERVAL_MILLIS,
            ),
        ];
        ranges.into_iter().try_for_each(|(what, value, minimum, maximum)| {
            check_range(what, value.into(), minimum.into(), maximum.into())
        })
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer
            .u32(self.version)
            .u8(match self.quorum {
                Quorum::StrictMajority => 0,
                Quorum::Supermajority => 1,
                Quorum::Unanimous => 2,
            })
            .bool(self.owner_decides_alone)
            .u32(self.proposal_life_days)
            .u8(match self.verify {
                VerifyPolicy::Docket => 0,
                VerifyPolicy::EveryTransaction => 1,
            })
            .u32(self.max_docket_transactions)
            .u32(self.max_docket_bytes)
            .u32(self.build_interval_millis);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, ControlRefused> {
        let policy = Self {
            version: reader.u32("policy version")?,
            quorum: match reader.u8("quorum")? {
                0 => Quorum::StrictMajority,
                1 => Quorum::Supermajority,
                2 => Quorum::Unanimous,
                value => return Err(DecodeError::Unknown { what: "quorum", value: value.into() }.into()),
            },
            owner_decides_alone: reader.bool("owner decides alone")?,
            proposal_life_days: reader.u32("proposal life")?,
            verify: match reader.u8("verify")? {
                0 => VerifyPolicy::Docket,
                1 => VerifyPolicy::EveryTransaction,
                value => return Err(DecodeError::Unknown { what: "verify", value: value.into() }.into()),
            },
            max_docket_transactions: reader.u32("transactions of a docket")?,
            max_docket_bytes: reader.u32("length of a docket")?,
            build_interval_millis: reader.u32("build interval")?,
        };
        policy.check()?;
        Ok(policy)
    }
}
