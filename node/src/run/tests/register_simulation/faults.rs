//! What fails: hosts, and what is between them.

use super::{
    HOSTS, SEALERS,
    host::Host,
    world::{CALM, World},
};
use std::time::Duration;
use turmoil::Sim;

/// The longest that a message may be on its way in bad weather.
const STORM_MILLIS: u64 = 400;
/// A cut this short takes what is on its way, and with it the connections.
const BLINK_MILLIS: u64 = 40;

/// A failure, or the end of some.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Crash,
    CrashLeader,
    HandOver,
    Start,
    Part,
    Isolate,
    CutOneWay,
    Hold,
    LoseConnections,
    Worsen,
    MendNetwork,
    Heal,
}

/// One of these is drawn; what stands twice is twice as likely.
const DRAWN: [Fault; 15] = [
    Fault::Crash,
    Fault::CrashLeader,
    Fault::HandOver,
    Fault::Start,
    Fault::Start,
    Fault::Part,
    Fault::Part,
    Fault::Isolate,
    Fault::CutOneWay,
    Fault::Hold,
    Fault::LoseConnections,
    Fault::LoseConnections,
    Fault::Worsen,
    Fault::MendNetwork,
    Fault::Heal,
];

impl World {
    /// One failure, or the end of some.
    pub(super) fn fail(&mut self) {
        let host = usize::try_from(self.chance.below(HOSTS as u64)).unwrap();
        let Some(fault) = self.chance.pick(&DRAWN) else { return };
        tracing::info!(at = ?self.sim.elapsed(), ?fault, host, "fails");
        match fault {
            Fault::Crash => self.crash(host),
            Fault::CrashLeader => self.crash_leader(),
            Fault::HandOver => self.hand_over(),
            Fault::Start => self.bounce(host),
            Fault::Part => self.part(),
            Fault::Isolate => self.isolate(host),
            Fault::CutOneWay => self.cut_one_way(host),
            Fault::Hold => self.hold(host),
            Fault::LoseConnections => self.lose_connections(host),
            Fault::Worsen => self.worsen(),
            Fault::MendNetwork => self.mend_network(),
            Fault::Heal => self.heal(),
        }
    }

    /// Everything that runs on a host is gone; its volume is not.
    pub(super) fn crash(&mut self, host: usize) {
        if self.down.insert(host) {
            self.sim.crash(Host::name(host));
            self.hosts[host].forget_node();
        }
    }

    /// Whoever leads crashes, and of several that believe so the first.
    fn crash_leader(&mut self) {
        if let Some(leader) = self.hosts.iter().position(|host| host.is_leading()) {
            self.crash(leader);
        }
    }

    /// Leadership goes to another sealer before a planned end.
    fn hand_over(&mut self) {
        for host in self.hosts.iter().filter(|host| host.is_leading()) {
            host.run(|node| async move { node.creator.sealer.hand_over().await });
            self.leaving.insert(host.number);
        }
    }

    /// Who has handed over, or had time for it, ends and starts again: it does not stand for leadership before that.
    pub(super) fn end_leaving(&mut self) {
        for host in std::mem::take(&mut self.leaving) {
            self.crash(host);
            self.bounce(host);
        }
    }

    /// A host that has crashed starts again.
    pub(super) fn bounce(&mut self, host: usize) {
        if self.down.remove(&host) {
            self.sim.bounce(Host::name(host));
        }
    }

    /// Two parts of the network hear nothing of each other.
    fn part(&mut self) {
        let (here, there): (Vec<_>, Vec<_>) = (0..HOSTS).partition(|_| self.chance.one_in(2));
        for (one, other) in here.iter().flat_map(|one| there.iter().map(move |other| (*one, *other))) {
            self.between(one, other, Sim::partition);
        }
    }

    /// Sealers and replicas hear nothing of each other.
    pub(super) fn part_replicas(&self) {
        for sealer in 0..SEALERS {
            (SEALERS..HOSTS).for_each(|replica| self.between(sealer, replica, Sim::partition));
        }
    }

    /// A sealer and the other sealers hear nothing of each other.
    pub(super) fn part_sealer(&self, sealer: usize) {
        (0..SEALERS).filter(|other| *other != sealer).for_each(|other| self.between(sealer, other, Sim::partition));
    }

    /// A host and all others hear nothing of each other.
    pub(super) fn isolate(&self, host: usize) {
        self.with_others(host, Sim::partition);
    }

    /// Some others do not hear this host.
    fn cut_one_way(&mut self, host: usize) {
        for other in (0..HOSTS).filter(|other| *other != host) {
            if self.chance.one_in(2) {
                self.between(host, other, Sim::partition_oneway);
            }
        }
    }

    /// What is said between this host and the others waits.
    fn hold(&self, host: usize) {
        self.with_others(host, Sim::hold);
    }

    /// Whatever is on its way to or from this host is lost. A simulated connection sends nothing again: it stands still until
    /// somebody ends it.
    fn lose_connections(&mut self, host: usize) {
        self.isolate(host);
        self.interrupted.push((host, self.chance.millis(1, BLINK_MILLIS)));
    }

    fn worsen(&mut self) {
        let slowest = self.chance.millis(BLINK_MILLIS, STORM_MILLIS);
        self.sim.set_max_message_latency(slowest);
    }

    /// The network is well again. What was held arrives.
    pub(super) fn mend_network(&self) {
        self.sim.set_max_message_latency(CALM);
        for host in 0..HOSTS {
            self.with_others(host, Sim::release);
        }
    }

    /// Nothing fails any more.
    pub(super) fn heal(&mut self) {
        self.mend_network();
        self.end_leaving();
        (0..HOSTS).for_each(|host| self.bounce(host));
    }

    /// The short cuts of this step end, one after the other.
    pub(super) fn blinks(&mut self) -> Vec<(usize, Duration)> {
        std::mem::take(&mut self.interrupted)
    }

    /// This host is heard again.
    pub(super) fn reconnect(&self, host: usize) {
        self.with_others(host, Sim::repair);
    }

    fn with_others(&self, host: usize, change: impl Fn(&Sim<'static>, String, String)) {
        for other in (0..HOSTS).filter(|other| *other != host) {
            self.between(host, other, &change);
        }
    }

    fn between(&self, one: usize, other: usize, change: impl Fn(&Sim<'static>, String, String)) {
        change(&self.sim, Host::name(one), Host::name(other));
    }
}
