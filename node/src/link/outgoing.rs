//! What the stream carrier sends: Hello, then the queue until its Goodbye.

use super::{
    STREAM_BATCH_BYTES,
    queue::{Queue, Taken},
};
use futures::{Stream, ready};
use peerwright_proto::v1::LinkMessage;
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

#[derive(Debug)]
pub(super) struct Outgoing {
    hello: Option<LinkMessage>,
    /// Opens when the Hello was answered: what is sent again depends on the answer.
    answered: Pin<Box<WaitForCancellationFutureOwned>>,
    queue: Arc<Queue>,
    number: u64,
    ended: bool,
}

impl Outgoing {
    /// The stream of the carrier `number`; its frames follow once `answered` is cancelled.
    pub(super) fn new(hello: LinkMessage, queue: Arc<Queue>, number: u64, answered: CancellationToken) -> Self {
        Self { hello: Some(hello), answered: Box::pin(answered.cancelled_owned()), queue, number, ended: false }
    }
}

impl Stream for Outgoing {
    type Item = LinkMessage;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<LinkMessage>> {
        if let Some(hello) = self.hello.take() {
            return Poll::Ready(Some(hello));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        ready!(self.answered.as_mut().poll(context));
        match ready!(self.queue.poll_next(self.number, STREAM_BATCH_BYTES, context)) {
            Taken::Message(message) => Poll::Ready(Some(message)),
            Taken::Last(message) => {
                self.ended = true;
                Poll::Ready(Some(message))
            }
            Taken::Nothing => {
                self.ended = true;
                Poll::Ready(None)
            }
        }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.queue.left(self.number);
    }
}
