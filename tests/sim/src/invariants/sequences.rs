//! An origin gives a name (incarnation, sequence) to one message only, whatever it has lost: who reuses a name with other
//! bytes looks like an equivocator to everybody.

use super::{Broken, holds};
use crate::pool::Number;
use peerwright_ledger::Message;

/// A message was published; `namesake` is another of the same name.
pub(crate) fn one_body_a_name(namesake: Option<Number>, message: &Message) -> Result<(), Broken> {
    let body = message.body();
    holds("sequences", namesake.is_none(), || {
        format!("incarnation {} sequence {} was given to two messages", body.incarnation, body.sequence)
    })
}
