//! Whole engines against each other, on a virtual clock.

mod advertisements;
mod audience;
mod bans;
mod bodies;
mod catching_up;
mod chaos;
mod detector;
mod directory;
mod draining;
mod equivocation;
mod hostile;
mod links;
mod members;
mod misbehaviour;
mod net;
mod offers;
mod overlay;
mod packed;
mod readiness;
mod spreading;
mod trees;
mod tuning;
