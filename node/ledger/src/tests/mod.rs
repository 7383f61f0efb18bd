//! What the crate promises, by subject.

mod admission;
mod chain;
mod docket;
mod docket_vectors;
mod equivocation;
mod governance;
mod merkle;
mod message;
mod packed;
mod proofs;
mod registers;
mod replace;
mod samples;
mod transaction;
mod vectors;
