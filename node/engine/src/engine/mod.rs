//! The engine: hands each input to the parts that it concerns, and lets one part's result reach the others.

mod advertisements;
mod audience;
mod bodies;
mod comparison;
mod detector;
mod directory;
mod exchange;
mod frames;
mod gossip;
mod membership;
mod misbehaviour;
mod overlay;
mod peers;
mod policy;
mod publish;
mod score;
mod spreading;
mod storage;
mod sync;
mod time;
mod touch;
mod tuning;
mod upkeep;
mod views;

use crate::{
    Audience, Config, Event, Input, LinkId, Micros, Output, Outputs, PeerCertificate, PolicyLimits, Protection,
    Readiness, Statistics, Token,
    addresses::{AddressBook, Backoff, Exchange},
    advertisements::{Heard, Told},
    appends::Appends,
    bans::Bans,
    bodies::{Fetches, Serving},
    bounds::SWEEP_INTERVAL,
    clock::Clock,
    detector::Detector,
    directory::Directory,
    gossip::{Cache, Candidates, Origins, Proofs, Trees, Waits},
    holdings::Holdings,
    links::{Links, Offer},
    membership::Members,
    misbehaviour::Offenders,
    outbox::Outbox,
    overlay::Overlay,
    random::Random,
    ready::{Ready, Situation},
    score::{Outcome, Scores},
    sync::Sync,
    timers::{Timer, Timers},
};
use peerwright_ledger::{RegisterId, TransactionId};
use peerwright_secure::{NodePublicKey, PeerId};
use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

/// The shortest of the configured times that are waited for again and again.
const SHORTEST: Duration = Duration::from_millis(1);

/// The protocol core of one node.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    own: PeerId,
    own_key: NodePublicKey,
    /// What this node's certificate says, once the driver has told.
    own_certificate: Option<PeerCertificate>,
    /// The latest `now`.
    now: Micros,
    clock: Clock,
    random: Random,
    timers: Timers,
    /// What the driver's timer is set to.
    armed: Option<Micros>,
    last_token: u64,
    /// Limits of the policy; `None` before the first one.
    limits: Option<PolicyLimits>,
    bans: Bans,
    links: Links,
    scores: Scores,
    told: score::Told,
    offenders: Offenders,
    /// Who the network protects from automatic bans.
    protected: BTreeMap<PeerId, Protection>,
    /// The network's node groups and their sizes.
    groups: BTreeMap<String, usize>,
    /// Registers that are not advertised, and who may hear of them all the same.
    private: BTreeMap<RegisterId, Audience>,
    /// What this node says it holds.
    advertised: Told,
    /// What peers say they hold.
    heard: Heard,
    book: AddressBook,
    overlay: Overlay,
    exchange: Exchange,
    directory: Directory,
    /// Whether this node has dialled all that it is to dial for its first links.
    has_dialled: bool,
    is_search_due: bool,
    /// The addresses that the driver keeps for the next life.
    anchors: Vec<SocketAddr>,
    outbox: Outbox,
    /// Bodies of submitted transactions that are with the store.
    own_bodies: BTreeMap<Token, OwnBody>,
    appends: Appends,
    candidates: Candidates,
    origins: Origins,
    trees: Trees,
    waits: Waits,
    cache: Cache,
    proofs: Proofs,
    /// Until when announcements are quick, because trees were broken.
    alert_until: Micros,
    fetches: Fetches,
    serving: Serving,
    holdings: Holdings,
    /// The registers that the store is asked about.
    loading: Option<(Token, Vec<RegisterId>)>,
    sync: Sync,
    ready: Ready,
    members: Members,
    detector: Detector,
    draining: Draining,
    /// What only rises; gauges are filled in when asked for.
    counters: Statistics,
}

/// A large transaction that was submitted here, whose body is with the store.
#[derive(Debug)]
struct OwnBody {
    submission: Token,
    register: RegisterId,
    id: TransactionId,
    size: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Draining {
    No,
    Begun,
    Done,
}

/// One call of `handle`.
struct Turn<'o> {
    now: Micros,
    /// What the wall clock says.
    wall: Micros,
    out: &'o mut Outputs,
}

impl Engine {
    /// An engine that knows no policy and no address yet.
    #[must_use]
    pub fn new(mut config: Config) -> Self {
        // A timer that is due again at once would never let the others have their turn.
        config.detection.keepalive = config.detection.keepalive.max(SHORTEST);
        config.connections.answer_timeout = config.connections.answer_timeout.max(SHORTEST);
        config.connections.dial_timeout = config.connections.dial_timeout.max(SHORTEST);
        config.advertisements.again = config.advertisements.again.max(SHORTEST);
        let mut random = Random::new(config.random_seed);
        let book = AddressBook::new(
            Backoff::new(config.connections.retry_first, config.connections.retry_limit),
            config.overlay.reconnect_attempts,
            config.addresses.own_ranges.clone(),
            &mut random,
        );
        Self {
            own: config.key.peer_id(),
            own_key: config.key.public(),
            own_certificate: None,
            now: Micros(0),
            clock: Clock::default(),
            random,
            timers: Timers::default(),
            armed: None,
            last_token: 0,
            limits: None,
            bans: Bans::default(),
            links: Links::default(),
            scores: Scores::new(config.score),
            told: score::Told::default(),
            offenders: Offenders::new(config.misbehaviour),
            protected: BTreeMap::new(),
            groups: BTreeMap::new(),
            private: BTreeMap::new(),
            advertised: Told::default(),
            heard: Heard::default(),
            book,
            overlay: Overlay::new(config.overlay),
            exchange: Exchange::default(),
            directory: Directory::new(&config.key.peer_id()),
            has_dialled: false,
            is_search_due: false,
            anchors: Vec::new(),
            outbox: Outbox::new(config.key.clone(), config.incarnation),
            own_bodies: BTreeMap::new(),
            appends: Appends::default(),
            candidates: Candidates::default(),
            origins: Origins::with_own(config.key.public()),
            trees: Trees::default(),
            waits: Waits::default(),
            cache: Cache::default(),
            proofs: Proofs::default(),
            alert_until: Micros(0),
            fetches: Fetches::default(),
            serving: Serving::default(),
            holdings: Holdings::default(),
            loading: None,
            sync: Sync::default(),
            ready: Ready::new(config.connections.ready_timeout),
            members: Members::new(config.member_index.clone(), &config.membership),
            detector: Detector::default(),
            draining: Draining::No,
            counters: Statistics::default(),
            config,
        }
    }

