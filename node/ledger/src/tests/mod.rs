//! What the crate promises, by subject.

mod admission;
mod chain;
mod equivocation;
mod merkle;
mod message;
mod registers;
mod samples;
mod transaction;
mod vectors;
