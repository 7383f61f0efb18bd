//! What a simulation is like. One seed expands to all of it, and all of it is printed.

use crate::{adversary::Adversary, faults::Fault, random::Random};
use peerwright_engine::Config;
use std::{fmt, time::Duration};

const MILLISECOND: Duration = Duration::from_millis(1);

/// What nodes are told of the others' addresses when they start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// All of them, as a headless Service tells.
    All,
    /// The first so many nodes, the same for everybody.
    Seeds(u32),
    /// So many others, drawn for each node.
    Random(u32),
}

/// The settings of one run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where every choice comes from.
    pub seed: u64,
    /// The name of the scenario that these came from.
    pub scenario: &'static str,
    /// Nodes of the network.
    pub nodes: u32,
    /// Threads that share the nodes. The outcome does not depend on it.
    pub threads: usize,
    /// How long nodes are given to start and to link before anything is measured.
    pub warm_up: Duration,
    /// The safety phase: load, and faults.
    pub safety: Duration,
    /// The longest that the liveness phase may take until all agree.
    pub liveness: Duration,
    /// All nodes start within so long.
    pub start_within: Duration,
    /// What nodes are told of addresses.
    pub known: Known,
    /// One-way delay of a pair of nodes: drawn once for each pair.
    pub latency: (Duration, Duration),
    /// Added to it for each frame, at most.
    pub jitter: Duration,
    /// Packets lost, of a million; each is sent again and holds up what follows it on its link.
    pub loss: u32,
    /// How long a write takes to be durable.
    pub sync: (Duration, Duration),
    /// How long a read takes.
    pub read: Duration,
    /// Verdicts come in batches at multiples of this; zero: at once.
    pub verify_every: Duration,
    /// The verifier checks signatures instead of looking the verdict up, and both must agree.
    pub verify_signatures: bool,
    /// Nodes that publish.
    pub origins: u32,
    /// Mean time between two transactions of one of them.
    pub publish_every: Duration,
    /// Bytes of a transaction.
    pub transaction_bytes: usize,
    /// Every so many transactions one is above 32 KiB; zero: none.
    pub large_every: u32,
    /// Nodes say what they hold.
    pub advertises: bool,
    /// Time between two state heartbeats of a link.
    pub heartbeat: Duration,
    /// Who is banned is refused at the handshake, before the engine hears of it.
    pub bans_at_handshake: bool,
    /// Which faults happen.
    pub faults: Vec<Fault>,
    /// Mean time between two faults.
    pub fault_every: Duration,
    /// Who does not follow the protocol during the safety phase: the last hosts.
    pub adversaries: Vec<Adversary>,
    /// A known bug that every engine has.
    #[cfg(feature = "mutants")]
    pub mutant: Option<peerwright_engine::Mutant>,
    /// A known bug of the volume: the incarnation is used before it is durable, and a crash loses it.
    pub forgets_incarnations: bool,
    /// The longest that gossip may take to any node, where no fault excuses it.
    pub prompt_within: Option<Duration>,
    /// Changes the engine's settings.
    pub configure: fn(&mut Config),
}

impl Options {
    /// A network without faults.
    #[must_use]
    pub fn calm(seed: u64, nodes: u32) -> Self {
        Self {
            seed,
            scenario: "calm",
            nodes,
            threads: 1,
            warm_up: Duration::from_secs(10),
            safety: Duration::from_secs(60),
            liveness: Duration::from_secs(180),
            start_within: Duration::from_secs(2),
            known: if nodes <= 30 { Known::All } else { Known::Random(8) },
            latency: (10 * MILLISECOND, 50 * MILLISECOND),
            jitter: Duration::ZERO,
            loss: 0,
            sync: (MILLISECOND, MILLISECOND),
            read: MILLISECOND,
            verify_every: Duration::ZERO,
            verify_signatures: false,
            origins: nodes.min(64),
            publish_every: Duration::from_secs(10),
            transaction_bytes: 256,
            large_every: 0,
            advertises: false,
            heartbeat: Duration::from_secs(30),
            bans_at_handshake: true,
            faults: Vec::new(),
            fault_every: Duration::from_secs(5),
            adversaries: Vec::new(),
            #[cfg(feature = "mutants")]
            mutant: None,
            forgets_incarnations: false,
            prompt_within: None,
            configure: |_| {},
        }
    }

