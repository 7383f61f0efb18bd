//! What must hold, one file each.

mod acknowledged;
mod certified;
pub(super) mod forks;
pub(super) mod prefixes;
pub(super) mod stranger;

pub(super) use acknowledged::Acknowledged;
pub(super) use certified::Certified;
