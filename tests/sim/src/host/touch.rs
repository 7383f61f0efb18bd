//! Having a host's memory fetched before its turn.
//!
//! ```text
//!   two turns before: the host ─▶ one before: engine, connections ─▶ right before: its link, its frame
//! ```
//!
//! Of many hosts nothing is in the processor's caches when their turns come, and an event would wait for one piece of
//! memory after the other. Here pieces are read of which none leads to another, so that all are under way at once. What is
//! read is of no interest, and changes nothing.

use super::Host;
use crate::event::What;
use peerwright_engine::LinkId;

impl Host {
    /// The host itself.
    pub(crate) fn touch(&self) -> u64 {
        let flags = [self.is_paused, self.engine.is_some(), self.sender.is_some(), self.armed.is_some()];
        let flags = flags.into_iter().map(u64::from).sum::<u64>();
        let lengths = self.ends.len() ^ self.policy.bans.len() ^ self.echoes.len() ^ self.store.unsynced();
        flags ^ lengths as u64 ^ u64::from(self.number) ^ u64::from(self.life) ^ self.trace.value() ^ self.last_token
    }

    /// What the host leads to.
    pub(crate) fn touch_parts(&self) -> u64 {
        let ends = self.ends.iter().map(|end| u64::from(end.id)).sum::<u64>();
        ends ^ self.engine.as_ref().map_or(0, |engine| engine.touch())
    }

    /// What an event leads to.
    pub(crate) fn touch_for(&self, what: &What) -> u64 {
        let (link, kind) = match what {
            What::Frame { end, bytes, .. } => (Some(LinkId((*end).into())), bytes.get(1).copied()),
            _ => (None, None),
        };
        u64::from(kind.unwrap_or(0)) ^ self.engine.as_ref().map_or(0, |engine| engine.touch_links(link))
    }
}
