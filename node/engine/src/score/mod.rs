//! What this node thinks of its peers: one number from 0 to 100 each, fed by every outcome of dealing with them.
//!
//! ```text
//!   links     up, lost, silent ───▶ uptime     40 ┐
//!   dials     linked, failed ─────▶ connecting 30 ├─ reliability 40 ┐
//!   requests  answered, not ──────▶ answering  30 ┘                 │
//!   echoes    round trip ─────────▶ latency    40 ┐                 │   x e^(-0.01 a day unseen)
//!   answers   bytes, time ────────▶ throughput 30 ┴─ performance 30 ├──────────▶ score, rating
//!   gossip    verified, invalid ──▶ valid      40 ┐                 │
//!             brought first ──────▶ useful     30 ├─ behaviour   30 ┘
//!   limits    kept, exceeded ─────▶ compliant  30 ┘
//!                        offences ─▶ at most 100 - debt + 10
//! ```
//!
//! The score chooses between peers: who stays in the active view, who is asked first. It never decides about a ban, and
//! who has earned well cannot pay for an offence with it: what an offence costs, only time gives back.
//!
//! Every link is mutually authenticated, so there is nothing to add for it. No link of this engine is a radio: the weight
//! of the signal lies with latency and throughput.

mod debt;
mod decay;
mod latency;
mod outcome;
mod peer;
mod settings;
mod share;
mod table;
mod throughput;
mod useful;
mod window;

#[cfg(test)]
mod tests;

pub(crate) use outcome::Outcome;
pub use settings::{
    DECAY_RANGE, EXPECTED_DELIVERIES_RANGE, FULL_THROUGHPUT_RANGE, ScoreSettings, ScoreSettingsRefused,
};
pub(crate) use table::{Moved, Scores};

/// What a peer is worth of which nothing is known.
pub(crate) const INITIAL: u8 = 50;
