//! Why a register is not governed so.

use peerwright_encoding::DecodeError;
use peerwright_secure::{NodePublicKey, SignatureRefused};
use thiserror::Error;

/// Why a control record is not taken. [`ControlRefused::code`] is the reason on the wire and the metric label.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ControlRefused {
    /// Not the canonical encoding of a control record within the limits.
    #[error("the control record cannot be read: {0}")]
    Malformed(#[from] DecodeError),
    /// A value outside its range.
    #[error("{what} is {value}, from {minimum} to {maximum} is accepted")]
    OutOfRange {
        /// The field.
        what: &'static str,
        /// Its value.
        value: u64,
        /// The smallest accepted.
        minimum: u64,
        /// The largest accepted.
        maximum: u64,
    },
    /// Not the one record of one control transaction.
    #[error("a control transaction has one payload, of the type of control records")]
    NotAControlRecord,
    /// No owner, or more than one.
    #[error("the register has {0} owners, exactly one is needed")]
    Owners(usize),
    /// A key that everybody can sign with.
    #[error("{0:?} is a weak key: anybody can sign with it")]
    WeakKey(NodePublicKey),
    /// Somebody has not attested the record.
    #[error("{key:?} has not attested the record: {refused}")]
    Attestation {
        /// Who.
        key: NodePublicKey,
        /// Why the signature does not hold.
        refused: SignatureRefused,
    },
    /// A genesis record behind docket 0, or another record in it.
    #[error("a genesis record is the first of its register, and its first is a genesis record")]
    Genesis,
    /// A genesis record that is another register's.
    #[error("the register's id is not that of its genesis record")]
    OtherGenesis,
    /// Handed in by somebody who may not.
    #[error("{0:?} may not hand in this control record")]
    Author(NodePublicKey),
    /// Not the next version.
    #[error("the {what} has version {found}, {expected} is next")]
    Version {
        /// Of what.
        what: &'static str,
        /// The next.
        expected: u32,
        /// The record's.
        found: u32,
    },
    /// A vote's signature does not hold.
    #[error("the vote of {key:?} does not hold: {refused}")]
    Vote {
        /// Whose.
        key: NodePublicKey,
        /// Why the signature does not hold.
        refused: SignatureRefused,
    },
    /// A vote of somebody who has none.
    #[error("{0:?} has voted and does not govern the register")]
    ForeignVote(NodePublicKey),
    /// Too few votes.
    #[error("{votes} votes are for the change, {needed} are needed")]
    Quorum {
        /// How many there are.
        votes: usize,
        /// How many the policy asks for.
        needed: usize,
    },
    /// Votes that no longer count.
    #[error("the votes are older than {days} days; vote again")]
    ProposalExpired {
        /// For how long they count.
        days: u32,
    },
    /// Proposed after it was sealed.
    #[error("the change is dated later than its docket; compare the clocks")]
    ProposedLater,
    /// There is one owner, and that does not change.
    #[error("a register has one owner, who stays")]
    OwnerStays,
    /// Nobody would be left to govern with the owner.
    #[error("the last admin is not dismissed; admit another one first")]
    LastAdmin,
    /// No place is free.
    #[error("the roster is full; dismiss somebody first")]
    RosterFull,
    /// Dismissed without a place.
    #[error("{0:?} has no place in the register")]
    NotOnRoster(NodePublicKey),
}

impl ControlRefused {
    /// The refusal on the wire and as a metric label.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "control_malformed",
            Self::OutOfRange { .. } => "control_out_of_range",
            Self::NotAControlRecord => "not_a_control_record",
            Self::Owners(_) => "control_owners",
            Self::WeakKey(_) => "control_weak_key",
            Self::Attestation { .. } => "control_attestation",
            Self::Genesis => "control_genesis",
            Self::OtherGenesis => "control_other_genesis",
            Self::Author(_) => "control_author",
            Self::Version { .. } => "control_version",
            Self::Vote { .. } => "control_vote",
            Self::ForeignVote(_) => "control_foreign_vote",
            Self::Quorum { .. } => "control_quorum",
            Self::ProposalExpired { .. } => "control_proposal_expired",
            Self::ProposedLater => "control_proposed_later",
            Self::OwnerStays => "control_owner_stays",
            Self::LastAdmin => "control_last_admin",
            Self::RosterFull => "control_roster_full",
            Self::NotOnRoster(_) => "control_not_on_roster",
        }
    }
}

/// Refuses a value outside `minimum..=maximum`.
pub(super) const fn check_range(
    what: &'static str,
    value: u64,
    minimum: u64,
    maximum: u64,
) -> Result<(), ControlRefused> {
    if value < minimum || value > maximum {
        return Err(ControlRefused::OutOfRange { what, value, minimum, maximum });
    }
    Ok(())
}
