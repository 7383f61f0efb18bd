//! Which messages are new, and which wait for their verdict.
//!
//! ```text
//! frame ─▶ size, link quota ─▶ seen or held? drop ─▶ pending ─▶ Verify ─▶ valid: seen, passed on, stored
//!                                                      │                  not: the link is closed
//!                                                      └─ the same bytes again: no second question
//! ```
//!
//! Only a verified body makes a message seen: a forged one can neither suppress the real one nor be passed on. Nobody
//! passes on what does not verify, so a bad signature convicts the link that brought it, whoever the origin is.

mod candidates;
mod seen;
mod settings;
#[cfg(test)]
mod tests;

pub(crate) use candidates::{Candidate, Candidates, Offered, Path};
pub(crate) use seen::{Seen, Standing};
pub use settings::{
    ANNOUNCE_RANGE, FANOUT_RANGE, GossipSettings, GossipSettingsRefused, HOP_LIMIT_RANGE, TIME_TO_LIVE_RANGE,
};

use peerwright_ledger::{Message, MessageBody};
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

impl From<&Message> for Place {
    fn from(message: &Message) -> Self {
        Self::of(message.body())
    }
}
