//! The whole of a run: hosts, network, load, what was promised to whom.

use super::{
    Broken, HOSTS, SEALERS,
    chance::Chance,
    host::{Host, read},
    invariants::{self, Acknowledged, Certified},
    load::Load,
};
use crate::{api::Node, dev::Authority, run::tests::registers::orders, testing::authority};
use peerwright_ledger::RegisterId;
use peerwright_secure::NodeKey;
use peerwright_snapshot::Subscription;
use peerwright_store::DocketStore;
use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    ops::Range,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};
use turmoil::{Builder, Sim};

const TICK: Duration = Duration::from_millis(5);
/// The longest that a message is on its way while the weather is good.
pub(super) const CALM: Duration = Duration::from_millis(25);
/// So many segments wait at one end of a connection.
const SEGMENTS: usize = 1 << 14;
/// The network has come up and begun a register within this time.
const BEGIN_WITHIN: Duration = Duration::from_secs(60);
/// Everything is as promised within this time once all is healed.
pub(super) const SETTLE_WITHIN: Duration = Duration::from_secs(120);
/// Between two looks at what is waited for.
pub(super) const LOOK: Duration = Duration::from_millis(250);
/// How long a step takes at most, beside short cuts.
const STEP_MILLIS: u64 = 1_500;
/// The register before it has begun.
const NONE_YET: RegisterId = RegisterId::from_bytes([0; 16]);
/// No run is longer.
const LONGEST: Duration = Duration::from_secs(3_600);

pub(super) struct World {
    pub(super) sim: Sim<'static>,
    pub(super) hosts: Rc<[Rc<Host>]>,
    pub(super) chance: Chance,
    pub(super) register: RegisterId,
    pub(super) load: Load,
    pub(super) acknowledged: Rc<RefCell<Acknowledged>>,
    /// The first answer that was wrong.
    pub(super) broken: Rc<RefCell<Option<Broken>>>,
    /// Hosts that have crashed and are not started again.
    pub(super) down: BTreeSet<usize>,
    /// Hosts whose nodes hand leadership over, because they are about to end.
    pub(super) leaving: BTreeSet<usize>,
    /// Hosts that are cut off for a moment.
    pub(super) interrupted: Vec<(usize, Duration)>,
    certified: Certified,
    begun: Instant,
}

impl World {
    /// Sealers, replicas and a register to which all subscribe; nothing has failed yet.
    pub(super) fn begin(seed: u64) -> Result<Self, Broken> {
        let authority = authority();
        let mut world = Self::new(seed, &authority);
        let sealers: BTreeSet<_> = world.hosts[..SEALERS].iter().map(|host| host.peer_id()).collect();
        let named = authority.publish(|content| {
            content.founders.clone_from(&sealers);
            content.sealers = sealers;
            content.subscriptions.clear();
        });
        // Every node has it from its start.
        drop(named.unwrap());
        let register = world.begin_register()?;
        world.register = register;
        *world.acknowledged.borrow_mut() = Acknowledged::new(world.hosts.clone(), register);
        let subscribe = authority.publish(|content| {
            content.subscriptions.insert(*register.as_bytes(), Subscription::default());
        });
        let snapshot = Rc::new(subscribe.unwrap());
        for host in &*world.hosts {
            let snapshot = Rc::clone(&snapshot);
            host.run(move |node| async move { drop(node.membership.adopt_snapshot(&snapshot).unwrap()) });
        }
        Ok(world)
    }

    /// Hosts on which nothing runs yet.
    fn new(seed: u64, authority: &Arc<Authority>) -> Self {
        let host = |number: usize| {
            let key = NodeKey::from_seed([u8::try_from(number + 1).unwrap(); 32]);
            Host::new(number, HOSTS, key, authority.clone())
        };
        let hosts: Rc<[Rc<Host>]> = (0..HOSTS).map(host).collect();
        Self {
            sim: network(seed, &hosts),
            chance: Chance::new(seed),
            register: NONE_YET,
            load: Load::new(),
            acknowledged: Rc::new(RefCell::new(Acknowledged::new(hosts.clone(), NONE_YET))),
            broken: Rc::default(),
            down: BTreeSet::new(),
            leaving: BTreeSet::new(),
            interrupted: Vec::new(),
            certified: Certified::default(),
            begun: Instant::now(),
            hosts,
        }
    }

    fn begin_register(&mut self) -> Result<RegisterId, Broken> {
        self.until(BEGIN_WITHIN, |world| {
            world.hosts.iter().find(|host| host.node().is_none()).map(|host| format!("host {} starts", host.number))
        })?;
        let begun = Rc::new(Cell::new(None));
        let told = Rc::clone(&begun);
        self.hosts[HOSTS - 1].run(move |node| async move {
            while told.get().is_none() {
                told.set(node.create_register(orders()).await.ok());
                tokio::time::sleep(LOOK).await;
            }
        });
        self.until(BEGIN_WITHIN, |_| begun.get().is_none().then(|| "no register has begun".to_owned()))?;
        Ok(begun.get().unwrap())
    }

