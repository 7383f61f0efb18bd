//! A node stores one message of a name, whatever its origin has signed: the first that it had verified. The others are
//! evidence, and go into proofs.

use super::{Broken, holds};
use crate::pool::Number;

/// Messages were appended; `rival` is one whose name another has that is stored.
pub(crate) fn one_body(rival: Option<Number>) -> Result<(), Broken> {
    holds("names", rival.is_none(), || format!("message {rival:?} was stored beside another of its name"))
}
