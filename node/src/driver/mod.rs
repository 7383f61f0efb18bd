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
mod perform;
mod storage;
mod verifier;

pub use clock::Clock;
pub use command::{Command, Commands};
pub(crate) use events::log as log_event;

use crate::{
    limits::RateLimits,
    link::{LinkDialler, LinkEvent, Queue},
    member::{InForce, Membership, Standing},
    settings::{NodeSettings, SettingNotTaken},
    telemetry::{PEER_PORT, Telemetry},
    tls::Direction,
    transport::Connections,
};
use peerwright_engine::{
    Address, AddressSource, AutoBan, BanRecord, Config, DialFailure, Engine, Input, LinkId, Micros, Outputs,
    PeerCertificate, Policy, PolicyLimits, Protection, Readiness, Role, ServiceStatus, SubmitRefusal, Token, Tuning,
};
use peerwright_ledger::RegisterId;
use peerwright_secure::{MemberCertificate, PeerId};
use peerwright_snapshot::{Content, NodeRole};
use peerwright_store::Store;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use storage::Storage;
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    time::{MissedTickBehavior, interval},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use verifier::Verifier;

/// How many link events wait for the driver. Full: links read no further, and TCP holds the peers back.
pub const LINK_EVENTS: usize = 512;
/// The engine hears the wall clock so often.
const WALL_CLOCK: Duration = Duration::from_secs(60);

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
    /// Told when messages were stored.
    pub arrived: Arc<Notify>,
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
    connections: Arc<Connections>,
    tasks: TaskTracker,
    links: BTreeMap<LinkId, Arc<Queue>>,
    link_count: watch::Sender<usize>,
    readiness: watch::Sender<Option<Readiness>>,
    telemetry: Arc<Telemetry>,
    membership: Arc<Membership>,
    /// What holds where the snapshot says nothing.
    own_settings: NodeSettings,
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
            if let Some(before) = wait_for_membership(&mut parts).await {
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
            dialler,
            tasks,
            mut commands,
            mut link_events,
            mut addresses,
            mut nearby,
            ..
        } = parts;
        let (storage, mut stored) =
            Storage::start(store, membership.key().public(), parts.telemetry.clone(), parts.arrived, &tasks);
        let mut snapshots = membership.watch_snapshot();
        let mut own_certificates = membership.watch_certificate();
        let own_settings = NodeSettings {
            limits: PolicyLimits::default(),
            engine: Tuning::from(&config),
            rates: rates.settings(),
            links: dialler.paths().settings(),
        };
        let mut driver = Self {
            engine: Engine::new(config),
            outputs: Outputs::new(),
            clock: Clock::start(),
            dialler,
            connections: membership.connections().clone(),
            tasks,
            links: BTreeMap::new(),
            link_count: parts.links,
            readiness: parts.readiness,
            telemetry: parts.telemetry,
            membership,
            own_settings,
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
                }
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
                    Some(answer) => driver.take(answer.into_input()),
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
                something = next_request(&mut commands, &mut link_events) => match something {
                    Some(Request::Command(command)) => driver.take_command(command),
                    Some(Request::Link(event)) => driver.take_link_event(event),
                    None => return,
                },
                () = driver.storage.has_room(), if driver.storage.is_waiting() => driver.storage.flush(),
            }
        }
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

    fn take_policy(&mut self, current: Option<Arc<InForce>>) {
        if let Some(current) = current {
            let content = &current.snapshot.content;
            let (mut settings, not_taken) = self.own_settings.with(&content.settings);
            if let Some((_, group)) = content.group_of(self.membership.spiffe().node()) {
                settings.engine.role = role(group.role);
            }
            self.tell_not_taken(not_taken);
            self.rates.tune(settings.rates);
            self.dialler.paths().tune(settings.links.clone());
            self.take(Input::Policy(policy(&current, settings)));
            let readiness = self.engine.readiness();
            self.readiness.send_if_modified(|known| known.replace(readiness) != Some(readiness));
        }
    }

    /// Says what is not taken of the network's settings, once.
    fn tell_not_taken(&mut self, not_taken: Vec<SettingNotTaken>) {
        self.telemetry.settings_not_taken(not_taken.len());
        for refused in not_taken.iter().filter(|refused| !self.not_taken.contains(refused)) {
            tracing::warn!("a setting of the network is not taken: {refused}");
        }
        self.not_taken = not_taken;
    }

    fn take_link_event(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Up { link, queue, peer, node, incarnation, outbound, address } => {
                tracing::debug!(%peer, node, link = link.0, outbound, "Hello was answered");
                self.links.insert(link, queue);
                self.link_count.send_replace(self.links.len());
                self.take(Input::LinkUp { link, peer, incarnation, outbound, address: Some(address) });
                // Bans may name what the connection has proved of the peer.
                if let Some(member) = self.connections.certificate_of(&peer) {
                    self.take_certificate(Some(link), &member);
                }
            }
            LinkEvent::Frame { link, payload } => {
                // A frame that was on its way when the engine closed the link.
                if self.links.contains_key(&link) {
                    self.take(Input::Frame { link, bytes: &payload });
                }
            }
            LinkEvent::Down { link, reason } => {
                if self.forget_link(link).is_some() {
                    self.take(Input::LinkDown { link, reason });
                }
            }
            LinkEvent::DialFailed { address, reason, code } => {
                if !matches!(reason, DialFailure::Unreachable | DialFailure::Timeout | DialFailure::BreakerOpen) {
                    self.telemetry.handshake_refused(PEER_PORT, Direction::Outbound.label(), code);
                }
                self.take(Input::DialFailed { address, reason });
            }
        }
    }

    fn take_certificate(&mut self, of: Option<LinkId>, member: &MemberCertificate) {
        let certificate = PeerCertificate { spiffe: member.spiffe.clone(), fingerprint: member.fingerprint };
        self.take(Input::Certificate { of, certificate });
    }

    fn take_own_certificate(&mut self, own: Option<Arc<MemberCertificate>>) {
        if let Some(own) = own {
            self.take_certificate(None, &own);
        }
    }

    fn take_command(&mut self, command: Command) {
        match command {
            Command::Submit { register, id, transaction, reply } => {
                let token = Token(self.next_token);
                self.next_token += 1;
                self.replies.insert(token, reply);
                self.take(Input::Submit { token, register, id, transaction });
            }
            Command::LocalBans { bans, done } => {
                self.take(Input::LocalBans(bans));
                // Whoever asked may have left.
                let _ = done.send(());
            }
            Command::LiftAutoBan { peer, done } => {
                self.take(Input::LiftAutoBan { peer });
                let _ = done.send(());
            }
            Command::ResetFailures { peer, reply } => {
                let rows = self.engine.addresses().into_iter().filter(|row| row.peer == Some(peer));
                let previous = rows.map(|row| row.failures).max().unwrap_or(0);
                // A dial that an open breaker refuses is none.
                self.dialler.paths().reset(&peer);
                self.take(Input::ResetFailures { peer });
                let _ = reply.send(previous);
            }
            Command::View { reply } => {
                let breakers = self.dialler.paths().statistics();
                drop(reply.send(command::view(&self.engine, breakers, self.clock.now())));
            }
            Command::Members { reply } => drop(reply.send((self.engine.service_status(), self.engine.members()))),
            Command::Drain { done } => {
                self.drained.push(done);
                self.take(Input::Drain);
                self.tell_drained();
            }
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

/// What was said before there was an engine.
#[derive(Default)]
struct Before {
    local_bans: Vec<BanRecord>,
    addresses: Vec<Address>,
}

/// Answers what can be answered without an engine, until this node is a member; `None` when there is nothing left to
/// drive.
async fn wait_for_membership(parts: &mut DriverParts) -> Option<Before> {
    let mut before = Before::default();
    let mut snapshots = parts.membership.watch_snapshot();
    let mut certificates = parts.membership.watch_certificate();
    loop {
        // A banned node has what it needs as well: it keeps what it holds and finds nobody who talks to it.
        if parts.membership.snapshot().is_some() && parts.membership.standing() != Standing::Waiting {
            return Some(before);
        }
        tokio::select! {
            biased;
            command = parts.commands.recv() => match command? {
                // Whoever asked may have left.
                Command::Submit { reply, .. } => {
                    let _ = reply.send(Err(match parts.membership.standing() {
                        Standing::Banned => SubmitRefusal::Banned,
                        Standing::Waiting | Standing::Member => SubmitRefusal::WaitingForOperator,
                    }));
                }
                Command::LocalBans { bans, done } => {
                    before.local_bans = bans;
                    let _ = done.send(());
                }
                // It has banned and dialled nobody yet.
                Command::LiftAutoBan { done, .. } => {
                    let _ = done.send(());
                }
                Command::ResetFailures { reply, .. } => {
                    let _ = reply.send(0);
                }
                Command::View { reply } => {
                    let breakers = parts.dialler.paths().statistics();
                    drop(reply.send(command::view(&Engine::new(parts.config.clone()), breakers, Clock::wall())));
                }
                Command::Members { reply } => drop(reply.send((ServiceStatus::Offline, Vec::new()))),
                Command::Drain { done } => {
                    let _ = done.send(());
                }
            },
            changed = snapshots.changed() => changed.ok()?,
            changed = certificates.changed() => changed.ok()?,
            Some(found) = parts.addresses.recv() => before.addresses = found,
            // Without a leaf no peer gets in.
            Some(_) = parts.link_events.recv() => {}
        }
    }
}

/// What a node of a group is to its network.
const fn role(role: NodeRole) -> Role {
    match role {
        NodeRole::Peer => Role::Peer,
        NodeRole::Hub => Role::Hub,
        NodeRole::Router => Role::Router,
        NodeRole::Edge => Role::Edge,
    }
}

/// Whom no node bans by itself. A hub that seals is a sealer.
fn protected(content: &Content) -> BTreeMap<PeerId, Protection> {
    let hubs = content.hubs.iter().map(|hub| (*hub, Protection::Hub));
    hubs.chain(content.sealers.iter().map(|sealer| (*sealer, Protection::Sealer))).collect()
}

/// What the snapshot means to the engine.
fn policy(current: &InForce, settings: NodeSettings) -> Policy {
    let content = &current.snapshot.content;
    Policy {
        bans: content
            .bans
            .iter()
            .map(|(subject, ban)| BanRecord { subject: subject.clone(), expires_at: ban.expires_at })
            .collect(),
        retired: content.retired.iter().copied().collect(),
        groups: content.groups.iter().map(|(name, group)| (name.clone(), group.nodes as usize)).collect(),
        protected: protected(content),
        registers: content.subscriptions.iter().map(|row| RegisterId::from_bytes(row.register)).collect(),
        limits: settings.limits,
        tuning: Some(Box::new(settings.engine)),
    }
}

#[cfg(test)]
mod tests;
