//! What comes by the stream carrier, on both sides.

use super::{CarrierEnd, LinkContext, Queue};
use peerwright_engine::LinkId;
use peerwright_proto::v1::LinkMessage;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;

/// Hands what comes to the driver until the carrier ends.
pub(super) async fn read(
    incoming: &mut Streaming<LinkMessage>,
    queue: &Queue,
    context: &LinkContext,
    (link, number): (LinkId, u64),
    replaced: &CancellationToken,
    cut: &CancellationToken,
) -> CarrierEnd {
    loop {
        let message = tokio::select! {
            biased;
            () = queue.closing().cancelled() => return CarrierEnd::Closed,
            () = replaced.cancelled() => return CarrierEnd::Replaced,
            () = cut.cancelled() => return CarrierEnd::Broken,
            message = incoming.message() => message,
        };
        let Ok(Some(message)) = message else { return CarrierEnd::Broken };
        if let Err(end) = queue.hand_on(context, link, number, message).await {
            return end;
        }
    }
}

/// Reads on, so that the other side can hang up first.
pub(super) async fn hang_up(incoming: &mut Streaming<LinkMessage>) {
    while let Ok(Some(_)) = incoming.message().await {}
}
