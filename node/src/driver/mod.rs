//! Drives the engine: one task turns what happens into inputs and carries out what comes back.
//!
//! ```text
//!   links ────────┐                            ┌──▶ links: dial, send, close
//!   discovery ────┤                            ├──▶ storage ──▶ store ──┐
//!   snapshot ─────┼──▶ Engine::handle(now) ────┼──▶ verifier ───────────┤ answers
//!   submissions ──┤             ▲              ├──▶ timer               │
//!   timer ────────┘             └──────────────┼────────────────────────┘
//!                                              └──▶ replies, events
//! ```
//!
//! The task never waits for those who wait for it: links are given frames without waiting, storage and verifier have
//! queues in front that are as long as the engine's own bounds allow.

mod clock;
mod command;
mod events;
mod inputs;
mod joining;
mod perform;
mod policy;
mod storage;
mod verifier;

pub use clock::Clock;
pub use command::{Command, Commands};
pub(crate) use events::log as log_event;

use crate::{
    limits::RateLimits,
    link::{LinkDialler, LinkEvent, Queue},
    member::Membership,
    registers::{HubSettings, Registers},
    settings::{NodeSettings, SettingNotTaken},
    telemetry::Telemetry,
};
use joining::Before;
use peerwright_engine::{
    Address, AddressSource, AutoBan, Config, Engine, Input, LinkId, Micros, Outputs, PolicyLimits, Readiness,
    SubmitRefusal, Token, Tuning,
};
use peerwright_sealing::SealingSettings;
use peerwright_store::Store;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use storage::Storage;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{MissedTickBehavior, interval},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use verifier::Verifier;

/// How many link events wait for the driver. Full: links read no further, and TCP holds the peers back.
pub const LINK_EVENTS: usize = 512;
/// The engine hears the wall clock so often.
const WALL_CLOCK: Duration = Duration::from_secs(60);
/// Requests of applications and peers that are taken before what is done is looked at again.
const REQUESTS: usize = 32;

/// What the driver needs.
pub struct DriverParts {
    /// The engine's settings.
    pub config: Config,
    /// Certificate, snapshot, bans.
    pub membership: Arc<Membership>,
    /// The bans that this node made by itself in its former life.
    pub auto_bans: Vec<AutoBan>,
    /// How much one identity may ask for.
    pub rates: Arc<RateLimits>,
    /// Where messages are kept.
    pub store: Arc<dyn Store>,
    /// Told when messages were stored, and what the network sets of them.
    pub registers: Registers,
    /// Opens links.
    pub dialler: LinkDialler,
    /// Owns the tasks that the driver starts.
    pub tasks: TaskTracker,
    /// What REST, gRPC and the operator client ask.
    pub commands: mpsc::Receiver<Command>,
    /// What links say.
    pub link_events: mpsc::Receiver<LinkEvent>,
    /// What discovery found.
    pub addresses: mpsc::Receiver<Vec<Address>>,
    /// Where nodes on the same cable say that they listen.
    pub nearby: mpsc::Receiver<Vec<Address>>,
    /// How many links are up.
    pub links: watch::Sender<usize>,
    /// What the engine says of readiness; `None` before it runs.
    pub readiness: watch::Sender<Option<Readiness>>,
    /// What the sealing group goes by; `None` before a snapshot said.
    pub sealing: watch::Sender<Option<SealingSettings>>,
    /// By what this node goes from hub to hub.
    pub hub: watch::Sender<HubSettings>,
    /// Counts.
    pub telemetry: Arc<Telemetry>,
    /// Ends the driver at once.
    pub end: CancellationToken,
}

