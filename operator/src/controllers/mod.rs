//! The controllers: what runs while this replica leads.
//!
//! ```text
//!                    ┌─> policy        identity, trust, snapshot: nothing else can hold these up
//! watches ─ triggers ┼─> network       children, rollout, status
//!   ^                ├─> ban           status of each PeerBan
//!   │                ├─> subscription  status of each RegisterSubscription
//!   │                └─> operation     each PeerOperation, once
//!   │ nodes' reports ──> reach         which node has which snapshot
//!   └ what each found, for the others: findings
//! ```

mod ban;
pub mod caches;
mod context;
mod custody;
mod departed;
mod error;
pub mod findings;
pub mod network;
mod operation;
mod policy;
pub mod reach;
mod run;
mod subscription;
mod term;
pub mod triggers;

pub use context::{Context, Parts};
pub use error::ReconcileError;
pub use term::lead;
