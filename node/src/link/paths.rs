//! What is known of the ways to peers: the carrier that works, and the breakers in front of it.
//!
//! ```text
//!            the peer's breaker        the carrier's breaker
//!  dial ───▶ TCP and TLS ────────────▶ Hello ───▶ link          each open one refuses the dial at once, with the
//!                                        │ open               code of the failure that opened it
//!                                        └──▶ the next carrier
//! ```
//!
//! A dial is counted when it has really been tried: a connection that was not even opened trips nothing and proves
//! nothing. Who is refused by a ban is not failing: bans come and go and open no breaker. A peer that is heard of by a
//! link of its own is there, so its breaker is closed.

use super::{
    LinkSettings,
    opening::{Failure, Fault},
};
use crate::{driver::Clock, tls::fill_random};
use arc_swap::ArcSwap;
use peerwright_engine::{
    Event, Micros,
    breaker::{Breaker, BreakerChange, BreakerState, BreakerStatistics, Permit, Rejected},
    session::{Carrier, Ladder, Step},
};
use peerwright_secure::PeerId;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::time::Instant;

/// The most addresses that are remembered. Full: the one that was not used for longest is forgotten.
const MOST_PATHS: usize = 1_024;

/// Hears of changes.
pub type EventObserver = Arc<dyn Fn(&Event) + Send + Sync>;

/// The ways to peers, by address.
pub struct Paths {
    settings: Arc<ArcSwap<LinkSettings>>,
    clock: Clock,
    observer: EventObserver,
    known: Mutex<BTreeMap<SocketAddr, Path>>,
}

struct Path {
    /// Who was last reached there.
    peer: Option<PeerId>,
    /// The life of its process.
    incarnation: Option<u64>,
    ladder: Ladder,
    /// Of TCP and TLS.
    whole: Breaker,
    /// Of Hello, by carrier.
    carriers: [Breaker; 3],
    used: Micros,
}

/// A dial that may be made by one carrier. Dropped, it counts for nothing.
pub(super) struct Attempt {
    pub(super) carrier: Carrier,
    paths: Arc<Paths>,
    address: SocketAddr,
    whole: Option<Permit>,
    own: Option<Permit>,
}

impl Paths {
    /// Knows of nothing yet.
    #[must_use]
    pub fn new(settings: Arc<ArcSwap<LinkSettings>>, observer: EventObserver) -> Self {
        Self { settings, clock: Clock::start(), observer, known: Mutex::default() }
    }

    /// How links behave now.
    #[must_use]
    pub fn settings(&self) -> LinkSettings {
        LinkSettings::clone(&self.settings.load())
    }

    /// Links behave differently from now on.
    pub fn tune(&self, settings: LinkSettings) {
        for path in self.known().values_mut() {
            path.ladder.tune(settings.ladder);
            for breaker in path.carriers.iter_mut().chain([&mut path.whole]) {
                breaker.tune(settings.breaker);
            }
        }
        self.settings.store(Arc::new(settings));
    }

    /// Breakers by state: one for each known address and one for each carrier to it.
    #[must_use]
    pub fn statistics(&self) -> BreakerStatistics {
        let mut statistics = BreakerStatistics::default();
        for path in self.known().values() {
            for breaker in path.carriers.iter().chain([&path.whole]) {
                statistics.count(breaker.state());
            }
        }
        statistics
    }

    /// The state of the breaker before a peer; `None` for one that was never reached by a dial. Of several addresses the
    /// best counts.
    #[must_use]
    pub fn state(&self, peer: &PeerId) -> Option<BreakerState> {
        let known = self.known();
        let states = known.values().filter(|path| path.peer.as_ref() == Some(peer)).map(|path| path.whole.state());
        states.min()
    }

    /// Closes the breakers to a peer, by hand. Says how many were not closed.
    pub fn reset(&self, peer: &PeerId) -> usize {
        self.close(peer, |path| {
            let Path { whole, carriers, .. } = path;
            carriers.iter_mut().zip(Carrier::ALL.map(Some)).chain([(whole, None)]).collect()
        })
    }

    /// The peer has opened a link itself: it is there, whatever a dial said.
    pub(super) fn heard_of(&self, peer: &PeerId) {
        self.close(peer, |path| vec![(&mut path.whole, None)]);
    }

    fn close(&self, peer: &PeerId, which: impl Fn(&mut Path) -> Vec<(&mut Breaker, Option<Carrier>)>) -> usize {
        let mut changes = Vec::new();
        for (address, path) in self.known().iter_mut().filter(|(_, path)| path.peer.as_ref() == Some(peer)) {
            for (breaker, carrier) in which(path) {
                changes.extend(breaker.reset().map(|change| changed(*address, Some(*peer), carrier, change)));
            }
        }
        changes.iter().for_each(|event| (self.observer)(event));
        changes.len()
    }

