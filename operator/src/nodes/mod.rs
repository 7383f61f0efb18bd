//! The node service on port 9443: nodes dial it, it dials nobody.
//!
//! ```text
//! node ── TLS 1.3, client certificate optional ──> listener ─┬─ Certify: token + CSR ─> leaf     (no certificate yet)
//!                                                            ├─ Watch:   snapshots down,         (member certificate)
//!                                                            │           acknowledgements up ─> NodeRegistry
//!                                                            └─ Endorse: docket ─> certificate   (member certificate)
//! ```
//!
//! Only the leader answers, once it knows every network ([`Duty`]); the other replicas ask for no certificate and say
//! `not_leader`. When the duty changes, every connection is closed, so that a node looks for the leader again.

mod certify;
mod connection;
mod duty;
mod endorse;
#[cfg(test)]
pub(crate) mod fixtures;
mod listener;
mod metrics;
mod rate;
mod registry;
mod report;
mod service;
mod tls;
mod watch;

pub use duty::{Duty, OnDuty};
pub use listener::{Listener, ServeError};
pub use metrics::NodeMetrics;
pub use registry::{Changes, NodeRegistry};
pub use report::{AutoBanReport, HubReport, NodeReport, RegisterReport, ReplicaState, SealingReport};
pub use service::NodeService;