    /// A network whose conditions and faults the seed draws: each seed has a subset of the faults, so that rare
    /// combinations are met, too.
    #[must_use]
    pub fn swarm(seed: u64, nodes: u32, safety: Duration) -> Self {
        let mut random = Random::new(seed, 1);
        let mut options = Self::calm(seed, nodes);
        options.safety = safety;
        options.warm_up = Duration::from_secs(5);
        let slowest = [5, 20, 50, 200][random.place(4)];
        options.latency = (MILLISECOND, slowest * MILLISECOND);
        options.jitter = [0, 1, 20][random.place(3)] * MILLISECOND;
        options.loss = [0, 0, 10_000, 50_000][random.place(4)];
        options.sync = (Duration::from_micros(200), [1, 5, 40][random.place(3)] * MILLISECOND);
        options.verify_every = [0, 1, 10][random.place(3)] * MILLISECOND;
        options.origins = 1 + u32::try_from(random.below(u64::from(nodes))).unwrap_or(0);
        options.publish_every = Duration::from_secs(2 + random.below(20));
        options.transaction_bytes = [16, 256, 4_000][random.place(3)];
        options.large_every = [0, 0, 40][random.place(3)];
        options.advertises = seed.is_multiple_of(2);
        options.bans_at_handshake = random.chance(500_000);
        options.fault_every = Duration::from_secs(1 + random.below(15));
        options.faults = Fault::ALL.iter().copied().filter(|_| random.chance(500_000)).collect();
        options.adversaries = Adversary::ALL.iter().copied().filter(|_| random.chance(200_000)).collect();
        options
    }

    /// The command that runs this again.
    #[must_use]
    pub fn replay(&self) -> String {
        let minutes = self.safety.as_secs_f64() / 60.0;
        format!(
            "cargo xtask sim --scenario {} --nodes {} --seed {} --minutes {minutes}",
            self.scenario, self.nodes, self.seed
        )
    }
}

impl fmt::Display for Options {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "scenario {}, seed {}: {} nodes on {} threads, addresses {:?}, started within {:?}",
            self.scenario, self.seed, self.nodes, self.threads, self.known, self.start_within
        )?;
        writeln!(
            formatter,
            "phases: warm-up {:?}, safety {:?}, liveness at most {:?}",
            self.warm_up, self.safety, self.liveness
        )?;
        writeln!(
            formatter,
            "network: latency {:?} to {:?}, jitter {:?}, {} of a million packets lost, bans at the handshake: {}",
            self.latency.0, self.latency.1, self.jitter, self.loss, self.bans_at_handshake
        )?;
        writeln!(
            formatter,
            "node: sync {:?} to {:?}, read {:?}, verdicts every {:?}, signatures checked: {}, heartbeat {:?}",
            self.sync.0, self.sync.1, self.read, self.verify_every, self.verify_signatures, self.heartbeat
        )?;
        writeln!(
            formatter,
            "load: {} origins, a transaction of {} bytes every {:?} each, one in {} above 32 KiB; advertisements: {}",
            self.origins, self.transaction_bytes, self.publish_every, self.large_every, self.advertises
        )?;
        writeln!(formatter, "adversaries: {:?}", self.adversaries)?;
        write!(formatter, "faults: one every {:?} of {:?}", self.fault_every, self.faults)?;
        #[cfg(feature = "mutants")]
        if let Some(mutant) = self.mutant {
            write!(formatter, "\nknown bug: {mutant:?}")?;
        }
        Ok(())
    }
}
