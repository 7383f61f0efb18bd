//! Where nothing is cut, down or paused, gossip alone brings a message to every node in time. What only catching up
//! brought, tens of seconds later, was lost on the way.

use super::{Broken, holds};
use std::time::Duration;

/// A message was delivered.
pub(crate) fn in_time(limit: Option<Duration>, latency: Duration) -> Result<(), Broken> {
    let is_prompt = limit.is_none_or(|limit| latency <= limit);
    holds("prompt", is_prompt, || format!("a message took {latency:?}"))
}
