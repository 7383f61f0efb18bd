//! No message is delivered twice: what the store was given once, it is not given again while it has it.

use super::{Broken, holds};
use crate::pool::Number;

/// Messages were appended; `again` is one that was there.
pub(crate) fn appended_again(again: Option<Number>) -> Result<(), Broken> {
    holds("once", again.is_none(), || format!("message {again:?} was stored again"))
}