    /// Asks to dial an address by the carrier that works there, or by the next one below `after`.
    pub(super) fn attempt(self: &Arc<Self>, address: SocketAddr, after: Option<Carrier>) -> Result<Attempt, Rejected> {
        let carriers = |ladder: &Ladder| ladder.from_here().filter(|carrier| Some(*carrier) > after).collect();
        self.acquire(address, carriers)
    }

    /// Asks to dial an address by this carrier only.
    pub(super) fn attempt_by(self: &Arc<Self>, address: SocketAddr, carrier: Carrier) -> Result<Attempt, Rejected> {
        self.acquire(address, |_| vec![carrier])
    }

    fn acquire(
        self: &Arc<Self>,
        address: SocketAddr,
        carriers: impl FnOnce(&Ladder) -> Vec<Carrier>,
    ) -> Result<Attempt, Rejected> {
        let now = self.clock.now();
        let mut events = Vec::new();
        let mut known = self.known();
        let path = self.path(&mut known, address, now);
        let asked =
            path.acquire(now, carriers, |peer, carrier, change| events.push(changed(address, peer, carrier, change)));
        drop(known);
        events.iter().for_each(|event| (self.observer)(event));
        let (carrier, whole, own) = asked?;
        Ok(Attempt { carrier, paths: self.clone(), address, whole: Some(whole), own: Some(own) })
    }

    /// The peer that Hello found at an address. Another than before begins anew; another life of it is forgiven.
    pub(super) fn reached(&self, address: SocketAddr, peer: PeerId, incarnation: u64) {
        let now = self.clock.now();
        let mut known = self.known();
        let path = self.path(&mut known, address, now);
        if path.peer.is_some_and(|before| before != peer) {
            path.ladder = self.ladder();
        } else if path.incarnation.is_some_and(|before| before != incarnation) {
            path.ladder.forgive();
        }
        path.peer = Some(peer);
        path.incarnation = Some(incarnation);
    }

    /// A carrier that worked has died.
    pub(super) fn died(&self, address: SocketAddr, carrier: Carrier) {
        self.climb(address, |ladder, now| ladder.died(now, carrier));
    }

    /// A carrier is not to be had any more.
    pub(super) fn not_offered(&self, address: SocketAddr, carrier: Carrier) {
        self.climb(address, |ladder, now| ladder.refused(now, carrier));
    }

    /// A carrier works, and those above it do not.
    pub(super) fn settle(&self, address: SocketAddr, carrier: Carrier) {
        self.climb(address, |ladder, now| {
            let from = ladder.carrier();
            let mut last = None;
            while ladder.carrier() < carrier {
                last = Some(ladder.refused(now, ladder.carrier())?);
            }
            last.map(|step| Step { from, ..step })
        });
    }

    /// Better carriers than the one in use, best first.
    pub(super) fn better(&self, address: SocketAddr) -> Vec<Carrier> {
        self.known().get(&address).map_or_else(Vec::new, |path| path.ladder.better().collect())
    }

    /// A better carrier works.
    pub(super) fn climbed(&self, address: SocketAddr, carrier: Carrier) {
        self.climb(address, |ladder, now| ladder.climbed(now, carrier));
    }

    /// No better carrier works.
    pub(super) fn probe_failed(&self, address: SocketAddr) {
        self.climb(address, |ladder, now| {
            ladder.probe_failed(now);
            None
        });
    }

    /// When better carriers are to be tried.
    pub(super) fn next_probe(&self, address: SocketAddr) -> Option<Instant> {
        let at = self.known().get(&address)?.ladder.next_probe()?;
        Some(Instant::now() + at.since(self.clock.now()))
    }

    /// The carrier that works at an address.
    #[cfg(test)]
    pub(super) fn carrier(&self, address: SocketAddr) -> Option<Carrier> {
        self.known().get(&address).map(|path| path.ladder.carrier())
    }

    /// Begins the ladder to an address anew; its breakers stay.
    #[cfg(test)]
    pub(super) fn forget(&self, address: SocketAddr) {
        if let Some(path) = self.known().get_mut(&address) {
            path.ladder = self.ladder();
        }
    }

    fn climb(&self, address: SocketAddr, change: impl FnOnce(&mut Ladder, Micros) -> Option<Step>) {
        let now = self.clock.now();
        let mut known = self.known();
        let Some(path) = known.get_mut(&address) else { return };
        path.used = now;
        let event =
            change(&mut path.ladder, now).zip(path.peer).map(|(step, peer)| Event::CarrierChanged { peer, step });
        drop(known);
        if let Some(event) = event {
            (self.observer)(&event);
        }
    }

