//! The Store trait, its in-memory model, and SQLite
