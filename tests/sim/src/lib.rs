//! A simulated network: real engines, driven by their contract alone, on hosts and links that fail as the seed says.
//!
//! ```text
//!  seed ─▶ options ─▶ hosts (engine, store, clock) ◀─▶ queue of events (time, cause) ◀─ faults
//!                       │ every output                              │
//!                       ├─▶ invariants, one file each ─▶ Broken: options and replay command are printed
//!                       └─▶ trace hash, figures ───────▶ Report
//! ```
//!
//! Time is an integer of microseconds, every choice comes from the seed, and what happens at one time happens in the order
//! of who caused it: one seed gives one trace, in debug and release, on one thread and on several.

#![expect(
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a simulator that has lost count of its own hosts must stop, not go on"
)]

mod adversary;
mod event;
mod faults;
mod figures;
mod flooding;
mod host;
mod invariants;
mod network;
mod options;
mod pool;
mod queue;
mod random;
mod report;
mod scenarios;
mod shard;
mod simulation;
mod store;
mod trace;
mod world;

pub use adversary::Adversary;
pub use faults::Fault;
pub use invariants::Broken;
pub use options::{Known, Options};
#[cfg(feature = "mutants")]
pub use peerwright_engine::Mutant;
pub use report::{Measured, Report};
pub use scenarios::{Finding, SCENARIOS, Scenario};
pub use simulation::{Failure, run};
