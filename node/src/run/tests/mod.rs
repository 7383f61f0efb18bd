//! Whole nodes on loopback: real sockets, real TLS.

mod advertisements;
mod bans;
mod carriers;
mod clients;
mod database;
mod hubs;
mod nearby;
mod network;
mod operator;
mod outbox;
mod registers;
mod replication;
mod restarts;
mod simulated;
mod strangers;
mod traces;