/// The running driver.
pub struct Driver {
    engine: Engine,
    outputs: Outputs,
    clock: Clock,
    dialler: LinkDialler,
    tasks: TaskTracker,
    links: BTreeMap<LinkId, Arc<Queue>>,
    link_count: watch::Sender<usize>,
    readiness: watch::Sender<Option<Readiness>>,
    sealing: watch::Sender<Option<SealingSettings>>,
    hub: watch::Sender<HubSettings>,
    telemetry: Arc<Telemetry>,
    membership: Arc<Membership>,
    /// What holds where the snapshot says nothing.
    own_settings: NodeSettings,
    registers: Registers,
    rates: Arc<RateLimits>,
    /// What is not taken of the snapshot in force.
    not_taken: Vec<SettingNotTaken>,
    storage: Storage,
    verifier: Verifier,
    replies: BTreeMap<Token, oneshot::Sender<Result<(), SubmitRefusal>>>,
    next_token: u64,
    armed: Option<Micros>,
    /// Links that could not take a frame: the engine is told when the outputs are done.
    overloaded: VecDeque<LinkId>,
    drained: Vec<oneshot::Sender<()>>,
    is_drained: bool,
}

impl Driver {
    /// Waits until this node is a member, then drives the engine until `end`.
    pub async fn run(mut parts: DriverParts) {
        let end = parts.end.clone();
        let driving = async {
            if let Some(before) = joining::wait_for_membership(&mut parts).await {
                Self::drive(parts, before).await;
            }
        };
        tokio::select! {
            biased;
            () = end.cancelled() => {}
            () = driving => {}
        }
    }

