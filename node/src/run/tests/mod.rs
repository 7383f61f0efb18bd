//! Whole nodes on loopback: real sockets, real TLS.

mod advertisements;
mod bans;
mod blueprints;
mod carriers;
mod clients;
mod database;
mod followers;
mod hubs;
mod nearby;
mod network;
mod operator;
mod outbox;
mod register_simulation;
mod registers;
mod replication;
mod restarts;
mod simulated;
mod sources;
mod spent;
mod strangers;
mod succession;
mod system;
mod traces;
