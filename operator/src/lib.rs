//! The operator of Peerwright: turns `PeerNetwork`s into running peer nodes, tells who is who, and hands the nodes the
//! signed snapshot of bans, subscriptions and settings that they obey.
//!
//! ```text
//! watches ─> caches ─> controllers ─> children, statuses        (writes: the leader only)
//!                        │  identity, policy ─> snapshot ─┐
//!                        │                                v
//!                     reports <──────────────────── node service <── nodes
//! ```
//!
//! Every replica is warm: it watches, serves probes, and says `not_leader` to nodes until the Lease is its own.

pub mod api;
pub mod backoff;
pub mod cache;
pub mod conditions;
pub mod controllers;
pub mod definitions;
pub mod events;
pub mod health;
pub mod identity;
pub mod leadership;
pub mod metrics;
pub mod nodes;
pub mod policy;
pub mod settings;
pub mod startup;
