//! The SQLite store behaves as the model does, and keeps what it has acknowledged.

pub(crate) mod docket_fixtures;
mod docket_model;
mod dockets;
pub(crate) mod fixtures;
mod kill;
mod model;
