//! What the crate promises, by subject.

mod authority;
mod format;
mod order;
mod placement;
mod samples;
mod settings;
mod signed;
mod vector;
