//! The SQLite store behaves as the model does, and keeps what it has acknowledged.

mod docket_fixtures;
mod dockets;
pub(crate) mod fixtures;
mod kill;
mod model;