    /// Takes in one thing that happened at `now` and adds to `out` what is to be done about it.
    pub fn handle(&mut self, now: Micros, input: Input<'_>, out: &mut Outputs) {
        let is_first = self.now == Micros(0);
        self.now = self.now.max(now);
        let turn = &mut Turn { now: self.now, wall: self.clock.wall(self.now), out };
        if is_first {
            self.timers.set(Timer::Sweep, turn.now + SWEEP_INTERVAL);
            self.begin_membership(turn);
            self.begin_upkeep(turn);
        }
        self.notice_pause(turn);
        match input {
            Input::Addresses { source, addresses } => self.addresses_found(turn, source, addresses),
            Input::LinkUp { link, peer, incarnation, outbound, address } => {
                let direction = if outbound { crate::Direction::Outbound } else { crate::Direction::Inbound };
                self.link_up(turn, link, &Offer { peer, incarnation, direction, address });
            }
            Input::Certificate { of, certificate } => self.certificate(turn, of, certificate),
            Input::LinkDown { link, reason } => self.link_down(turn, link, reason),
            Input::DialFailed { address, reason } => self.dial_failed(turn, address, reason),
            Input::Frame { link, bytes } => self.frame(turn, link, bytes),
            Input::Policy(policy) => self.policy(turn, &policy),
            Input::LocalBans(bans) => self.local_bans(turn, &bans),
            Input::AutoBans(bans) => self.recall_auto_bans(turn, bans),
            Input::LiftAutoBan { peer } => self.lift_auto_ban(turn, &peer),
            Input::Misbehaved { peer, evidence } => self.offence(peer, Outcome::InvalidMessage, &evidence),
            Input::ResetFailures { peer } => self.reset_failures(turn, &peer),
            Input::Submit { token, register, id, transaction } => self.submit(turn, token, register, id, transaction),
            Input::Verified { token, valid } => self.verified(turn, token, valid),
            Input::StatementsVerified { token, valid } => self.statements_verified(turn, token, valid),
            Input::Advertise { address } => self.advertise(turn, address),
            Input::HoldingsChanged { at_once } => self.holdings_changed(turn, at_once),
            Input::Advertisements { token, result } => self.advertisements_read(turn, token, result.ok()),
            Input::Appended { token, result } => self.appended(turn, token, result.is_ok()),
            Input::Held { token, result } => self.held(turn, token, result.ok()),
            Input::Gone(gone) => self.holdings.let_go(gone),
            Input::Read { token, result } => self.read(turn, token, result.ok()),
            Input::BodyStored { token, result } => self.body_stored(turn, token, result),
            Input::Chunk { token, bytes } => self.chunk_read(turn, token, bytes.as_deref()),
            Input::Clock { wall } => self.clock_set(turn, wall),
            Input::Drain => self.drain(turn),
            Input::Timer => self.timer(turn),
        }
        self.settle(turn);
    }

    /// What may follow from any input.
    fn settle(&mut self, turn: &mut Turn<'_>) {
        self.settle_scores(turn);
        self.search(turn);
        self.start_append(turn);
        self.finish_draining(turn);
        self.look_ready(turn);
        self.look_at_status(turn);
        let next = self.timers.next();
        if next != self.armed {
            if let Some(at) = next {
                turn.out.push(Output::ArmTimer { at });
            }
            self.armed = next;
        }
    }

    fn look_ready(&mut self, turn: &mut Turn<'_>) {
        if self.limits.is_none() || self.ready.readiness(|| 0) == (Readiness::Ready { alone: false }) {
            return;
        }
        let situation = Situation {
            loaded: self.holdings.all_loaded(),
            links: self.sync.links.len(),
            links_caught_up: self.sync.links.values().filter(|link| link.caught_up).count(),
            all_attempted: self.has_dialled,
        };
        if self.ready.look(turn.now, situation) {
            let readiness = self.readiness();
            turn.out.event(Event::ReadinessChanged { readiness });
            for link in self.links.ids() {
                self.send_state(turn, link);
            }
        }
        if let Some(at) = self.ready.next_look(turn.now) {
            self.timers.set_no_later(Timer::Ready, at);
        }
    }

    fn next_token(&mut self) -> Token {
        self.last_token += 1;
        Token(self.last_token)
    }

    fn is_own_life(&self, origin: NodePublicKey, incarnation: u64) -> bool {
        origin == self.own_key && incarnation == self.config.incarnation
    }

    fn dropped(&mut self, turn: &mut Turn<'_>, what: &'static str) {
        self.counters.gossip.dropped += 1;
        turn.out.event(Event::Dropped { what });
    }

    fn store_failed(&mut self, turn: &mut Turn<'_>, operation: &'static str) {
        self.counters.store.failures += 1;
        turn.out.event(Event::StoreFailed { operation });
    }

    fn is_live(&self, link: LinkId) -> bool {
        self.links.get(link).is_some()
    }
}
