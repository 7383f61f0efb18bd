//! The way into the store: one append under way, everything else waits for the next, so that many share one fsync.
//!
//! ```text
//! own ───────┐                      ┌─ done: own are accepted and spread, received are held
//!            ├─▶ append (one) ──────┤
//! received ──┤                      └─ failed: own are tried again (their numbers are given), received are dropped
//!            └── undecided: the store may hold them since an earlier life, and has not told yet
//! ```

#[cfg(test)]
mod tests;

use crate::{
    LinkId, Token,
    bounds::{MAX_APPEND_BYTES, MAX_APPEND_MESSAGES, MAX_RECEIVED_BYTES, MAX_RECEIVED_QUEUE},
    outbox::OwnMessage,
};
use peerwright_ledger::Message;
use std::collections::VecDeque;

/// A verified message of another node, or of an earlier life of this one.
#[derive(Debug, Clone)]
pub(crate) struct ReceivedMessage {
    pub message: Message,
    /// The link that it was pulled from, if it came by sync.
    pub pulled_from: Option<LinkId>,
}

/// Messages that went to the store together.
#[derive(Debug, Default)]
pub(crate) struct Appending {
    pub own: Vec<OwnMessage>,
    pub received: Vec<ReceivedMessage>,
}

/// What became of an append.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub stored: bool,
    pub messages: Appending,
}

/// Messages that wait for the store.
#[derive(Debug, Default)]
pub(crate) struct Appends {
    own: VecDeque<OwnMessage>,
    received: VecDeque<ReceivedMessage>,
    /// Those of registers of which the store has not told what it holds.
    undecided: VecDeque<ReceivedMessage>,
    /// Of both.
    received_bytes: usize,
    under_way: Option<(Token, Appending)>,
    /// The last append failed, and none has succeeded since.
    failing: bool,
    /// No append is made before the next try.
    paused: bool,
}

impl Appends {
    /// Queues a message of this node. How many there can be is the outbox's bound.
    pub(crate) fn push_own(&mut self, message: OwnMessage) {
        self.own.push_back(message);
    }

    /// Queues a message of another; says whether there was room. Unless its register is loaded, it waits for
    /// [`Appends::take_undecided`].
    pub(crate) fn push_received(&mut self, message: ReceivedMessage, is_loaded: bool) -> bool {
        let bytes = self.received_bytes + message.message.encoded().len();
        if self.received.len() + self.undecided.len() >= MAX_RECEIVED_QUEUE || bytes > MAX_RECEIVED_BYTES {
            return false;
        }
        self.received_bytes = bytes;
        let queue = if is_loaded { &mut self.received } else { &mut self.undecided };
        queue.push_back(message);
        true
    }

    /// Takes out the messages of which it was not known whether the store holds them.
    pub(crate) fn take_undecided(&mut self) -> VecDeque<ReceivedMessage> {
        let undecided = std::mem::take(&mut self.undecided);
        let bytes: usize = undecided.iter().map(|received| received.message.encoded().len()).sum();
        self.received_bytes = self.received_bytes.saturating_sub(bytes);
        undecided
    }

    /// The next append, under `token`, if one may start: this node's own messages first.
    pub(crate) fn start(&mut self, token: Token) -> Option<Vec<Message>> {
        if self.under_way.is_some() || self.paused || (self.own.is_empty() && self.received.is_empty()) {
            return None;
        }
        let (mut appending, mut messages, mut bytes) = (Appending::default(), Vec::new(), 0);
        let mut has_room = |message: &Message, count: usize| {
            bytes += message.encoded().len();
            count < MAX_APPEND_MESSAGES && (count == 0 || bytes <= MAX_APPEND_BYTES)
        };
        while let Some(own) = self.own.pop_front_if(|own| has_room(&own.message, messages.len())) {
            messages.push(own.message.clone());
            appending.own.push(own);
        }
        if self.own.is_empty() {
            while let Some(received) =
                self.received.pop_front_if(|received| has_room(&received.message, messages.len()))
            {
                self.received_bytes = self.received_bytes.saturating_sub(received.message.encoded().len());
                messages.push(received.message.clone());
                appending.received.push(received);
            }
        }
        self.under_way = Some((token, appending));
        Some(messages)
    }

    /// The store's answer. After a failure this node's own messages wait for [`Appends::resume`], without their
    /// submissions, which the outcome carries.
    pub(crate) fn answered(&mut self, token: Token, stored: bool) -> Option<Outcome> {
        let (_, messages) = self.under_way.take_if(|(under_way, _)| *under_way == token)?;
        self.failing = !stored;
        self.paused = !stored;
        if !stored {
            for own in messages.own.iter().rev() {
                self.own.push_front(OwnMessage { tokens: Vec::new(), room: Default::default(), ..own.clone() });
            }
        }
        Some(Outcome { stored, messages })
    }

    /// Lets the next append start again.
    pub(crate) fn resume(&mut self) {
        self.paused = false;
    }

    /// Whether the store has not answered yet.
    pub(crate) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Whether the store fails.
    pub(crate) fn is_failing(&self) -> bool {
        self.failing
    }

    /// Whether nothing waits and nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.queued() == 0
    }

    /// Messages that wait or are under way.
    pub(crate) fn queued(&self) -> usize {
        let under_way = self.under_way.as_ref().map_or(0, |(_, messages)| messages.own.len() + messages.received.len());
        self.own.len() + self.received.len() + self.undecided.len() + under_way
    }
}
