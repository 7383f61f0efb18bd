//! Every submission is answered once: accepted or refused, and never both.

use super::{Broken, holds};
use peerwright_engine::Token;

/// An answer came; it stands for a submission that waited for one.
pub(crate) fn answered_once(was_waiting: bool, token: Token) -> Result<(), Broken> {
    holds("answers", was_waiting, || format!("{token:?} was answered, and no submission waited for it"))
}
