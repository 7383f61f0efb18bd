//! What governs a register: its first record, its policy, and what changes them.
//!
//! ```text
//! docket 0:  ControlRecord::Genesis       who owns it, who may replace its sealers, the first sealers, the first policy
//! docket n:  ControlRecord::SealerChange  the next sealers, by most of the old ones or by the authority
//!            ControlRecord::Governance    another policy, or somebody's place, by vote of owner and admins
//! ```
//!
//! Each is the one transaction of a control docket, so what governs a register is signed, ordered and proven like all that is in it.

mod control;
mod genesis;
mod governance;
mod policy;
mod refusal;
mod vote;

pub use control::{CONTROL_CONTENT_TYPE, ControlRecord};
pub use genesis::{
    Attestation, GenesisHash, GenesisRecord, MAX_ATTESTATIONS, MAX_DESCRIPTION_CHARS, MAX_REGISTER_NAME_CHARS,
    MAX_SUBJECT_BYTES, Role,
};
pub use governance::Governance;
pub use policy::{Quorum, RegisterPolicy, VerifyPolicy};
pub use refusal::ControlRefused;
pub use vote::{Change, GovernanceChange};
