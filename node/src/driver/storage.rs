//! Carries the engine's wishes to the store, in order, and its answers back.

use crate::{
    member::Membership,
    registers::{Advances, Registers},
    telemetry::Telemetry,
};
use bytes::Bytes;
use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use peerwright_engine::{Advertisement, BodyRefused, Held, Input, MessageRange, StoreFailed, Token};
use peerwright_ledger::{Message, RegisterId, Transaction, TransactionId};
use peerwright_secure::NodePublicKey;
use peerwright_store::{Appended, Store, StoreError};
use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

/// Jobs handed to the storage task and not begun. Full: the rest waits in front, as the engine's bounds allow.
const HANDED: usize = 256;
/// Jobs under way. Full: the next waits.
const UNDER_WAY: usize = 256;

/// One wish.
pub(super) enum Job {
    Append {
        token: Token,
        messages: Vec<Message>,
    },
    ReadHeld {
        token: Token,
        registers: Vec<RegisterId>,
    },
    ReadMessages {
        token: Token,
        ranges: Vec<MessageRange>,
        max_messages: usize,
        max_bytes: usize,
    },
    StoreBody {
        token: Token,
        register: RegisterId,
        id: TransactionId,
        bytes: Bytes,
    },
    ReadChunk {
        token: Token,
        id: TransactionId,
        offset: u32,
        length: u32,
    },
    ReadAdvertisements {
        token: Token,
        registers: Registers,
        membership: Arc<Membership>,
    },
    /// Not answered.
    PutDocument {
        name: &'static str,
        bytes: Bytes,
    },
}

/// One answer.
#[derive(Debug)]
pub(super) enum Answer {
    Appended {
        token: Token,
        result: Result<(), StoreFailed>,
    },
    /// What is held, and what of that is gone.
    Held {
        token: Token,
        result: Result<(Vec<Held>, Vec<Held>), StoreFailed>,
    },
    Advertisements {
        token: Token,
        result: Result<Vec<Advertisement>, StoreFailed>,
    },
    Read {
        token: Token,
        result: Result<Vec<Bytes>, StoreFailed>,
    },
    BodyStored {
        token: Token,
        result: Result<(), BodyRefused>,
    },
    Chunk {
        token: Token,
        bytes: Option<Bytes>,
    },
}

impl Answer {
    /// What the engine is told, one after the other.
    pub(super) fn into_inputs(self) -> impl Iterator<Item = Input<'static>> {
        let (input, more) = match self {
            Self::Appended { token, result } => (Input::Appended { token, result }, None),
            Self::Held { token, result: Ok((held, gone)) } => {
                (Input::Held { token, result: Ok(held) }, Some(Input::Gone(gone)))
            }
            Self::Held { token, result: Err(failed) } => (Input::Held { token, result: Err(failed) }, None),
            Self::Advertisements { token, result } => (Input::Advertisements { token, result }, None),
            Self::Read { token, result } => (Input::Read { token, result }, None),
            Self::BodyStored { token, result } => (Input::BodyStored { token, result }, None),
            Self::Chunk { token, bytes } => (Input::Chunk { token, bytes }, None),
        };
        std::iter::once(input).chain(more)
    }
}

/// The driver's end.
pub(super) struct Storage {
    waiting: VecDeque<Job>,
    jobs: mpsc::Sender<Job>,
}

impl Storage {
    /// Starts the storage task; it ends when this is dropped.
    pub(super) fn start(
        store: Arc<dyn Store>,
        own: NodePublicKey,
        telemetry: Arc<Telemetry>,
        arrived: Arc<Advances>,
        tasks: &TaskTracker,
    ) -> (Self, mpsc::Receiver<Answer>) {
        let (jobs, received) = mpsc::channel(HANDED);
        let (answers, answered) = mpsc::channel(HANDED);
        tasks.spawn(run(store, own, telemetry, arrived, received, answers));
        (Self { waiting: VecDeque::new(), jobs }, answered)
    }

    pub(super) fn push(&mut self, job: Job) {
        self.waiting.push_back(job);
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Hands over as much as there is room for.
    pub(super) fn flush(&mut self) {
        while !self.waiting.is_empty() {
            let Ok(permit) = self.jobs.try_reserve() else { return };
            if let Some(job) = self.waiting.pop_front() {
                permit.send(job);
            }
        }
    }

    pub(super) async fn has_room(&self) {
        // An error means that the storage task is gone; the driver hears that from its answers.
        drop(self.jobs.reserve().await);
    }
}

async fn run(
    store: Arc<dyn Store>,
    own: NodePublicKey,
    telemetry: Arc<Telemetry>,
    arrived: Arc<Advances>,
    mut jobs: mpsc::Receiver<Job>,
    answers: mpsc::Sender<Answer>,
) {
    let (store, telemetry, arrived): (&dyn Store, &Telemetry, &Advances) = (&*store, &telemetry, &arrived);
    let mut under_way = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            Some(answer) = under_way.next(), if !under_way.is_empty() => {
                if let Some(answer) = answer
                    && answers.send(answer).await.is_err()
                {
                    return;
                }
            }
            job = jobs.recv(), if under_way.len() < UNDER_WAY => match job {
                Some(job) => under_way.push(begin(store, own, telemetry, arrived, job)),
                None => return,
            },
        }
    }
}

