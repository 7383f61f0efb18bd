//! What fails: hosts, and what is between them.

use super::{
    HOSTS,
    host::Host,
    world::{CALM, World},
};
use std::time::Duration;
use turmoil::Sim;

/// The longest that a message may be on its way in bad weather.
const STORM_MILLIS: u64 = 400;
/// A cut this short takes what is on its way, and with it the connections.
const BLINK_MILLIS: u64 = 40;

impl World {
    /// One failure, or the end of some.
    pub(super) fn fail(&mut self) {
        let Some(host) = self.chance.pick(&(0..HOSTS).collect::<Vec<_>>()) else { return };
        match self.chance.below(14) {
            0 => self.crash(host),
            1 => self.crash_leader(),
            2 | 3 => self.bounce(host),
            4 | 5 => self.part(),
            6 => self.isolate(host),
            7 => self.cut_one_way(host),
            8 => self.hold(host),
            9 | 10 => self.lose_connections(host),
            11 => self.worsen(),
            12 => self.mend_network(),
            _ => self.heal(),
        }
    }

    fn crash(&mut self, host: usize) {
        if self.down.insert(host) {
            self.sim.crash(Host::name(host));
            self.hosts[host].forget_node();
        }
    }

    fn crash_leader(&mut self) {
        if let Some(leader) = self.hosts.iter().position(|host| host.is_leading()) {
            self.crash(leader);
        }
    }

    fn bounce(&mut self, host: usize) {
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

    fn isolate(&self, host: usize) {
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
    fn mend_network(&self) {
        self.sim.set_max_message_latency(CALM);
        for host in 0..HOSTS {
            self.with_others(host, Sim::release);
        }
    }

    /// Nothing fails any more.
    pub(super) fn heal(&mut self) {
        self.mend_network();
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
