//! One run: start, safety phase, liveness phase, checks.
//!
//! ```text
//!  start ── warm-up ──┬── safety: load and faults ──┬── liveness: no faults, no load ──┬── report
//!                     └ figures from here to here ──┘   until all hold the same ───────┘
//! ```

use crate::{
    event::{HostId, What},
    faults::{self, Change, Fault},
    figures::Figures,
    host::Host,
    invariants::{self, Broken},
    network::Network,
    options::Options,
    pool::{Number, Pool},
    random::{Random, mix},
    report::{Measured, Report},
    scenarios::{Finding, Scenario},
    world::{Cuts, REGISTER, START, World},
};
use peerwright_engine::{Config, Engine, Micros, Policy, PolicyLimits, Statistics};
use peerwright_secure::NodeKey;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{PoisonError, RwLock},
    time::{Duration, Instant},
};

/// How often everything is looked at from outside.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often the liveness phase looks whether it is over.
const AGREE_EVERY: Duration = Duration::from_secs(1);

/// Runs a scenario to its end.
pub fn run(scenario: Scenario, options: Options) -> Result<Report, Box<Failure>> {
    let began = Instant::now();
    let mut simulation = Simulation::new(options);
    let findings = (scenario.script)(&mut simulation);
    let (options, trace) = (simulation.options().clone(), simulation.network.trace());
    match findings {
        Ok(findings) => Ok(simulation.report(findings, trace, began.elapsed())),
        Err(broken) => Err(Box::new(Failure { broken, options })),
    }
}

/// An invariant did not hold.
#[derive(Debug)]
pub struct Failure {
    /// Which, and where.
    pub broken: Broken,
    /// What the seed expanded to.
    pub options: Options,
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}", self.options)?;
        writeln!(formatter, "invariant {}", self.broken)?;
        write!(formatter, "run it again with: {}", self.options.replay())
    }
}

/// A simulation that runs.
#[derive(Debug)]
pub(crate) struct Simulation {
    pub network: Network,
    /// Counted since the last `measure`.
    figures: Figures,
    before: Vec<Statistics>,
    /// Events before that.
    events: u64,
    /// When the figures stopped being counted.
    measured: Option<Measured>,
    measured_since: Micros,
    measured_from: Instant,
    agreed_after: Duration,
    /// When everything was last looked at.
    looked: Micros,
}

impl Simulation {
    /// Hosts whose processes will start soon.
    fn new(options: Options) -> Self {
        let (nodes, seed) = (options.nodes, options.seed);
        let limits = PolicyLimits { heartbeat: options.heartbeat, ..PolicyLimits::default() };
        let policy = Policy { registers: vec![REGISTER], limits, ..Policy::default() };
        let count = nodes + u32::from(options.faults.contains(&Fault::Clone));
        let hosts = (0..count).map(|host| Host::new(host, key_of(seed, host), policy.clone(), seed)).collect();
        let world = World {
            options,
            pool: RwLock::new(Pool::default()),
            statements: RwLock::default(),
            hosts: count,
            cuts: Cuts::default(),
            hostile: Vec::new(),
            doubled: Vec::new(),
            absent: BTreeMap::new(),
            publishing: true,
        };
        let network = Network::new(world, hosts);
        let mut simulation = Self {
            network,
            figures: Figures::default(),
            before: Vec::new(),
            events: 0,
            measured: None,
            measured_since: START,
            measured_from: Instant::now(),
            agreed_after: Duration::ZERO,
            looked: START,
        };
        simulation.begin();
        simulation
    }

    /// Starts the processes and the load.
    fn begin(&mut self) {
        let options = self.options().clone();
        let mut random = Random::new(options.seed, 3);
        for host in 0..options.nodes {
            self.network.schedule(random.between(Duration::ZERO, options.start_within), host, What::Start);
        }
        for host in self.origins() {
            let first = options.warm_up / 4 + random.between(Duration::ZERO, options.publish_every);
            self.network.schedule(first, host, What::Publish);
        }
    }

    pub(crate) fn options(&self) -> &Options {
        &self.network.world.options
    }

    pub(crate) fn now(&self) -> Micros {
        self.network.now
    }

