//! What a node says it holds of a register.

use crate::Micros;
use peerwright_ledger::RegisterId;
use peerwright_secure::PeerId;
use std::{collections::BTreeSet, time::Duration};

/// What a node does with a register that it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HolderState {
    /// It lacks dockets that its source holds, or nobody serves it.
    Syncing,
    /// It holds all that its source holds, and follows.
    FullReplica,
    /// It holds all that has come since it was subscribed, and follows.
    ForwardOnly,
    /// It is one of those that make the dockets.
    Sealing,
    /// Two certified dockets have one number; nothing more is taken.
    Frozen,
}

impl HolderState {
    /// In a word, for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Syncing => "Syncing",
            Self::FullReplica => "FullReplica",
            Self::ForwardOnly => "ForwardOnly",
            Self::Sealing => "Sealing",
            Self::Frozen => "Frozen",
        }
    }
}

/// What a node says it holds of a register: certified dockets from `first` on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertisement {
    /// The register.
    pub register: RegisterId,
    /// The lowest docket held.
    pub first: u64,
    /// One more than the number of the highest docket held, so above `first`.
    pub dockets: u64,
    /// What the node does with it.
    pub state: HolderState,
    /// The register's display name; empty where docket 0 is not held.
    pub name: String,
    /// What it is for, or the beginning of that.
    pub description: String,
}

impl Advertisement {
    /// Whether a newcomer gets all of the register from this node.
    #[must_use]
    pub fn serves_all(&self) -> bool {
        self.first == 0 && matches!(self.state, HolderState::FullReplica | HolderState::Sealing)
    }
}

/// What a peer has said, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdvertisementView {
    /// The peer.
    pub peer: PeerId,
    /// What it holds.
    pub advertisement: Advertisement,
    /// When it said so last.
    pub heard: Micros,
}

/// Why a peer is thought to hold a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HolderWord {
    /// It tells everybody that it holds certified dockets of it.
    Advertised {
        /// The lowest.
        first: u64,
        /// One more than the number of the highest.
        dockets: u64,
        /// What it does with the register.
        state: HolderState,
    },
    /// It is linked, and takes part in the register's messages or was found by a search: nobody has said which dockets it
    /// holds.
    Named,
}

impl HolderWord {
    pub(crate) const fn of(row: &Advertisement) -> Self {
        Self::Advertised { first: row.first, dockets: row.dockets, state: row.state }
    }
}

/// A peer that may hold a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HolderView {
    /// The peer.
    pub peer: PeerId,
    /// Why it is thought so.
    pub word: HolderWord,
}

/// Why what a peer has said counts no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WithdrawalCause {
    /// The peer has said so.
    Told,
    /// It has not said it again in time.
    Expired,
    /// The peer is banned.
    Banned,
    /// The peer has begun anew, and says itself what it holds now.
    Restarted,
}

impl WithdrawalCause {
    /// In a word, for logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::Expired => "expired",
            Self::Banned => "banned",
            Self::Restarted => "restarted",
        }
    }
}

/// Who may hear that a register is held here, of which nothing is advertised. Sealers always may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Every node of the network.
    Network,
    /// The nodes of these groups.
    Groups(BTreeSet<String>),
}

/// When advertisements are told, and how long they count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdvertisementSettings {
    /// Further dockets are told together with those that come within this time.
    pub gather: Duration,
    /// Each link is told everything anew after this time.
    pub again: Duration,
    /// What a peer has said counts for this time after it said so last: a few times `again`.
    pub expiry: Duration,
}

impl Default for AdvertisementSettings {
    fn default() -> Self {
        Self { gather: Duration::from_secs(5), again: Duration::from_secs(60), expiry: Duration::from_secs(300) }
    }
}

/// What nodes say they hold of registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AdvertisementStatistics {
    /// Registers that this node advertises, now.
    pub told: u64,
    /// Advertisements of peers that are kept, now.
    pub heard: u64,
    /// Peers that they are of, now.
    pub peers: u64,
    /// Frames with them that were sent.
    pub frames_sent: u64,
    /// Frames with them that came.
    pub frames_received: u64,
    /// Advertisements of peers that were new or said something new.
    pub changed: u64,
    /// Advertisements of peers that said the same again.
    pub repeated: u64,
    /// Advertisements that peers have withdrawn.
    pub withdrawn: u64,
    /// Advertisements that were not said again in time.
    pub expired: u64,
}
