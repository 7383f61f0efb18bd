//! One end of a link session: what waits to be sent, what was sent and is not acknowledged, and which carrier serves it.

use super::{CarrierEnd, LinkContext, LinkEvent, hello::HelloRefused, lanes::Lanes};
use bytes::Bytes;
use peerwright_engine::{
    Class, DownReason, LinkId,
    session::{Carrier, Receipt, Session, Window},
};
use peerwright_proto::v1::{Batch, Goodbye, LinkMessage, link_message::Kind};
use std::{
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};
use thiserror::Error;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The most bytes that wait, in all classes, and are not acknowledged. A frame is far smaller, so one always fits into an
/// empty queue.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// The most frames in one batch.
const MOST_BATCH_FRAMES: usize = 256;
/// The most frames that a carrier hands to the driver at once, so that it takes turns with other links.
const HANDED_ON_AT_ONCE: usize = 64;

/// The link cannot take the frame: the peer reads too slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the link's queue is full")]
pub struct Full;

/// A link's frames on their way out, filled by the driver and emptied by the carrier in use; and up to where the other
/// side's have come.
#[derive(Debug)]
pub struct Queue {
    state: Mutex<State>,
    /// Cancelled when the link is to end from this side.
    closing: CancellationToken,
    /// Cancelled when the carrier has taken the Goodbye, or is gone.
    emptied: CancellationToken,
    /// Cancelled when the session is over from the other side, or broken.
    over: CancellationToken,
    /// Whether a carrier is there.
    present: watch::Sender<bool>,
}

#[derive(Debug)]
struct State {
    session: Session,
    lanes: Lanes,
    goodbye: Option<&'static str>,
    /// The Goodbye was taken.
    parted: bool,
    over: Option<DownReason>,
    /// The carrier in use, counted from 1; 0 before the first.
    number: u64,
    /// The highest number that was given to a carrier.
    highest: u64,
    kind: Carrier,
    /// Ends what serves the carrier in use.
    replaced: CancellationToken,
    /// Ends its connection.
    cut: CancellationToken,
    /// When the certificate that the peer showed on it expires, unix seconds.
    expires: i64,
    /// Of what waits for something to send.
    waker: Option<Waker>,
}

/// What a carrier takes from the queue.
#[derive(Debug, PartialEq)]
pub(super) enum Taken {
    /// To be sent.
    Message(LinkMessage),
    /// The last message; nothing comes after it.
    Last(LinkMessage),
    /// Another carrier serves the queue, or the session is over.
    Nothing,
}

/// A carrier that begins.
#[derive(Debug, Clone)]
pub(super) struct Attaching {
    /// Which of the session's carriers it is.
    pub(super) number: u64,
    pub(super) kind: Carrier,
    /// Up to where the peer has this side's frames.
    pub(super) received: u64,
    /// Ends the connection.
    pub(super) cut: CancellationToken,
    /// When the peer's certificate expires, unix seconds.
    pub(super) expires: i64,
}

impl Queue {
    /// A queue of a session that has no carrier yet.
    #[must_use]
    pub fn new(window: Window) -> Self {
        let state = State {
            session: Session::new(window),
            lanes: Lanes::default(),
            goodbye: None,
            parted: false,
            over: None,
            number: 0,
            highest: 0,
            kind: Carrier::Stream,
            replaced: CancellationToken::new(),
            cut: CancellationToken::new(),
            expires: i64::MAX,
            waker: None,
        };
        Self {
            state: Mutex::new(state),
            closing: CancellationToken::new(),
            emptied: CancellationToken::new(),
            over: CancellationToken::new(),
            present: watch::Sender::new(false),
        }
    }

    /// Adds a frame behind those of its class.
    pub fn push(&self, class: Class, frame: Bytes) -> Result<(), Full> {
        let mut state = self.state();
        if state.goodbye.is_some() || state.over.is_some() {
            return Ok(());
        }
        let bytes = state.bytes().saturating_add(frame.len());
        if bytes > MOST_BYTES || !state.lanes.push(class, frame) {
            return Err(Full);
        }
        state.wake()(state);
        Ok(())
    }

    /// Says Goodbye behind what waits, or at once when that would keep a peer that must go. Later frames are dropped.
    pub fn close(&self, reason: &'static str, at_once: bool) {
        let mut state = self.state();
        if state.goodbye.is_none() {
            state.goodbye = Some(reason);
            if at_once {
                state.lanes.clear();
            }
        }
        state.wake()(state);
        self.closing.cancel();
    }

