//! What peers have done that no peer should, and what it earns them.
//!
//! ```text
//!   offence ─▶ kept for a day ─▶ more of its kind than are tolerated?
//!                                  │ yes
//!                                  ▼
//!              seed, hub, sealer, a quarter of the group banned? ── yes ──▶ withheld, and said so
//!                                  │ no
//!                                  ▼
//!              banned for a while; after three such bans, for good ──▶ kept for a week after its end
//! ```
//!
//! | kind | tolerated | within | ban |
//! |---|---|---|---|
//! | invalid message | 5 | 5 min | 1 h |
//! | spam | 5 | 1 h | 2 h |
//! | protocol violation | 0 | | for good |
//! | malicious content | 0 | | for good |
//!
//! Dials that fail, links that break and requests that are not answered are no offences: they cost score, and a breaker
//! keeps away from who fails. Frames of an unknown version, kind or field are none either, so that a network may be
//! upgraded node by node; a frame of a known kind that cannot be read counts as an invalid message, since a defect may
//! have written it. These bans hold on this node alone and go upwards with their evidence.
//!
//! A ban that is lifted or over still counts towards the next one until it is forgotten.

mod allowance;
mod record;
mod settings;
mod table;

#[cfg(test)]
mod tests;

pub(crate) use allowance::has_room;
pub use settings::{
    BAN_RANGE, GROUP_PERCENT_RANGE, MAX_TEMPORARY_RANGE, MisbehaviourSettings, MisbehaviourSettingsRefused, Rule,
    TOLERATED_RANGE, WINDOW_RANGE,
};
pub(crate) use table::{Offenders, Verdict};
