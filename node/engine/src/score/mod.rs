//! What this node thinks of its peers.

#[expect(dead_code, reason = "reported as the parts that see them come in")]
mod outcome;

pub(crate) use outcome::Outcome;
