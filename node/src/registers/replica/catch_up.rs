//! Catching up with a long register: headers first, then bodies from several sources at once.
//!
//! ```text
//! primary ── headers ─▶ chain ─▶ stretches ─▶ Plan ──┬── ask ─▶ source 1 ─▶ bodies ─▶ verified ─┐
//!                                                    ├── ask ─▶ source 2 ─▶ bodies ─▶ verified ─┼─▶ sorted ─▶ Writer
//!                                                    └── ask ─▶ source 3 ─▶ bodies ─▶ verified ─┘
//! ```
//!
//! A body is compared with a header that the sealers have certified, so whoever gives another one has no excuse: the
//! source is left, and its ranges are asked of the others.

use super::{
    Ended, Replica, govern,
    ranges::{Plan, SLOW_AFTER},
    source::{BODIES_WITHIN, SourceStream},
    stretch::{Stretch, Verified, take_headers},
};
use crate::driver::Clock;
use bytes::Bytes;
use futures::{StreamExt, stream::FuturesUnordered};
use peerwright_ledger::Chain;
use peerwright_secure::PeerId;
use peerwright_store::NewDocket;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, watch},
    time::{Instant, sleep, timeout, timeout_at},
};

/// Ranges that one source is asked for, or that are verified of what it gave.
const PIPELINED: usize = 4;
/// Headers that are asked for first: bodies come while the many behind them are read.
const FIRST_HEADERS: u32 = 64;
/// Pieces that wait for the writer, and for those before them. Full: sources are asked for nothing more.
const SORTED: usize = 16;
/// When nothing at all has come for so long, the catch-up begins anew.
const STUCK_AFTER: Duration = Duration::from_secs(60);

/// A stretch whose bodies are wanted, with the room that they will take.
struct Wanted {
    stretch: Stretch,
    room: Arc<OwnedSemaphorePermit>,
}

/// What the parts of a catch-up share.
struct Shared {
    plan: Mutex<Plan<Arc<Wanted>>>,
    begun: Instant,
    /// Rises with every change of the plan; true once all headers are taken.
    changed: watch::Sender<bool>,
}

impl Shared {
    fn new() -> Self {
        Self { plan: Mutex::new(Plan::new()), begun: Instant::now(), changed: watch::Sender::new(false) }
    }

    fn plan(&self) -> MutexGuard<'_, Plan<Arc<Wanted>>> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, wanted: Wanted) {
        let range = wanted.stretch.first()..wanted.stretch.end();
        self.plan().add(range, Arc::new(wanted));
        self.changed.send_modify(|_| {});
    }

    fn complete(&self) {
        self.changed.send_replace(true);
    }

    fn next(&self, source: usize, stream: &SourceStream) -> Option<Arc<Wanted>> {
        self.plan().next(source, &stream.holds, self.begun.elapsed())
    }

    fn arrived(&self, wanted: &Wanted) -> bool {
        let was_wanted = self.plan().arrived(wanted.stretch.first());
        self.changed.send_modify(|_| {});
        was_wanted
    }

    fn left(&self, source: usize) {
        self.plan().left(source);
        self.changed.send_modify(|_| {});
    }

    fn is_done(&self) -> bool {
        *self.changed.borrow() && self.plan().is_empty()
    }

    /// Resolves when all has come.
    async fn done(&self) {
        let mut changed = self.changed.subscribe();
        while !self.is_done() {
            // Its sender lives as long as this.
            let _ = changed.changed().await;
        }
    }
}

impl Replica {
    /// Brings the register to where the primary is; gives the chain behind the last docket, which is stored by then.
    pub(super) async fn catch_up(
        &self,
        primary: &mut SourceStream,
        chain: Option<Chain>,
        others: &[PeerId],
    ) -> Result<Chain, Ended> {
        let (sorted, receiver) = mpsc::channel(SORTED);
        self.write_while(receiver, None, self.fetch_all(primary, chain, others, sorted)).await
    }

    async fn fetch_all(
        &self,
        primary: &mut SourceStream,
        chain: Option<Chain>,
        others: &[PeerId],
        sorted: mpsc::Sender<Verified>,
    ) -> Result<Chain, Ended> {
        let next = super::next_number(chain.as_ref());
        let shared = Shared::new();
        let (done, arrived) = mpsc::channel(SORTED);
        let peers = [primary.peer].iter().chain(others).copied().collect();
        let (chain, (), ()) = tokio::try_join!(
            self.take_all_headers(primary, chain, &shared, done.clone()),
            self.fetch_bodies(peers, &shared, done),
            sort(arrived, sorted, next),
        )?;
        Ok(chain)
    }

    /// Takes the primary's headers and plans their bodies, as far as there is room for them.
    async fn take_all_headers(
        &self,
        primary: &mut SourceStream,
        mut chain: Option<Chain>,
        shared: &Shared,
        done: mpsc::Sender<Verified>,
    ) -> Result<Chain, Ended> {
        let mut count = FIRST_HEADERS;
        loop {
            let next = super::next_number(chain.as_ref());
            if let Some(chain) = chain.take_if(|_| next >= primary.holds.end) {
                shared.complete();
                return Ok(chain);
            }
            let mut headers = primary.headers(next, count).await?;
            count = 0;
            while let Some(front) = headers.front() {
                match chain.take() {
                    Some(mut known) if !front.header.control => {
                        let now = Clock::wall().0;
                        let taking = move || {
                            let stretches = take_headers(&mut known, &mut headers, now)?;
                            Ok((known, headers, stretches))
                        };
                        let (known, rest, stretches) = self.registers.budget.verify(taking).await?;
                        for stretch in stretches {
                            let room = self.registers.budget.room(stretch.body_bytes()).await?;
                            shared.add(Wanted { stretch, room });
                        }
                        (chain, headers) = (Some(known), rest);
                    }
                    known => {
                        let Some(control) = headers.pop_front() else { break };
                        let room = self.registers.budget.room(control.header.body_bytes.into()).await?;
                        let (governed, docket) =
                            govern(&self.registers, primary, self.register, known, control).await?;
                        let checkpoint = governed.encode();
                        let verified = Verified { dockets: vec![docket], checkpoint, credit: 0, room };
                        done.send(verified).await.map_err(|_| Ended::Stopped)?;
                        chain = Some(governed);
                    }
                }
            }
        }
    }

