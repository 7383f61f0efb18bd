//! Groups of several sealers in one process, over wires that delay, cut and stop.

mod alone;
pub(crate) mod chance;
mod cluster;
mod failures;
mod forgotten;
mod full;
mod members;
pub(crate) mod register;
mod sealing;
mod simulation;
mod sqlite;
mod submitting;
mod wires;
