//! The sealing group: the few nodes of a network that agree upon one order of dockets, and sign it.
//!
//! ```text
//!                 leader                                        other sealers
//!  submit ─▶ builder: a docket ─▶ log ══ consensus (openraft) ══▶ log
//!                                  │ committed                     │ committed
//!                                  ▼                               ▼
//!                                formed, signed ◀── exchange ──▶ formed, signed       the same docket on each
//!                                  │ majority: certificate         │
//!                                  ▼                               ▼
//!                                stored ─▶ followed              stored ─▶ followed   certified dockets only
//! ```
//!
//! [`Group`] is one sealer. It needs a [`Transport`] to the others, a store
//! ([`SealingStore`](peerwright_store::SealingStore)) and a clock; the node hands it what other sealers ask
//! ([`Group::serve`]) and takes the certified dockets from it ([`Group::follow`]).
//!
//! What holds, whatever fails: a docket that was certified never disappears or changes, for a majority has stored the entry
//! that makes it before anybody signs; an entry names the docket that it follows, so that it makes the same docket on
//! every sealer or none; a transaction is sealed once, wherever and how often it is handed in, for sealers remember those
//! that are still valid and dockets take no others. A minority takes nothing in.
//!
//! Where most sealers are lost for good, one of them [goes on alone](go_on_alone) by the word of each register's authority.

mod alone;
mod build;
mod command;
mod core;
mod durable;
mod exchange;
mod fetch;
mod group;
mod mutant;
mod propose;
mod raft;
mod record;
mod refused;
mod registers;
mod restore;
mod settings;
mod settled;
mod snapshot;
mod tail;
mod transport;
mod wire;

pub use alone::{Authorities, NotAlone, Stranded, Survivor, WentOn, generation_of, go_on_alone};
pub use build::Outcome;
pub use core::Clock;
pub use group::{Group, GroupParts, GroupStatus, NotStarted, Sealers};
pub use refused::GroupRefused;
pub use restore::NotRestored;
pub use settings::{
    CERTIFICATE_RETRY, HEARTBEAT_INTERVAL, LEADER_TIMEOUT, LOG_ENTRIES_KEPT, QUEUED_BYTES, QUEUED_TRANSACTIONS,
    REMEMBERED_TRANSACTIONS, SealingSettings, SettingRefused, UNCERTIFIED_DOCKETS,
};
pub use snapshot::MAX_REGISTERS;
pub use tail::{Follower, Missed};
pub use transport::{Transport, TransportError};
pub use wire::MAX_MESSAGE_BYTES;

#[cfg(test)]
mod tests;
