//! Messages with what is derived from them, and bodies.

mod append;
mod bodies;
mod let_go;
mod places;
mod queries;
mod ranges;

pub(super) use append::{Arrival, append};
pub(super) use bodies::{body_chunk, purge, put_body};
pub(super) use let_go::let_go;
pub(super) use queries::{after, counts, document, gone, held, list, newest, read, transactions};
