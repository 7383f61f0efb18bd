//! Messages with what is derived from them, and bodies.

mod append;
mod bodies;
mod places;
mod queries;
mod ranges;

pub(super) use append::{Arrival, append};
pub(super) use bodies::{body_chunk, purge, put_body};
pub(super) use queries::{counts, document, held, list, read, transaction};
