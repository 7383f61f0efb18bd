//! Every store behaves as the model does, and keeps what it has acknowledged.

mod dead_letters;
pub(crate) mod docket_fixtures;
pub(crate) mod docket_model;
mod dockets;
pub(crate) mod fixtures;
mod kill;
pub(crate) mod model;
