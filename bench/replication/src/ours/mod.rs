//! Peer nodes: `RunningNode`, everything that a pod runs, on loopback with mutual TLS and stores on the disk: SQLite, and a
//! replica's in PostgreSQL in one case.

mod catch_up;
mod client;
mod committed;
mod live;
mod network;
mod stream;
mod submit;
mod threads;

pub(crate) use catch_up::KILLS;
pub(crate) use submit::{BATCH, CLIENTS};

use crate::plan::{Case, Outcome, Plan};
use anyhow::Result;

/// Tries a case.
pub(crate) fn run(plan: &Plan) -> Result<Outcome> {
    match plan.case {
        Case::Stream | Case::Signatures | Case::Author | Case::Three => catch_up::stream(plan),
        Case::Cold => catch_up::cold(plan),
        Case::ColdPostgres => catch_up::cold_postgres(plan),
        Case::Interrupted => catch_up::interrupted(plan),
        Case::Live => live::run(plan),
        Case::Committed => committed::run(plan),
        Case::Single => submit::post(plan, 1),
        Case::Batch => submit::post(plan, BATCH),
        Case::Streams => submit::stream(plan),
    }
}
