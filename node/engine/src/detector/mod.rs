//! Who is alive.
//!
//! ```text
//!   a link is silent, or broke ──▶ suspicion: probe it, ask three others to probe ──▶ somebody reaches it: calm
//!                                        │ nobody reaches it in time
//!                                        ▼
//!                     accusation, signed, spread at once ──▶ the accused answers with a newer record: case closed
//!                                        │ it stands, half as long when three accuse
//!                                        ▼
//!                     unreachable: links to it are closed ──▶ a newer record, a link: reachable again
//!                                        │ it stands for ten seconds more
//!                                        ▼
//!                     dead: the record is dropped
//! ```
//!
//! Suspicion is private: only what probes have not cleared is said to others, so that a lost packet costs a question to
//! three neighbours and not a word to everybody. Whoever doubts others may itself be slow: a node that was paused, that hears
//! neither the suspect nor any helper, that accused somebody who then answered in time, or that is accused by who has a
//! link to it, multiplies its own times for a while (Lifeguard, arXiv 1707.00788). A cut between others, and between this
//! node and one other, is none of these. The larger the network the longer an accusation stands, for both it and its
//! answer have further to go.

mod accusation;
mod cases;
mod health;
mod probes;
mod settings;
mod status;

pub use settings::DetectionSettings;
pub use status::ServiceStatus;

pub(crate) use accusation::Accusation;
pub(crate) use cases::{Cases, Heard, Stage};
pub(crate) use health::LocalHealth;
pub(crate) use probes::{Asked, ProbeAnswer, Suspicion, Suspicions};
pub(crate) use status::status;

/// Who is alive, as far as this node can tell.
#[derive(Debug, Default)]
pub(crate) struct Detector {
    pub cases: Cases,
    pub suspicions: Suspicions,
    /// What this node was asked to probe by dialling.
    pub asked: Asked,
    pub health: LocalHealth,
    /// That this process was paused is known; what came meanwhile is being read, and no timer has been looked at yet.
    pub is_catching_up: bool,
    pub status: ServiceStatus,
    /// Something happened that the status may depend on.
    pub status_is_due: bool,
}
