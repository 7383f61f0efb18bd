//! What the crate promises, by subject.

mod authority;
mod ban_subject;
mod batch;
mod chain;
mod cidr;
mod enrollment;
mod key;
mod member;
mod spiffe;
mod zip215;
