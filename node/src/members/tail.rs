//! Following by gRPC, as REST does it by events.

use crate::{
    limits::{Ask, Asker, RateLimits},
    registers::{Hearing, Matched, MatchedDocket, Seat, Step, Tail, TailEnded},
    transport::ConnectionInfo,
};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use peerwright_proto::v1::{HeldRange, TailDocket, TailResponse, TailTransaction, tail_response::Kind};
use std::{pin::Pin, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, sleep_until};
use tonic::Status;

/// The answer of a call to follow.
pub(super) type Tailing = Pin<Box<dyn Stream<Item = Result<TailResponse, Status>> + Send>>;

/// Bytes of transactions and paths in one message, or one transaction.
const MESSAGE_BYTES: usize = 4 * 1024 * 1024;
/// What a hash takes in a message.
const HASH_BYTES: usize = 34;

/// One member that follows.
pub(super) struct Reader {
    pub(super) tail: Tail,
    pub(super) seat: Seat,
    pub(super) limits: Arc<RateLimits>,
    pub(super) asker: Asker,
    /// When the caller's certificate is over.
    pub(super) expires: Instant,
    /// Whether the caller may go on reading.
    pub(super) hearing: Hearing,
}

/// When the certificate of a connection is over.
pub(super) fn expires(info: &ConnectionInfo) -> Instant {
    let not_after = info.member.as_ref().map_or(0, |member| member.not_after);
    let left = u64::try_from(not_after).unwrap_or_default().saturating_sub(crate::tls::unix_now());
    Instant::now() + Duration::from_secs(left)
}

/// Follows until one side ends it. A ban ends the connection itself.
pub(super) fn follow(reader: Reader) -> Tailing {
    let steps = stream::unfold(Some(reader), async |reader: Option<Reader>| {
        let mut reader = reader?;
        match reader.next().await {
            Ok(messages) => Some((messages.into_iter().map(Ok).collect::<Vec<_>>(), Some(reader))),
            Err(status) => Some((vec![Err(status)], None)),
        }
    });
    Box::pin(steps.flat_map(stream::iter))
}

impl Reader {
    async fn next(&mut self) -> Result<Vec<TailResponse>, Status> {
        let step = tokio::select! {
            biased;
            () = self.seat.ended() => return Err(Status::unavailable("draining: this node is stopping; ask another")),
            () = sleep_until(self.expires) => {
                return Err(Status::unauthenticated("certificate_expired: show the new one"));
            }
            () = self.hearing.ended() => return Err(status(&TailEnded::NotHeld(self.hearing.register))),
            step = self.tail.next() => step.map_err(|ended| status(&ended))?,
        };
        let kinds = match step {
            Step::Held { first, through } => vec![Kind::Held(HeldRange { first, through })],
            Step::Docket(docket) => {
                self.pace(&docket).await;
                messages(docket).into_iter().map(Kind::Docket).collect()
            }
        };
        Ok(kinds.into_iter().map(|kind| TailResponse { kind: Some(kind) }).collect())
    }

    /// Waits until the member's allowance has room for what it is to be given.
    async fn pace(&self, docket: &MatchedDocket) {
        let bytes: usize = docket.transactions.iter().map(|matched| matched.encoded.len()).sum();
        let ask = Ask { bytes: bytes as u64, ..Ask::default() };
        while let Err(limited) = self.limits.take(&self.asker, ask) {
            sleep(limited.retry_after).await;
        }
    }
}

/// Why a call to follow ends, or does not begin.
pub(super) fn status(ended: &TailEnded) -> Status {
    let message = format!("{}: {ended}", ended.code());
    match ended {
        TailEnded::NotHeld(_) => Status::not_found(message),
        TailEnded::Trimmed { .. } => Status::out_of_range(message),
        TailEnded::Store(_) => Status::unavailable(message),
        TailEnded::Damaged(_) => Status::data_loss(message),
    }
}

/// A docket in as many messages as it takes.
fn messages(docket: MatchedDocket) -> Vec<TailDocket> {
    let mut rest = docket.transactions.into_iter().peekable();
    let mut messages = Vec::new();
    loop {
        let (mut transactions, mut bytes) = (Vec::new(), 0);
        while let Some(matched) = rest.next_if(|next| bytes == 0 || bytes + size(next) <= MESSAGE_BYTES) {
            bytes += size(&matched);
            let path = matched.path.unwrap_or_default();
            transactions.push(TailTransaction {
                position: matched.position,
                transaction: matched.encoded,
                path: path.iter().map(|hash| Bytes::copy_from_slice(hash)).collect(),
            });
        }
        let more = rest.peek().is_some();
        messages.push(TailDocket {
            header: docket.header.header.clone(),
            certificate: docket.header.certificate.clone().unwrap_or_default(),
            transactions,
            more,
        });
        if !more {
            return messages;
        }
    }
}

fn size(matched: &Matched) -> usize {
    matched.encoded.len() + matched.path.as_ref().map_or(0, |path| path.len() * HASH_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use peerwright_ledger::{DocketHash, TransactionId};
    use peerwright_store::StoredHeader;

    #[test]
    fn a_docket_that_is_too_long_for_one_message_comes_in_several() {
        let header = StoredHeader {
            number: 1,
            hash: DocketHash::from_bytes([0; 32]),
            header: Bytes::from_static(b"header"),
            certificate: None,
        };
        let matched = |position: u32, length: usize| Matched {
            position,
            id: TransactionId::from_bytes([0; 32]),
            encoded: vec![0; length].into(),
            path: Some(vec![[0; 32]]),
        };
        let lengths = [MESSAGE_BYTES / 2, MESSAGE_BYTES / 4, MESSAGE_BYTES * 2, 10, 10];
        let transactions = (0..).zip(lengths).map(|(position, length)| matched(position, length)).collect();

        let parts = messages(MatchedDocket { header: header.clone(), transactions });

        let shape: Vec<_> = parts.iter().map(|part| (part.transactions.len(), part.more)).collect();
        assert_eq!(shape, [(2, true), (1, true), (2, false)]);
        assert!(parts.iter().all(|part| part.header == header.header));
        let nothing = messages(MatchedDocket { header, transactions: Vec::new() });
        assert_eq!((nothing.len(), nothing[0].more), (1, false));
    }
}
