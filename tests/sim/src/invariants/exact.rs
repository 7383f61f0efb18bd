//! What a node takes for known, it has verified: neither a forged message nor a later one makes it pass over one that it
//! never had.

use super::{Broken, holds};
use crate::pool::Number;

/// A message came by gossip, and the node had it neither verified nor dropped with a word.
pub(crate) fn is_known(number: Number, was_judged: bool) -> Result<(), Broken> {
    holds("exact", was_judged, || format!("message {number} was taken for known, and was never verified here"))
}