/// `sealed` says when the messages of other nodes were, in the order of `outcomes`.
fn tell_propagation(telemetry: &Telemetry, sealed: &[Option<u64>], outcomes: &[Appended]) {
    let now = super::Clock::wall().0;
    for (sealed, outcome) in sealed.iter().zip(outcomes) {
        if let (Some(sealed), Appended::Stored { .. }) = (sealed, outcome) {
            telemetry.propagated(Duration::from_micros(now.saturating_sub(*sealed)));
        }
    }
}

/// Calls the store before it returns, so that the order of jobs is the order of writes.
fn begin<'a>(
    store: &'a dyn Store,
    own: NodePublicKey,
    telemetry: &'a Telemetry,
    arrived: &'a Advances,
    job: Job,
) -> BoxFuture<'a, Option<Answer>> {
    match job {
        Job::Append { token, messages } => {
            let begun = Instant::now();
            let sealed: Vec<Option<u64>> = messages
                .iter()
                .map(Message::body)
                .map(|body| (body.origin != own).then_some(body.created_at_micros))
                .collect();
            let registers: BTreeSet<RegisterId> = messages.iter().map(|message| message.body().register).collect();
            let appending = store.append(messages, super::Clock::wall().0);
            Box::pin(async move {
                let answer = appending.await;
                if answer.is_ok() {
                    registers.into_iter().for_each(|register| arrived.add(register));
                }
                telemetry.appended(begun.elapsed(), &answer);
                tell_propagation(telemetry, &sealed, answer.as_deref().unwrap_or_default());
                let result = answer.map(|appended| {
                    if appended.contains(&Appended::Conflicting) {
                        tracing::warn!("an origin has signed two messages for one place; the first stays");
                    }
                });
                Some(Answer::Appended { token, result: result.map_err(|error| failed("append", &error)) })
            })
        }
        Job::ReadHeld { token, registers } => {
            let reading = store.held(registers.clone());
            Box::pin(async move {
                // What is let go of meanwhile the engine is told as well.
                let read = async { Ok::<_, StoreError>((reading.await?, store.gone(registers).await?)) };
                Some(Answer::Held { token, result: read.await.map_err(|error| failed("held", &error)) })
            })
        }
        Job::ReadAdvertisements { token, registers, membership } => Box::pin(async move {
            let result = match membership.snapshot() {
                Some(current) => registers.advertisements(&current.snapshot.content, &membership.peer_id()).await,
                None => Ok(Vec::new()),
            };
            let result = result.map_err(|error| failed("advertisements", &error));
            Some(Answer::Advertisements { token, result })
        }),
        Job::ReadMessages { token, ranges, max_messages, max_bytes } => {
            let reading = store.read(ranges, max_messages, max_bytes);
            Box::pin(async move {
                Some(Answer::Read { token, result: reading.await.map_err(|error| failed("read", &error)) })
            })
        }
        Job::StoreBody { token, register, id, bytes } => Box::pin(async move {
            let result = store_body(store, telemetry, register, id, bytes).await;
            if result.is_ok() {
                arrived.add(register);
            }
            Some(Answer::BodyStored { token, result })
        }),
        Job::ReadChunk { token, id, offset, length } => {
            let reading = store.body_chunk(id, offset.into(), length);
            Box::pin(async move {
                let bytes = reading.await.map_err(|error| failed("chunk", &error));
                Some(Answer::Chunk { token, bytes: bytes.ok().flatten() })
            })
        }
        Job::PutDocument { name, bytes } => {
            let putting = store.put_document(name, bytes);
            Box::pin(async move {
                if let Err(error) = putting.await {
                    telemetry.store_failed(&error);
                    tracing::warn!(document = name, %error, "the store did not keep a document");
                }
                None
            })
        }
    }
}

/// Hashing ten megabytes takes long enough to be done elsewhere.
pub(super) async fn store_body(
    store: &dyn Store,
    telemetry: &Telemetry,
    register: RegisterId,
    id: TransactionId,
    bytes: Bytes,
) -> Result<(), BodyRefused> {
    let body = bytes.clone();
    let checking = tokio::task::spawn_blocking(move || {
        let transaction = Transaction::decode(body).ok()?;
        let is_announced = transaction.id() == id && transaction.body().register == register;
        (is_announced && transaction.verify_signature().is_ok()).then_some(())
    });
    checking.await.ok().flatten().ok_or(BodyRefused::Invalid)?;
    store.put_body(register, id, bytes).await.map_err(|error| {
        telemetry.store_failed(&error);
        failed("put_body", &error);
        BodyRefused::Store
    })
}

fn failed(operation: &'static str, error: &StoreError) -> StoreFailed {
    tracing::warn!(operation, %error, "the store did not do what it was asked");
    StoreFailed
}