    async fn drive(parts: DriverParts, before: Before) {
        let DriverParts {
            config,
            membership,
            auto_bans,
            rates,
            store,
            registers,
            dialler,
            tasks,
            mut commands,
            mut link_events,
            mut addresses,
            mut nearby,
            ..
        } = parts;
        let arrived = registers.arrived.clone();
        let (storage, mut stored) =
            Storage::start(store, membership.key().public(), parts.telemetry.clone(), arrived, &tasks);
        let advertised = registers.advertised.clone();
        let mut choices = advertised.watch();
        let mut snapshots = membership.watch_snapshot();
        let mut own_certificates = membership.watch_certificate();
        let own_settings = NodeSettings {
            limits: PolicyLimits::default(),
            engine: Tuning::from(&config),
            rates: rates.settings(),
            links: dialler.paths().settings(),
            sealing: SealingSettings::default(),
            replication: *registers.replication.borrow(),
            outbox: registers.outbox.settings(),
            hub: HubSettings::default(),
        };
        let mut driver = Self {
            engine: Engine::new(config),
            outputs: Outputs::new(),
            clock: Clock::start(),
            dialler,
            tasks,
            links: BTreeMap::new(),
            link_count: parts.links,
            readiness: parts.readiness,
            sealing: parts.sealing,
            hub: parts.hub,
            telemetry: parts.telemetry,
            membership,
            own_settings,
            registers,
            rates,
            not_taken: Vec::new(),
            storage,
            verifier: Verifier::new(),
            replies: BTreeMap::new(),
            next_token: 0,
            armed: None,
            overloaded: VecDeque::new(),
            drained: Vec::new(),
            is_drained: false,
        };
        driver.take_own_certificate(own_certificates.borrow_and_update().clone());
        driver.take_policy(snapshots.borrow_and_update().clone());
        driver.take(Input::LocalBans(before.local_bans));
        // The ends of bans are by the wall clock.
        driver.take(Input::Clock { wall: Clock::wall() });
        driver.take(Input::AutoBans(auto_bans));
        let neighbours = driver.membership.neighbours().into_iter();
        let neighbours: Vec<_> = neighbours.map(|socket| Address { host: String::new(), socket }).collect();
        driver.take(Input::Addresses { source: AddressSource::Anchors, addresses: &neighbours });
        driver.take(Input::Addresses { source: AddressSource::Seeds, addresses: &before.addresses });
        driver.take(Input::HoldingsChanged { at_once: true });
        let mut wall_clock = interval(WALL_CLOCK);
        wall_clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let timer = driver.clock.sleep_until(driver.armed);
            tokio::select! {
                // What is done comes before what is new, so that nothing new overtakes its own cause.
                biased;
                changed = snapshots.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let current = snapshots.borrow_and_update().clone();
                    driver.take_policy(current);
                    driver.take(Input::HoldingsChanged { at_once: true });
                }
                // Its sender lives as long as the driver.
                _ = choices.changed() => {
                    // Who may hear of what comes before what is told.
                    let current = snapshots.borrow().clone();
                    driver.take_policy(current);
                    driver.take(Input::HoldingsChanged { at_once: true });
                }
                () = advertised.moved.notified() => driver.take(Input::HoldingsChanged { at_once: false }),
                changed = own_certificates.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let own = own_certificates.borrow_and_update().clone();
                    driver.take_own_certificate(own);
                }
                () = timer => {
                    driver.armed = None;
                    driver.take(Input::Timer);
                }
                Some(verdicts) = driver.verifier.next() => {
                    for verdict in verdicts {
                        driver.take(verdict);
                    }
                }
                answer = stored.recv() => match answer {
                    Some(answer) => answer.into_inputs().for_each(|input| driver.take(input)),
                    None => return,
                },
                _ = wall_clock.tick() => driver.take(Input::Clock { wall: Clock::wall() }),
                Some(found) = addresses.recv() => {
                    driver.take(Input::Addresses { source: AddressSource::Seeds, addresses: &found });
                }
                Some(found) = nearby.recv() => {
                    driver.take(Input::Addresses { source: AddressSource::Local, addresses: &found });
                }
                // Applications and peers share what is left, by lot.
                something = next_request(&mut commands, &mut link_events) => {
                    let Some(request) = something else { return };
                    driver.take_request(request);
                    for turn in 1..REQUESTS {
                        let Some(request) = waiting_request(turn, &mut commands, &mut link_events) else { break };
                        driver.take_request(request);
                    }
                }
                () = driver.storage.has_room(), if driver.storage.is_waiting() => driver.storage.flush(),
            }
            driver.check_signatures();
        }
    }

    fn take_request(&mut self, request: Request) {
        match request {
            Request::Command(command) => self.take_command(command),
            Request::Link(event) => self.take_link_event(event),
        }
    }

    /// All that has come by now is checked together.
    fn check_signatures(&mut self) {
        for verdict in self.verifier.check_few() {
            self.take(verdict);
        }
        self.verifier.start_batch();
    }

    /// One turn of the engine, with everything that follows from it.
    fn take(&mut self, input: Input<'_>) {
        let now = self.clock.now();
        self.engine.handle(now, input, &mut self.outputs);
        self.perform();
        while let Some(link) = self.overloaded.pop_front() {
            let reason = peerwright_engine::DownReason::Overload;
            self.engine.handle(now, Input::LinkDown { link, reason }, &mut self.outputs);
            self.perform();
        }
    }

    fn forget_link(&mut self, link: LinkId) -> Option<Arc<Queue>> {
        let queue = self.links.remove(&link);
        self.link_count.send_replace(self.links.len());
        queue
    }

    fn tell_drained(&mut self) {
        if self.is_drained {
            for done in self.drained.drain(..) {
                let _ = done.send(());
            }
        }
    }
}

enum Request {
    Command(Command),
    Link(LinkEvent),
}

/// By lot, so that neither a busy application nor a busy peer silences the other.
async fn next_request(
    commands: &mut mpsc::Receiver<Command>,
    link_events: &mut mpsc::Receiver<LinkEvent>,
) -> Option<Request> {
    tokio::select! {
        command = commands.recv() => command.map(Request::Command),
        event = link_events.recv() => event.map(Request::Link),
    }
}

/// What waits already, of both in turns.
fn waiting_request(
    turn: usize,
    commands: &mut mpsc::Receiver<Command>,
    link_events: &mut mpsc::Receiver<LinkEvent>,
) -> Option<Request> {
    let mut command = || commands.try_recv().ok().map(Request::Command);
    let mut event = || link_events.try_recv().ok().map(Request::Link);
    if turn.is_multiple_of(2) { command().or_else(event) } else { event().or_else(command) }
}

#[cfg(test)]
mod tests;
