//! One register followed: dockets from a source, verified, stored, and from another source when that one fails.
//!
//! ```text
//! sources ─▶ Follow ─▶ batch ─▶ Chain (verified off the async threads) ─▶ store: dockets and checkpoint, one commit
//!    ▲                                  │ refused                                 │
//!    └── the next, and a wait ──────────┘                    credit goes back ◀───┘   heads advance
//! ```

use super::{Registers, Unreached, replicas::Sources};
use crate::{backoff::Backoff, driver::Clock, tls::fill_random, transport::MAX_FRAMED_BYTES};
use bytes::Bytes;
use futures::FutureExt;
use peerwright_encoding::DecodeError;
use peerwright_ledger::{
    Chain, ControlRefused, Docket, DocketRefused, RegisterId, Verify, register::VerifyPolicy, verify_body,
};
use peerwright_proto::v1::{
    FollowBegin, FollowRequest, FollowResponse, follow_request::Kind, registers_client::RegistersClient,
};
use peerwright_secure::PeerId;
use peerwright_store::{Extension, NewDocket, StoreError};
use std::{convert::Infallible, time::Duration};
use thiserror::Error;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

/// Dockets on their way from the source.
const WINDOW: u32 = 8 * 1024 * 1024;
/// Verified and stored at once.
const BATCH_BYTES: u32 = 2 * 1024 * 1024;
/// Credits that wait for the connection. Full: the next docket waits.
const CREDITS: usize = 8;
/// A source that served so long was a good one: the next round comes at once.
const GOOD: Duration = Duration::from_secs(30);
/// A source answers the call in this time.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Between two rounds through the sources.
const PAUSE: std::ops::RangeInclusive<Duration> = Duration::from_millis(200)..=Duration::from_secs(10);

/// Follows one register until it is dropped.
pub(crate) struct Replica {
    pub(crate) register: RegisterId,
    pub(crate) registers: Registers,
    pub(crate) sources: Sources,
}

