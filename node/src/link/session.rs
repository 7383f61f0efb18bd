//! A link that is up: reads until it ends, on either side's wish.

use super::{LinkContext, LinkEvent, Queue};
use peerwright_engine::{DownReason, LinkId};
use peerwright_proto::v1::{LinkMessage, link_message::Kind};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;

/// How long a closed link may take to send what waits and its Goodbye.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long after the Goodbye the other side may take to hang up first.
const LINGER: Duration = Duration::from_millis(100);

/// One link, seen from its reader.
pub(super) struct Session {
    pub(super) link: LinkId,
    pub(super) queue: Arc<Queue>,
    pub(super) incoming: Streaming<LinkMessage>,
    pub(super) cut: CancellationToken,
}

impl Session {
    /// Hands frames to the driver until the link ends; then the connection is gone.
    pub(super) async fn run(mut self, context: &LinkContext) {
        let ended = self.read(context).await;
        match ended {
            Some(reason) => {
                self.cut.cancel();
                // The driver is gone when nobody listens: then nobody wants to know.
                drop(context.events.send(LinkEvent::Down { link: self.link, reason }).await);
            }
            None => {
                drop(timeout(FAREWELL, self.queue.emptied().cancelled()).await);
                drop(timeout(LINGER, self.hang_up()).await);
                self.cut.cancel();
            }
        }
    }

    /// `None` when the driver closed the link.
    async fn read(&mut self, context: &LinkContext) -> Option<DownReason> {
        let mut expected = 1;
        loop {
            let message = tokio::select! {
                biased;
                () = self.queue.closing().cancelled() => return None,
                () = self.cut.cancelled() => return Some(DownReason::Broken),
                message = self.incoming.message() => message,
            };
            match message.ok().flatten().and_then(|message| message.kind) {
                Some(Kind::Frame(frame)) if frame.number == expected => {
                    let event = LinkEvent::Frame { link: self.link, payload: frame.payload };
                    tokio::select! {
                        biased;
                        () = self.queue.closing().cancelled() => return None,
                        sent = context.events.send(event) => sent.ok()?,
                    }
                    self.queue.handled(expected);
                    expected += 1;
                }
                Some(Kind::Goodbye(goodbye)) => {
                    tracing::debug!(link = self.link.0, reason = %goodbye.reason.escape_debug(), "the peer said goodbye");
                    return Some(match DownReason::from_label(&goodbye.reason) {
                        Some(reason @ (DownReason::Banned | DownReason::Duplicate)) => reason,
                        _ => DownReason::Goodbye,
                    });
                }
                // Out of order, a second Hello, an unknown message, or the end of the stream.
                _ => return Some(DownReason::Broken),
            }
        }
    }

    async fn hang_up(&mut self) {
        while let Ok(Some(_)) = self.incoming.message().await {}
    }
}
