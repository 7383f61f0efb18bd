//! Whole nodes on loopback: real sockets, real TLS.

mod bans;
mod carriers;
mod nearby;
mod network;
mod operator;
mod registers;
mod restarts;
mod simulated;
mod strangers;
mod traces;