    fn path<'k>(&self, known: &'k mut BTreeMap<SocketAddr, Path>, address: SocketAddr, now: Micros) -> &'k mut Path {
        if known.len() >= MOST_PATHS
            && !known.contains_key(&address)
            && let Some(oldest) = known.iter().min_by_key(|(_, path)| path.used).map(|(address, _)| *address)
        {
            known.remove(&oldest);
        }
        let settings = self.settings.load();
        let path = known.entry(address).or_insert_with(|| Path {
            peer: None,
            incarnation: None,
            ladder: Ladder::new(settings.ladder, &settings.carriers),
            whole: Breaker::new(settings.breaker),
            carriers: [(); 3].map(|()| Breaker::new(settings.breaker)),
            used: now,
        });
        path.used = now;
        path
    }

    fn ladder(&self) -> Ladder {
        let settings = self.settings.load();
        Ladder::new(settings.ladder, &settings.carriers)
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<SocketAddr, Path>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Path {
    fn breaker(&mut self, carrier: Carrier) -> &mut Breaker {
        let [stream, unary, https] = &mut self.carriers;
        match carrier {
            Carrier::Stream => stream,
            Carrier::Unary => unary,
            Carrier::Https => https,
        }
    }

    fn acquire(
        &mut self,
        now: Micros,
        carriers: impl FnOnce(&Ladder) -> Vec<Carrier>,
        mut note: impl FnMut(Option<PeerId>, Option<Carrier>, BreakerChange),
    ) -> Result<(Carrier, Permit, Permit), Rejected> {
        let peer = self.peer;
        let (whole, change) = self.whole.acquire(now)?;
        change.into_iter().for_each(|change| note(peer, None, change));
        let mut rejected = Rejected { cause: "no_carrier", until: None };
        for carrier in carriers(&self.ladder) {
            match self.breaker(carrier).acquire(now) {
                Ok((own, change)) => {
                    change.into_iter().for_each(|change| note(peer, Some(carrier), change));
                    return Ok((carrier, whole, own));
                }
                Err(because) => rejected = because,
            }
        }
        self.whole.abandoned(whole, now).into_iter().for_each(|change| note(peer, None, change));
        Err(rejected)
    }
}

impl Attempt {
    /// TCP and TLS are there.
    pub(super) fn connected(&mut self) {
        if let Some(permit) = self.whole.take() {
            self.tell(None, |breaker, now| breaker.succeeded(permit, now));
        }
    }

    /// Hello was answered.
    pub(super) fn succeeded(mut self) {
        self.connected();
        if let Some(permit) = self.own.take() {
            self.tell(Some(self.carrier), |breaker, now| breaker.succeeded(permit, now));
        }
    }

    /// It came to nothing.
    pub(super) fn failed(mut self, failure: &Failure) {
        let (permit, carrier) = match failure.fault {
            Fault::Ban | Fault::Session => return,
            Fault::Absent | Fault::Peer => (self.whole.take(), None),
            Fault::Carrier | Fault::NotOffered => {
                self.connected();
                (self.own.take(), Some(self.carrier))
            }
        };
        if let Some(permit) = permit {
            self.tell(carrier, |breaker, now| breaker.failed(permit, now, failure.code, random()));
        }
    }

    fn tell(&self, carrier: Option<Carrier>, outcome: impl FnOnce(&mut Breaker, Micros) -> Option<BreakerChange>) {
        let now = self.paths.clock.now();
        let mut known = self.paths.known();
        let Some(path) = known.get_mut(&self.address) else { return };
        let peer = path.peer;
        let change = match carrier {
            Some(carrier) => outcome(path.breaker(carrier), now),
            None => outcome(&mut path.whole, now),
        };
        drop(known);
        if let Some(change) = change {
            (self.paths.observer)(&changed(self.address, peer, carrier, change));
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(permit) = self.whole.take() {
            self.tell(None, |breaker, now| breaker.abandoned(permit, now));
        }
        if let Some(permit) = self.own.take() {
            self.tell(Some(self.carrier), |breaker, now| breaker.abandoned(permit, now));
        }
    }
}

/// By how much waits differ. Without randomness they are the shortest.
pub(super) fn random() -> u64 {
    let mut random = [0; 8];
    drop(fill_random(&mut random));
    u64::from_be_bytes(random)
}

fn changed(address: SocketAddr, peer: Option<PeerId>, carrier: Option<Carrier>, change: BreakerChange) -> Event {
    Event::BreakerChanged { address, peer, carrier, change }
}
