//! What the crate promises, by subject.

mod admission;
mod equivocation;
mod message;
mod samples;
mod transaction;
mod vectors;
