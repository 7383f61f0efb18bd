//! Groups of several sealers in one process, over wires that delay, cut and stop.

mod alone;
mod chaos;
mod cluster;
mod failures;
mod full;
mod members;
pub(crate) mod register;
mod sealing;
mod sqlite;
mod submitting;
mod wires;
