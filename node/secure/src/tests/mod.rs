//! What the crate promises, by subject.

mod authority;
mod ban_subject;
mod chain;
mod cidr;
mod enrollment;
mod key;
mod member;
mod spiffe;
mod zip215;