    /// How many bytes wait or are not acknowledged.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.state().bytes()
    }

    /// What carries the link.
    #[must_use]
    pub fn carrier(&self) -> Carrier {
        self.state().kind
    }

    /// Why the driver ends the link, once it does.
    pub(super) fn goodbye(&self) -> Option<&'static str> {
        self.state().goodbye
    }

    /// Resolves when this side ends the link.
    pub(super) fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// Resolves when the carrier has taken everything, or is gone.
    pub(super) fn emptied(&self) -> &CancellationToken {
        &self.emptied
    }

    /// Ends the session because of the other side.
    pub(super) fn end(&self, reason: DownReason) {
        let mut state = self.state();
        state.over.get_or_insert(reason);
        state.wake()(state);
        self.over.cancel();
    }

    /// Resolves with the reason when the session is over because of the other side.
    pub(super) async fn over(&self) -> DownReason {
        self.over.cancelled().await;
        self.state().over.unwrap_or(DownReason::Broken)
    }

    /// Ends what still serves the session.
    pub(super) fn cut(&self) {
        let mut state = self.state();
        state.over.get_or_insert(DownReason::Broken);
        state.replaced.cancel();
        state.cut.cancel();
        state.wake()(state);
        self.over.cancel();
    }

    /// Counts the carrier that is about to be opened; one that came to nothing keeps its number.
    pub(super) fn next_number(&self) -> u64 {
        let mut state = self.state();
        state.highest = state.highest.max(state.number) + 1;
        state.highest
    }

    /// When the certificate of the carrier in use expires, unix seconds.
    pub(super) fn expires(&self) -> i64 {
        self.state().expires
    }

    /// Up to where the peer's frames have come.
    pub(super) fn received(&self) -> u64 {
        self.state().session.received()
    }

    /// A carrier takes the place of those before it. What is returned is cancelled when another takes its place.
    pub(super) fn attach(&self, attaching: Attaching) -> Result<CancellationToken, HelloRefused> {
        let mut state = self.state();
        if state.over.is_some() || state.goodbye.is_some() {
            return Err(HelloRefused::Unknown);
        }
        if attaching.number <= state.number {
            return Err(HelloRefused::Superseded);
        }
        state.session.resume(attaching.received)?;
        state.replaced.cancel();
        let replaced = CancellationToken::new();
        state.replaced = replaced.clone();
        state.number = attaching.number;
        state.kind = attaching.kind;
        state.cut = attaching.cut;
        state.expires = attaching.expires;
        self.present.send_replace(true);
        state.wake()(state);
        Ok(replaced)
    }

    /// Whether the carrier `number` is there at the moment. One that is not in use any more changes nothing.
    pub(super) fn set_present(&self, number: u64, present: bool) {
        let state = self.state();
        if state.number == number {
            self.present.send_replace(present);
        }
    }

    /// Tells of carriers that come and go.
    pub(super) fn watch_presence(&self) -> watch::Receiver<bool> {
        self.present.subscribe()
    }

    /// Nothing more is taken by the carrier `number`: it is gone, or has what it was to send.
    pub(super) fn left(&self, number: u64) {
        let state = self.state();
        if state.goodbye.is_some() && state.number == number {
            self.emptied.cancel();
        }
    }

    /// The next message for the carrier `number`, of at most about so many bytes.
    pub(super) async fn next(&self, number: u64, bytes: usize) -> Taken {
        poll_fn(|context| self.poll_next(number, bytes, context)).await
    }

    pub(super) fn poll_next(&self, number: u64, bytes: usize, context: &mut Context<'_>) -> Poll<Taken> {
        let mut state = self.state();
        if state.number != number || state.over.is_some() || state.parted {
            return Poll::Ready(Taken::Nothing);
        }
        if let Some(batch) = state.batch(bytes) {
            return Poll::Ready(Taken::Message(message(Kind::Batch(batch))));
        }
        if let Some(reason) = state.goodbye {
            // What no acknowledgement made room for is left behind: the link ends either way.
            state.parted = true;
            return Poll::Ready(Taken::Last(message(Kind::Goodbye(Goodbye { reason: reason.to_owned() }))));
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(context.waker()),
            None => state.waker = Some(context.waker().clone()),
        }
        Poll::Pending
    }

    /// A batch without frames: what is acknowledged.
    pub(super) fn acknowledgement(&self) -> LinkMessage {
        let mut state = self.state();
        let (first, acknowledged) = (state.session.next_number(), state.session.acknowledge());
        message(Kind::Batch(Batch { first, acknowledged, payloads: Vec::new() }))
    }

    /// Hands what the carrier `number` has brought to the driver.
    pub(super) async fn hand_on(
        &self,
        context: &LinkContext,
        link: LinkId,
        number: u64,
        message: LinkMessage,
    ) -> Result<(), CarrierEnd> {
        let batch = match message.kind {
            Some(Kind::Batch(batch)) if batch.payloads.len() <= MOST_BATCH_FRAMES => batch,
            Some(Kind::Goodbye(goodbye)) => {
                tracing::debug!(link = link.0, reason = %goodbye.reason.escape_debug(), "the peer said goodbye");
                return Err(CarrierEnd::Over(match DownReason::from_label(&goodbye.reason) {
                    Some(reason @ (DownReason::Banned | DownReason::Duplicate | DownReason::Expired)) => reason,
                    _ => DownReason::Goodbye,
                }));
            }
            // A second Hello, a batch that is too long, a message that is not known.
            _ => return Err(CarrierEnd::Over(DownReason::Broken)),
        };
        self.acknowledged(number, batch.acknowledged)?;
        let mut next = batch.first;
        let mut payloads = batch.payloads.into_iter();
        while payloads.len() > 0 {
            let count = payloads.len().min(HANDED_ON_AT_ONCE);
            let mut room = tokio::select! {
                biased;
                () = self.closing.cancelled() => return Err(CarrierEnd::Closed),
                // Without a driver there is nobody to tell.
                room = context.events.reserve_many(count) => room.map_err(|_| CarrierEnd::Closed)?,
            };
            let mut state = self.state();
            state.serves(number)?;
            for payload in payloads.by_ref().take(count) {
                let receipt = state.session.receive(next, payload.len()).map_err(CarrierEnd::broken)?;
                if let (Receipt::New, Some(place)) = (receipt, room.next()) {
                    place.send(LinkEvent::Frame { link, payload });
                }
                next = next.saturating_add(1);
            }
            if state.session.owes_acknowledgement() {
                state.wake()(state);
            }
        }
        Ok(())
    }

    fn acknowledged(&self, number: u64, acknowledged: u64) -> Result<(), CarrierEnd> {
        let mut state = self.state();
        state.serves(number)?;
        state.session.acknowledged(acknowledged).map_err(CarrierEnd::broken)?;
        if !state.lanes.is_empty() {
            state.wake()(state);
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn bytes(&self) -> usize {
        self.lanes.bytes().saturating_add(self.session.kept().1)
    }

    fn serves(&self, number: u64) -> Result<(), CarrierEnd> {
        if self.number == number && self.over.is_none() { Ok(()) } else { Err(CarrierEnd::Replaced) }
    }

    /// Takes the waker out; what is returned wakes it after the lock is released.
    fn wake(&mut self) -> impl FnOnce(MutexGuard<'_, Self>) + use<> {
        let waker = self.waker.take();
        move |state| {
            drop(state);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Everything that is ready, up to the limits; also when only an acknowledgement is owed.
    fn batch(&mut self, most_bytes: usize) -> Option<Batch> {
        let first = self.session.next_number();
        let (mut payloads, mut bytes) = (Vec::new(), 0usize);
        while payloads.len() < MOST_BATCH_FRAMES {
            if self.session.next_bytes().is_none() {
                let Some(next) = self.lanes.next_bytes() else { break };
                if !self.session.has_room(next) {
                    break;
                }
                let Some(payload) = self.lanes.pop() else { break };
                self.session.number(payload);
            }
            let next = self.session.next_bytes().unwrap_or(0);
            if !payloads.is_empty() && bytes.saturating_add(next) > most_bytes {
                break;
            }
            let Some((_, payload)) = self.session.take() else { break };
            bytes = bytes.saturating_add(payload.len());
            payloads.push(payload);
        }
        if payloads.is_empty() && !self.session.owes_acknowledgement() {
            return None;
        }
        Some(Batch { first, acknowledged: self.session.acknowledge(), payloads })
    }
}

fn message(kind: Kind) -> LinkMessage {
    LinkMessage { kind: Some(kind) }
}

/// While it lives, the carrier is there; afterwards the time in which another must come begins.
#[derive(Debug)]
pub(super) struct Presence {
    queue: Arc<Queue>,
    number: u64,
}

impl Presence {
    pub(super) fn new(queue: Arc<Queue>, number: u64) -> Self {
        queue.set_present(number, true);
        Self { queue, number }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.queue.set_present(self.number, false);
    }
}
