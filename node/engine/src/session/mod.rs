//! The link session: frames in order, once, whatever happens to the connections that carry them.
//!
//! ```text
//!            number            take                     receive
//!  engine ──────────▶ 7 8 9 ──────────▶ carrier ──────────▶ 7 8 9 ──▶ the peer's engine
//!                       ▲ kept until acknowledged             │
//!                       └──── acknowledged(7), on whatever goes back
//!
//!  a carrier is lost; on the next both say how far they have received: resume(7) ──▶ take gives 8, 9 again
//! ```
//!
//! One [`Session`] is one end. Frames are numbered from 1 when a carrier is ready for them, kept until the peer has
//! acknowledged them, and taken again after a change of carrier from where the peer stands. What is kept is bounded in
//! frames and bytes: without room no further frame is numbered until an acknowledgement comes. Acknowledgements are
//! cumulative and ride on whatever is sent; one of its own is owed only when half the other end's room may be used up.
//!
//! [`Ladder`] decides which carrier is used, [`negotiate`] which version of the wire is spoken.

mod ladder;
mod settings;
#[cfg(test)]
mod tests;
mod versions;

pub use ladder::{Carrier, Ladder, LadderSettings, Step, StepReason};
pub use settings::{SessionSettingsRefused, Window};
pub use versions::{Versions, negotiate};

use bytes::Bytes;
use std::collections::VecDeque;
use thiserror::Error;

/// What became of a frame that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// It is the next one: hand it on.
    New,
    /// It was handed on before.
    Duplicate,
}

/// The other end does what no honest end does, or holds a state that this one cannot go on from: the session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SessionBroken {
    /// A frame came before the one that must precede it.
    #[error("frames are missing before the one that came")]
    Hole,
    /// The peer acknowledges what was never sent.
    #[error("the peer acknowledges frames that it was never sent")]
    Ahead,
}

impl SessionBroken {
    /// As a reason on the wire and a metric label.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Hole => "session_hole",
            Self::Ahead => "session_ahead",
        }
    }
}

/// One end of a link session.
#[derive(Debug, Clone)]
pub struct Session {
    window: Window,
    /// Numbered and not acknowledged, oldest first.
    kept: VecDeque<Bytes>,
    kept_bytes: usize,
    /// Number of the oldest kept frame; of the next one when none is kept.
    oldest: u64,
    /// How many of the kept frames the present carrier has taken.
    taken: usize,
    /// The highest number that any carrier has taken: what an older one took may still arrive.
    highest: u64,
    /// The highest number received; all before it came too.
    received: u64,
    /// What of it the peer has been told.
    told: u64,
    /// Bytes received since then.
    untold_bytes: usize,
}

impl Session {
    /// A session in which nothing was sent yet.
    #[must_use]
    pub fn new(window: Window) -> Self {
        Self {
            window,
            kept: VecDeque::new(),
            kept_bytes: 0,
            oldest: 1,
            taken: 0,
            highest: 0,
            received: 0,
            told: 0,
            untold_bytes: 0,
        }
    }

    /// Whether a frame of `bytes` may be numbered. One always fits when nothing is kept.
    #[must_use]
    pub fn has_room(&self, bytes: usize) -> bool {
        self.kept.is_empty()
            || (self.kept.len() < self.window.frames && self.kept_bytes.saturating_add(bytes) <= self.window.bytes)
    }

    /// Gives a frame the next number and keeps it. The caller has asked for room.
    pub fn number(&mut self, payload: Bytes) {
        self.kept_bytes = self.kept_bytes.saturating_add(payload.len());
        self.kept.push_back(payload);
    }

    /// The next frame for the present carrier, with its number.
    pub fn take(&mut self) -> Option<(u64, Bytes)> {
        let payload = self.kept.get(self.taken)?.clone();
        let number = self.oldest + self.taken as u64;
        self.taken += 1;
        self.highest = self.highest.max(number);
        Some((number, payload))
    }

    /// The number of the frame that [`Session::take`] gives next.
    #[must_use]
    pub fn next_number(&self) -> u64 {
        self.oldest + self.taken as u64
    }

    /// The length of the frame that [`Session::take`] gives next; `None` when all kept frames were taken.
    #[must_use]
    pub fn next_bytes(&self) -> Option<usize> {
        self.kept.get(self.taken).map(Bytes::len)
    }

    /// The peer has everything up to `number`.
    pub fn acknowledged(&mut self, number: u64) -> Result<(), SessionBroken> {
        if number > self.highest {
            return Err(SessionBroken::Ahead);
        }
        while self.oldest <= number {
            let Some(payload) = self.kept.pop_front() else { return Err(SessionBroken::Ahead) };
            self.kept_bytes = self.kept_bytes.saturating_sub(payload.len());
            self.oldest += 1;
            self.taken = self.taken.saturating_sub(1);
        }
        Ok(())
    }

    /// A frame came.
    pub fn receive(&mut self, number: u64, bytes: usize) -> Result<Receipt, SessionBroken> {
        if number <= self.received {
            return Ok(Receipt::Duplicate);
        }
        if number != self.received + 1 {
            return Err(SessionBroken::Hole);
        }
        self.received = number;
        self.untold_bytes = self.untold_bytes.saturating_add(bytes);
        Ok(Receipt::New)
    }

    /// The highest number received, about to be told to the peer.
    pub fn acknowledge(&mut self) -> u64 {
        self.told = self.received;
        self.untold_bytes = 0;
        self.received
    }

    /// Whether the peer may soon lack room because it was not told what has arrived.
    #[must_use]
    pub fn owes_acknowledgement(&self) -> bool {
        self.received - self.told >= (self.window.frames / 2).max(1) as u64
            || self.untold_bytes >= (self.window.bytes / 2).max(1)
    }

    /// The highest number received.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// A new carrier begins, and the peer has everything up to `number`: what is kept beyond it goes again.
    ///
    /// The number may be older than an acknowledgement, which the carrier before brought while the new one was being
    /// opened. A peer that really lacks what it has acknowledged finds a hole in what comes next, and ends the session.
    pub fn resume(&mut self, number: u64) -> Result<(), SessionBroken> {
        self.acknowledged(number)?;
        self.taken = 0;
        Ok(())
    }

    /// How many frames are kept, and their bytes.
    #[must_use]
    pub fn kept(&self) -> (usize, usize) {
        (self.kept.len(), self.kept_bytes)
    }
}