    /// What the clocks of all hosts show, unix microseconds.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.sim.since_epoch().as_micros()).unwrap()
    }

    /// Fails, works, and looks whether what must hold always does.
    pub(super) fn step(&mut self) -> Result<(), Broken> {
        self.end_leaving();
        if self.chance.one_in(2) {
            self.fail();
        }
        self.hand_in();
        for (host, blink) in self.blinks() {
            self.pass(blink)?;
            self.reconnect(host);
        }
        let rest = self.chance.millis(1, STEP_MILLIS);
        self.pass(rest)?;
        self.check_always()
    }

    /// Lets the network run for so long.
    pub(super) fn pass(&mut self, time: Duration) -> Result<(), Broken> {
        let until = self.sim.elapsed() + time;
        while self.sim.elapsed() < until {
            self.sim.step().map_err(|error| Broken::new("runs", error.to_string()))?;
        }
        self.broken.borrow_mut().take().map_or(Ok(()), Err)
    }

    /// Lets the network run until nothing is missing any more.
    fn until(&mut self, patience: Duration, missing: impl Fn(&Self) -> Option<String>) -> Result<(), Broken> {
        let until = self.sim.elapsed() + patience;
        while let Some(what) = missing(self) {
            if self.sim.elapsed() > until {
                return Err(Broken::new("settles", what));
            }
            tracing::debug!(at = ?self.sim.elapsed(), what, "is waited for");
            self.pass(LOOK)?;
            self.check_always()?;
        }
        Ok(())
    }

    fn check_always(&mut self) -> Result<(), Broken> {
        for host in &*self.hosts {
            self.certified.check(host.number, &*host.volume, self.register)?;
            if host.node().is_some_and(|node| node.registers.fork(self.register).is_some()) {
                return Err(Broken::new("certified", format!("host {} has found two histories", host.number)));
            }
        }
        self.acknowledged.borrow().check_accepted()
    }

    /// All hold the same and nothing waits; then each node commits again. Gives how long it took until all held the same.
    pub(super) fn settle(&mut self) -> Result<Duration, Broken> {
        let healed = self.sim.elapsed();
        self.until(SETTLE_WITHIN, Self::unsettled)?;
        let level = self.sim.elapsed() - healed;
        self.commit(0..HOSTS, SETTLE_WITHIN)?;
        self.until(SETTLE_WITHIN, Self::unsettled)?;
        Ok(level)
    }

    /// Each of these nodes commits something new within this time.
    pub(super) fn commit(&mut self, hosts: Range<usize>, patience: Duration) -> Result<(), Broken> {
        let sent = self.hand_in_at_each(hosts);
        self.until(patience, |world| {
            let missing = world.acknowledged.borrow().not_committed(&sent);
            (missing > 0).then(|| format!("{missing} nodes have not committed something new"))
        })
    }

    /// The sealer that this replica follows, once it follows one.
    pub(super) fn sealer_followed_by(&mut self, replica: usize) -> Result<usize, Broken> {
        let followed = |world: &Self| {
            let source = world.hosts[replica].node()?.registers.progress(world.register)?.source?;
            world.hosts[..SEALERS].iter().position(|host| host.peer_id() == source)
        };
        let missing = |world: &Self| followed(world).is_none().then(|| format!("host {replica} follows no sealer"));
        self.until(BEGIN_WITHIN, missing)?;
        Ok(followed(self).unwrap())
    }

    /// What is not yet as it must come to be.
    fn unsettled(&self) -> Option<String> {
        let mut heads = BTreeSet::new();
        for host in &*self.hosts {
            let Some(node) = host.node() else { return Some(format!("host {} has not started", host.number)) };
            let waiting = node.registers.outbox_figures().open;
            if waiting > 0 {
                return Some(format!("{waiting} wait in the outbox of host {}", host.number));
            }
            heads.insert(read(host.volume.held_dockets(self.register)).and_then(|held| held.certified_through));
        }
        if heads.len() > 1 {
            return Some(format!("heads are {heads:?}"));
        }
        let open = self.acknowledged.borrow().open();
        (open > 0).then(|| format!("{open} that were accepted are neither in a docket nor expired"))
    }

    /// Everything that must hold in the end.
    pub(super) fn check_all(&self) -> Result<(), Broken> {
        let mut histories = Vec::new();
        for host in &*self.hosts {
            histories.push((host.number, invariants::history(&*host.volume, self.register)?));
        }
        invariants::prefixes::check(&histories)?;
        for (host, dockets) in &histories {
            let sealed = invariants::stranger::check(*host, dockets, self.register, self.now())?;
            self.acknowledged.borrow().check_all(&sealed)?;
        }
        Ok(())
    }

    /// What the run came to.
    pub(super) fn summary(&self) -> String {
        let [accepted, committed, expired] = self.acknowledged.borrow().counts();
        format!(
            "{} transactions, accepted {accepted} times, {committed} told to be committed, {expired} to have expired; {} dockets; {:?} \
             in {:.1?}",
            self.load.count(),
            self.certified.dockets(),
            self.sim.elapsed(),
            self.begun.elapsed(),
        )
    }
}

fn network(seed: u64, hosts: &[Rc<Host>]) -> Sim<'static> {
    let mut sim = Builder::new()
        .rng_seed(seed)
        .tick_duration(TICK)
        .min_message_latency(TICK)
        .max_message_latency(CALM)
        .tcp_capacity(SEGMENTS)
        .simulation_duration(LONGEST)
        .build();
    for host in hosts {
        let host = Rc::clone(host);
        sim.host(Host::name(host.number), move || Rc::clone(&host).live());
    }
    sim
}
