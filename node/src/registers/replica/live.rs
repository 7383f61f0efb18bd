//! The cursor stream: each docket as soon as it is certified.
//!
//! ```text
//! source ─▶ what has come ─▶ bodies verified, several at once ─▶ headers in order ─▶ Writer ─▶ credit to the source
//! ```

use super::{
    Ended, Replica,
    source::{BODIES_WITHIN, SourceStream},
    stretch::{Verified, take_dockets, verify_bodies},
};
use crate::driver::Clock;
use bytes::Bytes;
use futures::{StreamExt, stream::FuturesOrdered};
use peerwright_ledger::Chain;
use peerwright_proto::v1::{FollowResponse, follow_request::Kind};
use std::{convert::Infallible, future::pending, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

/// Dockets on their way from the source.
const WINDOW: u32 = 8 * 1024 * 1024;
/// Verified at once.
const BATCH_BYTES: u32 = 256 * 1024;
/// Batches that are verified, or wait for those before them.
const VERIFYING: usize = 8;
/// Batches that wait for the writer.
const SORTED: usize = 16;

impl Replica {
    /// Follows from behind the chain's head.
    pub(super) async fn live(&self, stream: SourceStream, chain: Chain, nearer: Duration) -> Result<Infallible, Ended> {
        let source = stream.peer;
        stream.ask(Kind::SkipTo(chain.head().number + 1)).await?;
        stream.ask(Kind::Credit(WINDOW)).await?;
        let (sorted, receiver) = mpsc::channel(SORTED);
        let credits = Some(stream.asks.clone());
        let fetching = async {
            tokio::select! {
                biased;
                ended = self.take(stream, chain, sorted) => ended,
                () = self.idles(source, nearer) => Err(Ended::Idle),
            }
        };
        self.write_while(receiver, credits, fetching).await
    }

    async fn take(
        &self,
        mut stream: SourceStream,
        mut chain: Chain,
        sorted: mpsc::Sender<Verified>,
    ) -> Result<Infallible, Ended> {
        let budget = &self.registers.budget;
        let mut verifying = FuturesOrdered::new();
        let mut waiting: Option<Batch> = None;
        let (mut received, mut patience) = (chain.head().number + 1, None);
        loop {
            if let Some(Batch { dockets, bytes }) = waiting.take() {
                // Who has nothing under way holds no room that others wait for.
                let room = match budget.room_now(bytes.into()) {
                    None if verifying.is_empty() => Some(budget.room(bytes.into()).await?),
                    room => room,
                };
                match room {
                    Some(room) => {
                        let policy = chain.governance().policy().verify;
                        verifying.push_back(async move {
                            let sound = budget.verify(move || verify_bodies(dockets, policy)).await?;
                            Ok::<_, Ended>((sound, bytes, room))
                        });
                    }
                    None => waiting = Some(Batch { dockets, bytes }),
                }
            }
            let has_place = waiting.is_none() && verifying.len() < VERIFYING;
            // A source that says that it holds more sends some of it in time.
            let is_owed = has_place && received < stream.holds.end;
            patience = is_owed.then(|| patience.unwrap_or_else(|| Instant::now() + BODIES_WITHIN));
            tokio::select! {
                biased;
                Some(verified) = verifying.next(), if !verifying.is_empty() => {
                    let (sound, credit, room) = verified?;
                    let now = Clock::wall().0;
                    let taking = move || take_dockets(chain, sound, now);
                    let (taken, dockets) = budget.verify(taking).await?;
                    chain = taken;
                    if dockets.is_empty() {
                        stream.ask(Kind::Credit(credit)).await?;
                    } else {
                        let verified = Verified { dockets, checkpoint: chain.encode(), credit, room };
                        sorted.send(verified).await.map_err(|_| Ended::Stopped)?;
                    }
                }
                batch = gather(&mut stream), if has_place => {
                    let batch = batch?;
                    self.registers.standing.heard(self.register, stream.peer, stream.holds.end, Clock::wall().0);
                    if !batch.dockets.is_empty() {
                        received += batch.dockets.len() as u64;
                        patience = None;
                        waiting = Some(batch);
                    }
                }
                () = until(patience), if is_owed => return Err(Ended::Silent),
            }
        }
    }
}

/// Resolves at a time, if there is one.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}

/// Dockets that came together.
#[derive(Default)]
struct Batch {
    dockets: Vec<Bytes>,
    bytes: u32,
}

/// Waits for a message, and takes with it what is there already.
async fn gather(stream: &mut SourceStream) -> Result<Batch, Ended> {
    let mut batch = Batch::default();
    let FollowResponse { mut docket, .. } = stream.next().await?;
    loop {
        if !docket.is_empty() {
            batch.bytes = batch.bytes.saturating_add(u32::try_from(docket.len()).unwrap_or(u32::MAX));
            batch.dockets.push(docket);
        }
        if batch.bytes >= BATCH_BYTES {
            return Ok(batch);
        }
        match stream.waiting() {
            Some(Ok(next)) => docket = next.docket,
            // What ends the stream is said again when nothing else is there.
            Some(Err(ended)) if batch.dockets.is_empty() => return Err(ended),
            Some(Err(_)) | None => return Ok(batch),
        }
    }
}
