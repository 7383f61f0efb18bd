//! What the crate promises, by subject.

mod authority;
mod chain;
mod enrollment;
mod key;
mod member;
mod spiffe;
mod zip215;