/// Why nothing more comes from a source.
#[derive(Debug, Error)]
enum Ended {
    #[error(transparent)]
    Unreached(#[from] Unreached),
    #[error("the source does not hold the register")]
    NotHeld,
    #[error("the source ended: {0}")]
    Source(#[from] Status),
    #[error("the source hung up")]
    HungUp,
    #[error("what it sent cannot be read: {0}")]
    Malformed(#[from] DecodeError),
    #[error("docket {number} is refused: {refused}")]
    Refused { number: u64, refused: DocketRefused },
    #[error("docket 0 is of register {0}")]
    OtherRegister(RegisterId),
    #[error("the checkpoint on the volume: {0}")]
    Checkpoint(#[from] ControlRefused),
    #[error("the store: {0}")]
    Store(#[from] StoreError),
}

impl Ended {
    /// As a metric label.
    const fn code(&self) -> &'static str {
        match self {
            Self::Unreached(_) => "unreached",
            Self::NotHeld => "not_held",
            Self::Source(_) => "ended",
            Self::HungUp => "hung_up",
            Self::Malformed(_) => "malformed",
            Self::Refused { .. } | Self::OtherRegister(_) => "refused",
            Self::Store(_) | Self::Checkpoint(_) => "store",
        }
    }
}

impl Replica {
    /// Goes from source to source; never ends by itself.
    pub(crate) async fn run(self) {
        self.registers.standing.begin(self.register, self.registers.heads.count(self.register));
        let mut pause = Backoff::new(*PAUSE.start(), *PAUSE.end());
        loop {
            let begun = Instant::now();
            for source in self.sources.of(self.register).await {
                let ended = match self.follow(source).await {
                    Ok(never) => match never {},
                    Err(ended) => ended,
                };
                tracing::debug!(register = %self.register, %source, %ended, "a source was left");
                self.registers.telemetry.source_left(ended.code());
                if !matches!(ended, Ended::NotHeld) {
                    self.registers.standing.failed(self.register, ended.to_string());
                }
            }
            if begun.elapsed() > GOOD {
                pause.reset();
            }
            sleep(pause.next()).await;
        }
    }

    /// Where the last run ended; `None` before docket 0.
    async fn resume(&self) -> Result<Option<Chain>, Ended> {
        let checkpoint = self.registers.store.checkpoint(self.register).await?;
        Ok(checkpoint.map(|checkpoint| Chain::decode(&checkpoint)).transpose()?)
    }

    async fn follow(&self, source: PeerId) -> Result<Infallible, Ended> {
        let mut chain = self.resume().await?;
        let connection = self.sources.reach(source).await?;
        let (channel, origin) = connection.channel();
        let mut client = RegistersClient::with_origin(channel, origin).max_decoding_message_size(MAX_FRAMED_BYTES);
        let (sender, receiver) = mpsc::channel(CREDITS);
        let begin = FollowBegin {
            register_id: Bytes::copy_from_slice(self.register.as_bytes()),
            from: chain.as_ref().map_or(0, |chain| chain.head().number + 1),
        };
        for kind in [Kind::Begin(begin), Kind::Credit(WINDOW)] {
            drop(sender.send(FollowRequest { kind: Some(kind) }).await);
        }
        let answer = timeout(ANSWER_WITHIN, client.follow(ReceiverStream::new(receiver))).await;
        let answer = answer.map_err(|_| Status::deadline_exceeded("no answer in time"))?;
        let mut incoming = answer.map_err(ended)?.into_inner();
        loop {
            let batch = tokio::select! {
                biased;
                () = connection.ended() => return Err(Ended::HungUp),
                batch = gather(&mut incoming) => batch?,
            };
            self.registers.standing.heard(self.register, source, batch.held);
            if batch.dockets.is_empty() {
                continue;
            }
            chain = Some(self.take(chain, batch.dockets).await?);
            let credit = Kind::Credit(batch.bytes);
            drop(sender.send(FollowRequest { kind: Some(credit) }).await);
        }
    }

    /// Verifies and stores: all or none.
    async fn take(&self, chain: Option<Chain>, encoded: Vec<Bytes>) -> Result<Chain, Ended> {
        let now = Clock::wall().0;
        let register = self.register;
        let verifying = tokio::task::spawn_blocking(move || verify(register, chain, encoded, now));
        let (chain, dockets) = verifying.await.map_err(|_| Status::internal("verifying failed"))??;
        let extension = Extension { register, dockets, checkpoint: chain.encode() };
        // Where this node seals meanwhile, it waits for the end of that, and then begins where the store is.
        let writing = self.registers.writing.read().await;
        self.registers.store.extend(vec![extension]).await?;
        drop(writing);
        let held = chain.head().number + 1;
        self.registers.advance(register, held);
        self.registers.standing.stored(register, held, now);
        Ok(chain)
    }
}

/// Dockets that came together.
#[derive(Default)]
struct Batch {
    dockets: Vec<Bytes>,
    bytes: u32,
    /// How many the source holds.
    held: u64,
}

/// Waits for a message, and takes with it what is there already.
async fn gather(incoming: &mut Streaming<FollowResponse>) -> Result<Batch, Ended> {
    let mut batch = Batch::default();
    let mut message = incoming.message().await?;
    while let Some(FollowResponse { docket, held }) = message {
        batch.held = held;
        if !docket.is_empty() {
            batch.bytes = batch.bytes.saturating_add(u32::try_from(docket.len()).unwrap_or(u32::MAX));
            batch.dockets.push(docket);
        }
        if batch.bytes >= BATCH_BYTES {
            return Ok(batch);
        }
        match incoming.message().now_or_never() {
            Some(next) => message = next?,
            None => return Ok(batch),
        }
    }
    if batch.dockets.is_empty() { Err(Ended::HungUp) } else { Ok(batch) }
}

/// Off the async threads: hashing and signatures take what the processor has.
fn verify(
    register: RegisterId,
    mut chain: Option<Chain>,
    encoded: Vec<Bytes>,
    now: u64,
) -> Result<(Chain, Vec<NewDocket>), Ended> {
    let mut dockets = Vec::with_capacity(encoded.len());
    for encoded in encoded {
        let docket = Docket::decode(encoded)?;
        let number = docket.header.number;
        let refused = |refused| Ended::Refused { number, refused };
        let ids = match &mut chain {
            Some(chain) => chain.extend(&docket, level(chain), now).map_err(refused)?,
            None => {
                let begun = Chain::begin(&docket, now).map_err(refused)?;
                if begun.register() != register {
                    return Err(Ended::OtherRegister(begun.register()));
                }
                chain = Some(begun);
                verify_body(&docket.header, &docket.body, Verify::Docket).map_err(refused)?
            }
        };
        dockets.push(NewDocket::of(&docket, ids));
    }
    Ok((chain.ok_or(Ended::NotHeld)?, dockets))
}

/// How much is checked: the register's own policy says. Which transactions are the sample nobody can foresee.
fn level(chain: &Chain) -> Verify {
    match chain.governance().policy().verify {
        VerifyPolicy::EveryTransaction => Verify::EveryTransaction,
        VerifyPolicy::Docket => {
            let mut secret = [0; 8];
            // Without randomness nothing is left to chance.
            match fill_random(&mut secret) {
                Ok(()) => Verify::Sampled { secret: u64::from_be_bytes(secret) },
                Err(_) => Verify::EveryTransaction,
            }
        }
    }
}

fn ended(status: Status) -> Ended {
    match status.code() {
        Code::NotFound => Ended::NotHeld,
        _ => Ended::Source(status),
    }
}
