//! One run: start, safety phase, liveness phase, checks.
//!
//! ```text
//!  start ── warm-up ──┬── safety: load and faults ──┬── liveness: no faults, no load ──┬── report
//!                     └ figures from here to here ──┘   until all hold the same ───────┘
//! ```

use crate::{
    event::{HostId, What},
    faults,
    figures::Figures,
    host::Host,
    invariants::{self, Broken},
    network::Network,
    options::Options,
    pool::Pool,
    report::Report,
    world::{Cuts, REGISTER, START, World},
};
use peerwright_engine::{Config, Policy, PolicyLimits, Statistics};
use peerwright_secure::NodeKey;
use std::{
    sync::RwLock,
    time::{Duration, Instant},
};

/// How often everything is looked at from outside.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often the liveness phase looks whether it is over.
const AGREE_EVERY: Duration = Duration::from_secs(1);

/// A simulation that runs.
#[derive(Debug)]
pub struct Simulation {
    pub(crate) network: Network,
    began: Instant,
}

/// Runs a simulation to its end.
pub fn run(options: Options) -> Result<Report, Box<Failure>> {
    let mut simulation = Simulation::new(options);
    simulation
        .finish()
        .map_err(|broken| Box::new(Failure { broken, options: simulation.network.world.options.clone() }))
}

/// An invariant did not hold.
#[derive(Debug)]
pub struct Failure {
    /// Which, and where.
    pub broken: Broken,
    /// What the seed expanded to.
    pub options: Options,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(formatter, "{}", self.options)?;
        writeln!(formatter, "invariant {}", self.broken)?;
        write!(formatter, "run it again with: {}", self.options.replay())
    }
}

impl Simulation {
    /// Hosts whose processes will start soon.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let began = Instant::now();
        let nodes = options.nodes;
        let policy = Policy {
            bans: Vec::new(),
            registers: vec![REGISTER],
            limits: PolicyLimits { heartbeat: options.heartbeat, ..PolicyLimits::default() },
        };
        let seed = options.seed;
        let hosts = (0..nodes).map(|host| Host::new(host, key_of(seed, host), policy.clone(), seed)).collect();
        let start_within = options.start_within;
        let origins = options.origins.min(nodes);
        let publish_after = options.warm_up / 2;
        let publish_every = options.publish_every;
        let world = World {
            options,
            pool: RwLock::new(Pool::default()),
            hosts: nodes,
            cuts: Cuts::default(),
            hostile: Vec::new(),
            reusing: Vec::new(),
            publishing: true,
        };
        let mut network = Network::new(world, hosts);
        let mut random = crate::random::Random::new(seed, 3);
        for host in 0..nodes {
            network.schedule(random.between(Duration::ZERO, start_within), host, What::Start);
        }
        for origin in 0..origins {
            let host = HostId::try_from(u64::from(origin) * u64::from(nodes) / u64::from(origins)).unwrap_or(0);
            let first = publish_after + random.between(Duration::ZERO, publish_every);
            network.schedule(first, host, What::Publish);
        }
        Self { network, began }
    }

    fn finish(&mut self) -> Result<Report, Broken> {
        let options = self.network.world.options.clone();
        self.pass(options.warm_up)?;
        self.network.take_figures();
        let before = self.statistics(&Figures::default());
        let began = self.network.now;
        for (at, change) in faults::plan(&options) {
            self.pass((began + at).since(self.network.now))?;
            faults::apply(&mut self.network, change);
        }
        self.pass((began + options.safety).since(self.network.now))?;
        let figures = self.network.take_figures();
        let after = self.statistics(&figures);
        self.network.world.publishing = false;
        faults::heal(&mut self.network);
        let agreed_after = self.agree(options.liveness)?;
        self.final_checks()?;
        let total_figures = self.network.take_figures();
        Ok(Report {
            options,
            figures,
            events: total_figures.events,
            before,
            after,
            agreed_after,
            simulated: self.network.now.since(START),
            wall: self.began.elapsed(),
            trace: self.network.trace(),
        })
    }

    /// Lets time pass, and looks at everything now and then.
    fn pass(&mut self, duration: Duration) -> Result<(), Broken> {
        let end = self.network.now + duration;
        while self.network.now < end {
            self.network.run(LOOK_EVERY.min(end.since(self.network.now)));
            self.look()?;
        }
        Ok(())
    }

    fn look(&self) -> Result<(), Broken> {
        if let Some(broken) = self.network.broken() {
            return Err(broken);
        }
        let mut config = Config::new(NodeKey::from_seed([0; 32]), 1, 0);
        (self.network.world.options.configure)(&mut config);
        for host in self.network.hosts() {
            let Some(engine) = host.engine.as_deref() else { continue };
            invariants::bounds::respected(&engine.statistics(), &config).map_err(|broken| self.place(broken, host))?;
        }
        Ok(())
    }

    fn place(&self, broken: Broken, host: &Host) -> Broken {
        Broken { at: self.network.now, host: host.id, ..broken }
    }

    /// Lets time pass until all hold the same; gives how long it took.
    fn agree(&mut self, limit: Duration) -> Result<Duration, Broken> {
        let began = self.network.now;
        loop {
            self.pass(AGREE_EVERY)?;
            let passed = self.network.now.since(began);
            match self.differences() {
                Ok(()) => return Ok(passed),
                Err(broken) if passed >= limit => return Err(broken),
                Err(_) => {}
            }
        }
    }

    /// Whether all running nodes hold the same, and are ready.
    fn differences(&self) -> Result<(), Broken> {
        let all = invariants::converges::union(self.network.hosts());
        for host in self.network.hosts() {
            let place = |broken| self.place(broken, host);
            let Some(engine) = host.engine.as_deref() else { continue };
            invariants::converges::holds_all(host, &all).map_err(place)?;
            invariants::readiness::at_the_end(engine.readiness()).map_err(place)?;
        }
        Ok(())
    }

    fn final_checks(&self) -> Result<(), Broken> {
        let all = invariants::converges::union(self.network.hosts());
        for host in self.network.hosts() {
            let place = |broken| self.place(broken, host);
            invariants::converges::nothing_lost(host, &all).map_err(place)?;
            let Some(engine) = host.engine.as_deref() else { continue };
            invariants::bans::no_link(&host.policy, engine).map_err(place)?;
            invariants::live_links::all_known(engine, |link| host.has_link(link)).map_err(place)?;
        }
        Ok(())
    }

    /// What all engines have counted, those whose processes have ended among them.
    fn statistics(&self, figures: &Figures) -> Vec<Statistics> {
        let running = self.network.hosts().filter_map(|host| host.engine.as_deref());
        running.map(peerwright_engine::Engine::statistics).chain(figures.ended.iter().copied()).collect()
    }
}

/// A host's node key.
fn key_of(seed: u64, host: HostId) -> NodeKey {
    let mut bytes = [0; 32];
    for (place, chunk) in bytes.chunks_mut(8).enumerate() {
        let number = crate::random::mix(seed ^ place as u64, 0x6b65_7900_0000_0000 | u64::from(host));
        chunk.copy_from_slice(&number.to_be_bytes());
    }
    NodeKey::from_seed(bytes)
}
