//! Nothing that does not verify is stored or passed on, and no honest node is convicted for what others made up.

use super::{Broken, holds};
use crate::event::HostId;
use peerwright_ledger::Message;

/// A message of another origin is stored.
pub(crate) fn stored(is_valid: bool, message: &Message) -> Result<(), Broken> {
    holds("verified", is_valid, || format!("a message that does not verify was stored: {:?}", message.body().origin))
}

/// A message that does not verify has arrived from a host.
pub(crate) fn forwarded(sender: HostId, is_honest: bool) -> Result<(), Broken> {
    holds("verified", !is_honest, || format!("the honest node {sender} passed on what does not verify"))
}

/// A peer was convicted for a message that does not verify.
pub(crate) fn convicted(is_honest: bool) -> Result<(), Broken> {
    holds("verified", !is_honest, || "an honest node was convicted".to_owned())
}

/// The verdict of the side table and that of the signature are one.
pub(crate) fn verdicts_agree(tagged: bool, message: &Message) -> Result<(), Broken> {
    let signed = message.verify().is_ok();
    holds("verified", tagged == signed, || format!("the tag says {tagged}, the signature {signed}"))
}
