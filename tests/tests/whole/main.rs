//! Behaviour on a whole cluster: real machines, real pods, the real kubectl and curl.
//!
//! `cargo xtask up` (or `cargo xtask test`) makes the cluster and installs the operator; `KUBECONFIG` names it. Every test
//! makes its own namespace and network and removes them. Tests that disturb machines or the operator touch what others
//! use, and run one at a time: `cargo test -p peerwright-tests --test whole -- --test-threads=1`. `xtask test` names the
//! modules that disturb nobody.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "measured times belong to the output")]

mod afternoon;
mod bans;
mod blueprints;
mod client;
mod database;
mod faults;
mod figures;
mod forgery;
mod hubs;
mod kept;
mod kubectl;
mod lifecycle;
mod load;
mod malice;
mod member;
mod network;
mod operator;
mod registers;
mod sealers;
mod strangers;
mod subscriptions;
mod transactions;