    /// Fetches what is planned from as many sources at once as the settings say, until all has come or none is left.
    async fn fetch_bodies(
        &self,
        mut peers: VecDeque<PeerId>,
        shared: &Shared,
        done: mpsc::Sender<Verified>,
    ) -> Result<(), Ended> {
        let mut working = FuturesUnordered::new();
        let (mut number, mut last) = (0, Ended::NotHeld);
        loop {
            let sources = self.set().sources;
            while working.len() < sources
                && let Some(peer) = peers.pop_front()
            {
                let (place, done) = (number, done.clone());
                number += 1;
                working.push(async move { (place, peer, self.fetch_from(peer, place, shared, done).await) });
            }
            let ended = tokio::select! {
                biased;
                // Whoever is still being reached is not waited for.
                () = shared.done() => return Ok(()),
                ended = working.next() => ended,
            };
            match ended {
                Some((_, _, Ok(()))) => {}
                Some((place, peer, Err(ended))) => {
                    shared.left(place);
                    self.left(peer, &ended).await;
                    last = ended;
                }
                None => return Err(last),
            }
        }
    }

    async fn fetch_from(
        &self,
        peer: PeerId,
        place: usize,
        shared: &Shared,
        done: mpsc::Sender<Verified>,
    ) -> Result<(), Ended> {
        let mut stream = SourceStream::open(&self.sources, self.register, peer, 0).await?;
        let mut changed = shared.changed.subscribe();
        let (mut asked, mut checking) = (VecDeque::<Arc<Wanted>>::new(), FuturesUnordered::new());
        let mut patience = Instant::now() + BODIES_WITHIN;
        loop {
            changed.borrow_and_update();
            while asked.len() + checking.len() < PIPELINED
                && let Some(wanted) = shared.next(place, &stream)
            {
                if asked.is_empty() {
                    patience = Instant::now() + BODIES_WITHIN;
                }
                stream.ask_bodies(wanted.stretch.first(), wanted.stretch.count()).await?;
                asked.push_back(wanted);
            }
            if shared.is_done() {
                return Ok(());
            }
            let is_asked = !asked.is_empty();
            tokio::select! {
                biased;
                Some(checked) = checking.next(), if !checking.is_empty() => {
                    let (wanted, dockets): (Arc<Wanted>, _) = checked?;
                    self.deliver(&wanted, dockets, shared, &done).await?;
                }
                answer = answer(&mut stream, is_asked.then_some(patience)) => {
                    patience = Instant::now() + BODIES_WITHIN;
                    if let Some((bodies, wanted)) = answer?.zip(asked.pop_front()) {
                        checking.push(self.check(wanted, bodies));
                    }
                }
                // Its sender lives as long as this.
                _ = changed.changed() => {}
                () = sleep(SLOW_AFTER), if asked.len() + checking.len() < PIPELINED => {}
            }
        }
    }

    async fn check(&self, wanted: Arc<Wanted>, bodies: Vec<Bytes>) -> Result<(Arc<Wanted>, Vec<NewDocket>), Ended> {
        let verifying = move || {
            let dockets = wanted.stretch.verify(bodies)?;
            Ok((wanted, dockets))
        };
        self.registers.budget.verify(verifying).await
    }

    /// Hands on what was still wanted.
    async fn deliver(
        &self,
        wanted: &Wanted,
        dockets: Vec<NewDocket>,
        shared: &Shared,
        done: &mpsc::Sender<Verified>,
    ) -> Result<(), Ended> {
        let place = done.reserve().await.map_err(|_| Ended::Stopped)?;
        // From here on nothing is waited for: what has arrived is handed on.
        if shared.arrived(wanted) {
            let (checkpoint, room) = (wanted.stretch.checkpoint().clone(), wanted.room.clone());
            place.send(Verified { dockets, checkpoint, credit: 0, room });
        }
        Ok(())
    }
}

/// What the source sends next: bodies when it was asked for some, and until then; `None` for news of what it holds.
async fn answer(stream: &mut SourceStream, asked_until: Option<Instant>) -> Result<Option<Vec<Bytes>>, Ended> {
    match asked_until {
        Some(until) => timeout_at(until, stream.bodies()).await.map_err(|_| Ended::Silent)?.map(Some),
        None => stream.next().await.map(|_| None),
    }
}

/// Puts pieces into their order.
async fn sort(
    mut arrived: mpsc::Receiver<Verified>,
    sorted: mpsc::Sender<Verified>,
    mut next: u64,
) -> Result<(), Ended> {
    let mut early = BTreeMap::new();
    while let Some(piece) = timeout(STUCK_AFTER, arrived.recv()).await.map_err(|_| Ended::Silent)? {
        early.insert(piece.first(), piece);
        while let Some(piece) = early.remove(&next) {
            next += piece.dockets.len() as u64;
            sorted.send(piece).await.map_err(|_| Ended::Stopped)?;
        }
    }
    Ok(())
}