    /// The hosts that publish.
    pub(crate) fn origins(&self) -> Vec<HostId> {
        let (nodes, origins) = (u64::from(self.options().nodes), u64::from(self.options().origins));
        let place = |origin| HostId::try_from(origin * nodes / origins.max(1)).unwrap_or(0);
        (0..origins.min(nodes)).map(place).collect()
    }

    /// The time until nodes have linked; figures begin behind it.
    pub(crate) fn warm_up(&mut self) -> Result<(), Broken> {
        self.pass(self.options().warm_up)?;
        self.measure();
        Ok(())
    }

    /// Figures begin here.
    pub(crate) fn measure(&mut self) {
        self.collect();
        self.events += std::mem::take(&mut self.figures).events;
        self.before = self.statistics();
        self.measured = None;
        self.measured_since = self.now();
        self.measured_from = Instant::now();
    }

    /// The figures from the last `measure` to the end of the safety phase, or to now.
    pub(crate) fn measured(&mut self) -> Measured {
        if let Some(measured) = &self.measured {
            return measured.clone();
        }
        self.collect();
        Measured {
            nodes: self.options().nodes,
            time: self.now().since(self.measured_since),
            wall: self.measured_from.elapsed(),
            before: self.before.clone(),
            after: self.statistics().into_iter().chain(self.figures.ended.iter().copied()).collect(),
            figures: self.figures.clone(),
        }
    }

    fn collect(&mut self) {
        let more = self.network.take_figures();
        self.figures.add(&more);
    }

    /// Lets time pass, and looks at everything now and then.
    pub(crate) fn pass(&mut self, duration: Duration) -> Result<(), Broken> {
        let end = self.now() + duration;
        while self.now() < end {
            self.network.run(LOOK_EVERY.min(end.since(self.now())));
            if let Some(broken) = self.network.broken() {
                return Err(broken);
            }
            if self.now().since(self.looked) >= LOOK_EVERY {
                self.look()?;
            }
        }
        Ok(())
    }

    pub(crate) fn apply(&mut self, change: Change) {
        faults::apply(&mut self.network, change);
    }

    pub(crate) fn schedule(&mut self, delay: Duration, host: HostId, what: What) {
        self.network.schedule(delay, host, what);
    }

    pub(crate) fn stop_publishing(&mut self) {
        self.network.world.publishing = false;
    }

    /// The liveness phase: no more load and faults, until all agree; gives how long that took. Then the last checks.
    pub(crate) fn settle(&mut self) -> Result<Duration, Broken> {
        self.measured = Some(self.measured());
        self.stop_publishing();
        faults::heal(&mut self.network);
        self.agreed_after = self.agree(self.options().liveness)?;
        self.final_checks()?;
        Ok(self.agreed_after)
    }

    fn look(&mut self) -> Result<(), Broken> {
        self.looked = self.now();
        let mut config = Config::new(NodeKey::from_seed([0; 32]), 1, 0);
        (self.options().configure)(&mut config);
        for host in self.network.hosts() {
            let Some(engine) = host.engine.as_deref() else { continue };
            invariants::bounds::respected(&engine.statistics(), &config).map_err(|broken| self.place(broken, host))?;
        }
        Ok(())
    }

    fn place(&self, broken: Broken, host: &Host) -> Broken {
        Broken { at: self.now(), host: host.id, ..broken }
    }

    fn agree(&mut self, limit: Duration) -> Result<Duration, Broken> {
        let began = self.now();
        loop {
            self.pass(AGREE_EVERY)?;
            let passed = self.now().since(began);
            match self.differences() {
                Ok(()) => return Ok(passed),
                Err(broken) if passed >= limit => return Err(broken),
                Err(_) => {}
            }
        }
    }

