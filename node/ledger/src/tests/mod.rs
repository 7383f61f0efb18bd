//! What the crate promises, by subject.

mod admission;
mod message;
mod samples;
mod transaction;
mod vectors;
