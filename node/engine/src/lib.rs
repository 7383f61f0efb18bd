//! The protocol core of a node: pure state machines, no I/O.
//!
//! ```text
//!   what happens            Engine::handle(now, input, out)               what is to be done
//!  ──────────────   ┌──────────────────────────────────────────────┐   ─────────────────────
//!   link up, down   │ links      one a peer, who stays, who is dead │   dial, close
//!                   │ overlay    whose links gossip spreads on      │
//!   frame      ────▶│ addresses  where peers may be, when to dial   │──▶ send a frame
//!   timer           │ bans       who no link is kept with           │   arm the timer
//!   policy          │ score      what peers are worth               │   verify
//!                   │ misbehaviour  and what some of them earn      │
//!   submission      │ outbox     transactions become messages       │   append, read, store a body
//!                   │ gossip     which messages are new             │
//!   verdict         │ bodies     large transactions, chunk by chunk │   accepted, refused
//!   store's answer  │ holdings   what is held   sync  what is lacked│   event
//!                   │ advertisements   what everybody may know of it │
//!                   │ ready      whether this node may serve        │
//!                   └──────────────────────────────────────────────┘
//! ```
//!
//! [`Engine::handle`] takes in one [`Input`] and adds to [`Outputs`] what follows from it. Time and randomness are given
//! from outside, storing and verifying are outputs that are answered later, and no order of a hash table reaches an
//! output: the same inputs give the same outputs, in production and in a simulation. All that is kept is bounded, see
//! the constants in `bounds.rs`; frames are bounded before anything is allocated for them.
//!
//! [`session`] and [`breaker`] are state machines of the same kind that the driver holds itself: what makes a link
//! reliable, and what keeps it from dialling where it only fails.
//!
//! What the driver owes the engine: `now` never goes back; every question with a token gets one answer; a link's frames
//! come in order and once, and only between its `LinkUp` and its end; [`Input::Timer`] comes soon after the armed time.

mod addresses;
mod advertisements;
mod appends;
mod bans;
mod bodies;
pub mod bounds;
pub mod breaker;
mod clock;
mod contract;
mod detector;
mod directory;
mod engine;
mod frame;
mod gossip;
mod holdings;
mod links;
mod membership;
mod misbehaviour;
mod outbox;
mod overlay;
mod random;
mod ranges;
mod ready;
mod score;
pub mod session;
mod settings;
mod sync;
mod timers;

pub use addresses::{AddressSettings, AddressSettingsRefused};
pub use contract::*;
pub use detector::{DetectionSettings, ServiceStatus};
pub use engine::Engine;
pub use frame::MAX_FRAME_BYTES;
pub use gossip::{
    ANNOUNCE_RANGE, BATCH_RANGE, FANOUT_RANGE, GossipSettings, GossipSettingsRefused, HOP_LIMIT_RANGE,
    TIME_TO_LIVE_RANGE,
};
pub use membership::{MemberIndex, MemberState, MembershipSettings, Statement};
pub use misbehaviour::{
    BAN_RANGE, GROUP_PERCENT_RANGE, MAX_TEMPORARY_RANGE, MisbehaviourSettings, MisbehaviourSettingsRefused, Rule,
    TOLERATED_RANGE, WINDOW_RANGE,
};
pub use overlay::{OverlayRefused, OverlaySettings};
pub use score::{DECAY_RANGE, EXPECTED_DELIVERIES_RANGE, FULL_THROUGHPUT_RANGE, ScoreSettings, ScoreSettingsRefused};
pub use settings::SettingRefused;

#[cfg(test)]
mod tests;