    /// Whether all running nodes hold the same, and are ready.
    fn differences(&self) -> Result<(), Broken> {
        let all = invariants::converges::union(self.honest());
        let guilty = invariants::proofs::union(self.honest().map(|host| &host.convicted));
        let pool = self.network.world.pool.read().unwrap_or_else(PoisonError::into_inner);
        for host in self.honest() {
            let place = |broken| self.place(broken, host);
            let Some(engine) = host.engine.as_deref() else { continue };
            invariants::converges::holds_all(host, &all, &pool, |number| self.whose(&pool, number)).map_err(place)?;
            invariants::proofs::known(host.key.public(), &host.convicted, &guilty).map_err(place)?;
            invariants::readiness::at_the_end(engine.readiness()).map_err(place)?;
        }
        drop(pool);
        if self.options().advertises { self.advertised() } else { Ok(()) }
    }

    /// Whether all know of those that they are linked to what these say they hold.
    fn advertised(&self) -> Result<(), Broken> {
        let world = &self.network.world;
        for host in self.honest() {
            let Some(engine) = host.engine.as_deref() else { continue };
            let (linked, heard) = (engine.peers(), engine.advertisements());
            let peers = self.honest().filter(|peer| peer.engine.is_some() && world.is_sound(&peer.key.public()));
            for peer in peers.filter(|peer| linked.iter().any(|view| view.peer == peer.peer)) {
                invariants::advertised::as_they_are(host, &heard, peer).map_err(|broken| self.place(broken, host))?;
            }
        }
        Ok(())
    }

    /// What a message is, and who holds it.
    fn whose(&self, pool: &Pool, number: Number) -> String {
        let body = pool.entry(number).message.body();
        let origin = self.network.hosts().find(|host| host.key.public() == body.origin).map(|host| host.id);
        let holders: Vec<(HostId, Vec<HostId>)> = self
            .network
            .hosts()
            .filter(|host| host.store.volume.messages.contains(number))
            .map(|host| (host.id, host.linked_to()))
            .collect();
        let (incarnation, sequence) = (body.incarnation, body.sequence);
        format!(
            "{number}: origin {origin:?}, incarnation {incarnation}, sequence {sequence}, held by (and its links): {holders:?}"
        )
    }

    /// What becomes of the others is their own affair.
    pub(crate) fn honest(&self) -> impl Iterator<Item = &Host> {
        let world = &self.network.world;
        self.network.hosts().filter(|host| world.is_honest(host.id) && world.spare() != Some(host.id))
    }

    fn final_checks(&mut self) -> Result<(), Broken> {
        self.look()?;
        let all = invariants::converges::union(self.honest());
        for host in self.honest() {
            let place = |broken| self.place(broken, host);
            invariants::converges::nothing_lost(host, &all).map_err(place)?;
            let Some(engine) = host.engine.as_deref() else { continue };
            invariants::bans::no_link(&host.policy, engine).map_err(place)?;
            invariants::live_links::all_known(engine, |link| host.has_link(link)).map_err(place)?;
        }
        Ok(())
    }

    fn statistics(&self) -> Vec<Statistics> {
        self.network.hosts().filter_map(|host| host.engine.as_deref()).map(Engine::statistics).collect()
    }

    fn report(mut self, findings: Vec<Finding>, trace: u64, wall: Duration) -> Report {
        let measured = self.measured();
        self.collect();
        Report {
            options: self.options().clone(),
            findings,
            events: self.events + self.figures.events,
            measured,
            agreed_after: self.agreed_after,
            simulated: self.now().since(START),
            wall,
            trace,
        }
    }
}

/// A host's node key.
fn key_of(seed: u64, host: HostId) -> NodeKey {
    let mut bytes = [0; 32];
    for (place, chunk) in bytes.chunks_mut(8).enumerate() {
        let number = mix(seed ^ place as u64, 0x6b65_7900_0000_0000 | u64::from(host));
        chunk.copy_from_slice(&number.to_be_bytes());
    }
    NodeKey::from_seed(bytes)
}

#[cfg(test)]
mod tests {
    use super::Simulation;
    use crate::{faults::Change, options::Options};
    use std::time::Duration;

    #[test]
    fn who_is_asked_to_end_as_the_faults_end_is_among_those_who_agree() {
        let mut simulation = Simulation::new(Options::calm(1, 5));
        simulation.warm_up().unwrap();
        simulation.apply(Change::Drain(2));
        simulation.pass(Duration::from_secs(20)).unwrap();
        simulation.settle().unwrap();
    }
}
