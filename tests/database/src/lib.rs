//! A PostgreSQL server for tests: made in a folder of its own, reached through a socket in it, and ended with the process
//! of the tests however that ends.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod server;

pub use server::Server;
