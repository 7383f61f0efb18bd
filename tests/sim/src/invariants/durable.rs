//! What was acknowledged is on the disk, with its body, before anybody hears so.

use super::{Broken, holds};
use peerwright_engine::Token;

/// A transaction was acknowledged.
pub(crate) fn acknowledged(is_durable: bool, token: Token) -> Result<(), Broken> {
    holds("durable", is_durable, || format!("{token:?} was acknowledged, and would not survive a crash"))
}

/// A message is stored that stands for a large transaction.
pub(crate) fn body_first(is_held: bool) -> Result<(), Broken> {
    holds("durable", is_held, || "a message was stored before the body that it announces".to_owned())
}
