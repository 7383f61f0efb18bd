//! The peer node: sockets, clocks, disks, REST, telemetry, configuration.
//!
//! ```text
//!              5000 members        8443 applications      8080 probes
//!                   │                    │                    │
//!               transport ── TLS: who, and not banned ──      │
//!                   │                    │                    │
//!     discovery    link ◀──┐            api                probes
//!          │        │      │             │
//!          └──▶  driver ───┴── engine (pure)        member ◀── operator
//!                   │                                  │
//!                 store ◀───────── volume ─────────────┘
//! ```
//!
//! [`RunningNode`] starts and ends one node; the program runs one, `dev` and tests several in one process.

pub mod api;
mod auto_bans;
mod backoff;
pub mod config;
pub mod dev;
pub mod discovery;
pub mod driver;
mod handle;
pub mod identity;
pub mod limits;
pub mod link;
pub mod member;
mod members;
mod mutant;
pub mod operator;
pub mod probes;
mod readiness;
pub mod registers;
pub mod run;
mod settings;
mod signatures;
pub mod telemetry;
#[cfg(test)]
mod testing;
pub mod tls;
mod together;
pub mod transport;

pub use handle::NodeHandle;
pub use run::RunningNode;
