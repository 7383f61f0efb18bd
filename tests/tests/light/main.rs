//! The tests that need an API server and no nodes: the definitions' rules and bounds, the charts and the rights that they
//! give, and the operator's own process.

#![expect(clippy::indexing_slicing, reason = "a JSON value answers null for what it lacks")]

mod certify;
mod charts;
mod definitions;
mod operations;
mod operator;
mod replicas;
mod rest;
mod rights;
mod rule_table;
mod rules;
mod subscriptions;
