//! The leader's part: gathers what is handed in and proposes it, docket by docket.
//!
//! ```text
//! submit ─▶ queue (bounded) ─▶ lane of its register: full, or waited long enough?
//!                                │ left out: sealed before, expired
//!                                ▼
//!                              proposal ─▶ log ─▶ formed ─▶ certified and stored ─▶ outcome of each transaction
//!                                └ one under way for each register; what comes meanwhile makes the next docket
//! ```

mod builder;
mod lane;
mod submission;

pub(crate) use builder::run;
pub(crate) use submission::Queue;

use peerwright_ledger::Refusal;

/// What became of a transaction that was handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is in this docket, whose certificate stands.
    Sealed {
        /// The docket's number.
        docket: u64,
    },
    /// It was sealed before, and the certificate of its docket stands.
    AlreadySealed,
    /// The register does not take it.
    Refused(Refusal),
    /// It would govern the register against its rules.
    ControlRefused,
}
