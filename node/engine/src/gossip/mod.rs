//! Which messages are new, which wait for their verdict, and on which links they go on.
//!
//! ```text
//! frame ─▶ header: seen or held? drop, prune ─▶ pending ─▶ Verify ─▶ valid: seen, pushed or announced, stored
//!                                                 │                  not: the link is closed
//!                                                 └─ the same bytes again: no second question
//! ```
//!
//! Only a verified body makes a message seen: a forged one can neither suppress the real one nor be passed on. Nobody
//! passes on what does not verify, so a bad signature convicts the link that brought it, whoever the origin is.
//!
//! [`Origins`] knows what was seen, [`Trees`] on which link which origin is pushed, [`Waits`] what was announced and does
//! not come, [`Cache`] what can be given to those who wait, [`Proofs`] who is not spread any more.

mod bits;
mod cache;
mod candidates;
mod life;
mod names;
mod origins;
mod proofs;
mod settings;
#[cfg(test)]
mod tests;
mod trees;
mod waits;

use bits::Bits;
pub(crate) use cache::{Cache, Cached};
pub(crate) use candidates::{Candidate, Candidates, Offered, Path};
use life::Life;
pub(crate) use names::Meaning;
use names::{HeardNames, SaidNames};
pub(crate) use origins::{Inserted, Origins, Slot, Standing, Untracked};
pub(crate) use proofs::{Judged, Proofs};
pub use settings::{
    ANNOUNCE_RANGE, BATCH_RANGE, FANOUT_RANGE, GossipSettings, GossipSettingsRefused, HOP_LIMIT_RANGE,
    TIME_TO_LIVE_RANGE,
};
pub(crate) use trees::Trees;
pub(crate) use waits::{Asked, Source, Waits};

use peerwright_ledger::{Message, MessageBody, MessageHeader};
use peerwright_secure::NodePublicKey;

/// A message's name: no honest origin gives it twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub origin: NodePublicKey,
    pub incarnation: u64,
    pub sequence: u64,
}

impl Place {
    pub(crate) fn of(message: &MessageBody) -> Self {
        Self { origin: message.origin, incarnation: message.incarnation, sequence: message.sequence }
    }
}

impl From<&MessageHeader> for Place {
    fn from(header: &MessageHeader) -> Self {
        Self { origin: header.origin, incarnation: header.incarnation, sequence: header.sequence }
    }
}

impl From<&Message> for Place {
    fn from(message: &Message) -> Self {
        Self::of(message.body())
    }
}
