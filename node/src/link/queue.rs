//! What waits to be sent on a link.

use bytes::Bytes;
use futures::{Stream, task::AtomicWaker};
use peerwright_engine::Class;
use peerwright_proto::v1::{Frame, Goodbye, LinkMessage, link_message::Kind};
use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

/// The most frames of one class.
const MOST_FRAMES: usize = 2_048;
/// The most bytes of all classes together. A frame is far smaller, so one always fits into an empty queue.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// After so many urgent frames one of bulk goes, so that catching up never stands still.
const URGENT_IN_A_ROW: u32 = 16;

/// The link cannot take the frame: the peer reads too slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the link's queue is full")]
pub struct Full;

/// The outgoing half of a link, filled by the driver and emptied by the connection.
#[derive(Debug, Default)]
pub struct Queue {
    state: Mutex<State>,
    waker: AtomicWaker,
    /// The highest frame of the other side that was handed on.
    handled: AtomicU64,
    /// Cancelled when the driver ends the link.
    closing: CancellationToken,
    /// Cancelled when the connection has taken the Goodbye, or was dropped.
    emptied: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    /// Control, gossip, bulk.
    lanes: [VecDeque<Bytes>; 3],
    bytes: usize,
    urgent: u32,
    numbered: u64,
    goodbye: Option<&'static str>,
    ended: bool,
}

impl Queue {
    /// Adds a frame behind those of its class.
    pub fn push(&self, class: Class, frame: Bytes) -> Result<(), Full> {
        let mut state = self.state();
        if state.goodbye.is_some() || state.ended {
            return Ok(());
        }
        let bytes = state.bytes.saturating_add(frame.len());
        let [control, gossip, bulk] = &mut state.lanes;
        let lane = match class {
            Class::Control => control,
            Class::Gossip => gossip,
            Class::Bulk => bulk,
        };
        if lane.len() >= MOST_FRAMES || bytes > MOST_BYTES {
            return Err(Full);
        }
        lane.push_back(frame);
        state.bytes = bytes;
        drop(state);
        self.waker.wake();
        Ok(())
    }

    /// Says Goodbye behind what waits, or at once when that would keep a peer that must go. Later frames are dropped.
    pub fn close(&self, reason: &'static str, at_once: bool) {
        let mut state = self.state();
        if state.goodbye.is_none() {
            state.goodbye = Some(reason);
            if at_once {
                state.lanes = Default::default();
                state.bytes = 0;
            }
        }
        drop(state);
        self.closing.cancel();
        self.waker.wake();
    }

    /// How many bytes wait.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.state().bytes
    }

    /// Resolves when the driver has closed the link.
    pub(super) fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// Resolves when the connection has taken everything, or is gone.
    pub(super) fn emptied(&self) -> &CancellationToken {
        &self.emptied
    }

    pub(super) fn handled(&self, number: u64) {
        self.handled.store(number, Ordering::Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next message; `None` when nothing waits.
    fn next(&self) -> Next {
        let mut state = self.state();
        if state.ended {
            return Next::End;
        }
        if let Some(payload) = state.pop() {
            state.bytes = state.bytes.saturating_sub(payload.len());
            state.numbered += 1;
            let acknowledged = self.handled.load(Ordering::Relaxed);
            return Next::Message(Kind::Frame(Frame { number: state.numbered, acknowledged, payload }));
        }
        match state.goodbye {
            Some(reason) => {
                state.ended = true;
                Next::Message(Kind::Goodbye(Goodbye { reason: reason.to_owned() }))
            }
            None => Next::Nothing,
        }
    }
}

impl State {
    fn pop(&mut self) -> Option<Bytes> {
        let [control, gossip, bulk] = &mut self.lanes;
        if self.urgent >= URGENT_IN_A_ROW && !bulk.is_empty() {
            self.urgent = 0;
            return bulk.pop_front();
        }
        match control.pop_front().or_else(|| gossip.pop_front()) {
            Some(payload) => {
                self.urgent = self.urgent.saturating_add(1);
                Some(payload)
            }
            None => {
                self.urgent = 0;
                bulk.pop_front()
            }
        }
    }
}

enum Next {
    Message(Kind),
    Nothing,
    End,
}

/// The stream of messages that the connection sends: Hello, then the queue until its Goodbye.
#[derive(Debug)]
pub(super) struct Outgoing {
    hello: Option<LinkMessage>,
    queue: Arc<Queue>,
}

impl Outgoing {
    pub(super) fn new(hello: LinkMessage, queue: Arc<Queue>) -> Self {
        Self { hello: Some(hello), queue }
    }

    fn poll_message(&mut self) -> Option<Option<LinkMessage>> {
        if let Some(hello) = self.hello.take() {
            return Some(Some(hello));
        }
        match self.queue.next() {
            Next::Message(kind) => Some(Some(LinkMessage { kind: Some(kind) })),
            Next::End => Some(None),
            Next::Nothing => None,
        }
    }
}

impl Stream for Outgoing {
    type Item = LinkMessage;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<LinkMessage>> {
        if let Some(ready) = self.poll_message() {
            return Poll::Ready(ready);
        }
        self.queue.waker.register(context.waker());
        // What was pushed between the first look and the registration woke nobody.
        self.poll_message().map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.queue.emptied.cancel();
    }
}
