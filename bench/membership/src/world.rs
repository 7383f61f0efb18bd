//! Hosts of foca and what is between them: an event heap, as the simulator of ours has one.
//!
//! Times and delays follow the same rules: a delay for each pair, 10 to 50 ms; a paused host handles nothing until it goes
//! on, and then all that came; a host without power loses what comes. A lost packet is gone: foca rides on datagrams.

use bytes::Bytes;
use foca::{AccumulatingRuntime, Config, Foca, Identity, NoCustomBroadcast, OwnedNotification, PostcardCodec, Timer};
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};
use serde::{Deserialize, Serialize};
use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    net::{Ipv4Addr, SocketAddrV4},
    num::NonZeroU32,
    time::Duration,
};

/// One-way delay of a pair, microseconds.
const LATENCY: std::ops::RangeInclusive<u64> = 10_000..=50_000;
/// Every host is told of so many others.
const KNOWN: usize = 8;
/// Verdicts on a host that was away so recently are no false ones: foca suspects for up to twelve seconds before it says so.
const EXCUSED: Duration = Duration::from_secs(30);
const PORT: u16 = 5_000;

/// A member's name: where it is, and which life of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Name {
    address: SocketAddrV4,
    life: u64,
}

impl Identity for Name {
    type Addr = SocketAddrV4;

    fn renew(&self) -> Option<Self> {
        Some(Self { life: self.life + 1, ..*self })
    }

    fn addr(&self) -> SocketAddrV4 {
        self.address
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        self.life > adversary.life
    }
}

struct Host {
    foca: Foca<Name, PostcardCodec, SmallRng, NoCustomBroadcast>,
    /// Counts its starts: what an earlier process has set does not ring in a later one.
    process: u32,
    running: bool,
    paused_until: u64,
    excused_until: u64,
    /// Whether it holds the watched host for gone.
    knows: bool,
}

enum What {
    Packet(Bytes),
    Timer(u32, Timer<Name>),
}

struct Event {
    at: u64,
    number: u64,
    to: usize,
    what: What,
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl Eq for Event {}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Event {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// All hosts, and time.
pub(crate) struct World {
    seed: u64,
    now: u64,
    heap: BinaryHeap<Reverse<Event>>,
    number: u64,
    hosts: Vec<Host>,
    random: SmallRng,
    config: Config,
    /// Packets lost, of a million.
    loss: u32,
    watched: Option<usize>,
    /// Bytes of all packets so far.
    pub(crate) sent: u64,
    /// Verdicts on hosts that were there, and on others.
    pub(crate) verdicts: [u64; 2],
}

impl World {
    /// Hosts that all start now.
    pub(crate) fn new(seed: u64, nodes: u32, loss: u32) -> Self {
        let size = NonZeroU32::new(nodes).unwrap_or(NonZeroU32::MIN);
        let mut world = Self {
            seed,
            now: 0,
            heap: BinaryHeap::new(),
            number: 0,
            hosts: Vec::new(),
            random: SmallRng::seed_from_u64(seed),
            config: Config::new_lan(size),
            loss,
            watched: None,
            sent: 0,
            verdicts: [0; 2],
        };
        for number in 0..nodes {
            let host = world.host(number, 1);
            world.hosts.push(host);
        }
        for number in 0..world.hosts.len() {
            world.join(number);
        }
        world
    }

    fn host(&mut self, number: u32, process: u32) -> Host {
        let name = Name { address: address(number), life: u64::from(process) << 32 };
        let random = SmallRng::seed_from_u64(self.random.random());
        let foca = Foca::new(name, self.config.clone(), random, PostcardCodec);
        Host { foca, process, running: true, paused_until: 0, excused_until: 0, knows: false }
    }

    fn join(&mut self, number: usize) {
        for _ in 0..KNOWN {
            let other = self.random.random_range(0..self.hosts.len());
            let Some(to) = self.hosts.get(other).map(|host| *host.foca.identity()).filter(|_| other != number) else {
                continue;
            };
            self.with(number, |host, runtime| host.foca.announce(Name { life: 0, ..to }, runtime));
        }
    }

    /// How many hosts there are.
    pub(crate) fn len(&self) -> usize {
        self.hosts.len()
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, duration: Duration) {
        let end = self.now + micros(duration);
        while self.heap.peek().is_some_and(|Reverse(event)| event.at <= end) {
            let Some(Reverse(event)) = self.heap.pop() else { break };
            self.now = event.at;
            self.happen(event);
        }
        self.now = end;
    }

    fn happen(&mut self, event: Event) {
        let Some(host) = self.hosts.get(event.to).filter(|host| host.running) else { return };
        if self.now < host.paused_until {
            let at = host.paused_until;
            return self.push(at, event.to, event.what);
        }
        let process = host.process;
        match event.what {
            // What a member says of one that is gone, and the like, is refused by foca itself.
            What::Packet(bytes) => self.with(event.to, |host, runtime| host.foca.handle_data(&bytes, runtime)),
            What::Timer(of, timer) if of == process => {
                self.with(event.to, |host, runtime| host.foca.handle_timer(timer, runtime));
            }
            What::Timer(..) => {}
        }
    }

    fn with<E>(
        &mut self,
        number: usize,
        action: impl FnOnce(&mut Host, &mut AccumulatingRuntime<Name>) -> Result<(), E>,
    ) {
        let Some(host) = self.hosts.get_mut(number) else { return };
        let mut runtime = AccumulatingRuntime::new();
        // Foca's errors are about what others have sent; it has done what there was to do.
        drop(action(host, &mut runtime));
        let process = host.process;
        while let Some((to, bytes)) = runtime.to_send() {
            self.send(number, to, bytes);
        }
        while let Some((after, timer)) = runtime.to_schedule() {
            self.push(self.now + micros(after), number, What::Timer(process, timer));
        }
        while let Some(notification) = runtime.to_notify() {
            self.hear(number, &notification);
        }
    }

    fn send(&mut self, from: usize, to: Name, bytes: Bytes) {
        self.sent += bytes.len() as u64;
        if self.random.random_range(0..1_000_000) < self.loss {
            return;
        }
        let to = place(to.address);
        let at = self.now + self.latency(from, to);
        self.push(at, to, What::Packet(bytes));
    }

    fn hear(&mut self, at: usize, notification: &OwnedNotification<Name>) {
        let (name, is_down) = match notification {
            OwnedNotification::MemberDown(name) => (name, true),
            OwnedNotification::MemberUp(name) => (name, false),
            _ => return,
        };
        let subject = place(name.address);
        if self.watched == Some(subject)
            && let Some(host) = self.hosts.get_mut(at)
        {
            host.knows = is_down;
        }
        let is_excused = self.hosts.get(subject).is_some_and(|host| !host.running || self.now < host.excused_until);
        if is_down {
            let [false_ones, of_absent] = &mut self.verdicts;
            *if is_excused { of_absent } else { false_ones } += 1;
        }
    }

    fn push(&mut self, at: u64, to: usize, what: What) {
        self.number += 1;
        self.heap.push(Reverse(Event { at, number: self.number, to, what }));
    }

    /// As the simulator of ours: drawn once for each pair.
    fn latency(&self, one: usize, other: usize) -> u64 {
        let pair = (one.min(other) as u64) << 32 | one.max(other) as u64;
        LATENCY.start()
            + SmallRng::seed_from_u64(self.seed ^ pair.rotate_left(17))
                .random_range(0..=LATENCY.end() - LATENCY.start())
    }

    /// A host does nothing for a while.
    pub(crate) fn pause(&mut self, number: usize, pause: Duration) {
        let until = self.now + micros(pause);
        if let Some(host) = self.hosts.get_mut(number) {
            host.paused_until = host.paused_until.max(until);
            host.excused_until = host.excused_until.max(until + micros(EXCUSED));
        }
    }

    /// A host is gone without a word.
    pub(crate) fn power_off(&mut self, number: usize) {
        self.watched = Some(number);
        for host in &mut self.hosts {
            host.knows = false;
        }
        if let Some(host) = self.hosts.get_mut(number) {
            host.running = false;
        }
    }

    /// It runs again: another process, which joins as it did first.
    pub(crate) fn power_on(&mut self, number: usize) {
        let process = self.hosts.get(number).map_or(1, |host| host.process + 1);
        let mut fresh = self.host(u32::try_from(number).unwrap_or(0), process);
        fresh.excused_until = self.now + micros(EXCUSED);
        if let Some(host) = self.hosts.get_mut(number) {
            *host = fresh;
        }
        self.join(number);
    }

    /// Whether every host knows every other.
    pub(crate) fn is_full(&self) -> bool {
        self.hosts.iter().all(|host| host.foca.num_members() + 1 == self.hosts.len())
    }

    /// Whether all that run hold the watched host for gone.
    pub(crate) fn is_known(&self) -> bool {
        self.hosts.iter().all(|host| !host.running || host.knows)
    }

    /// A host by lot.
    pub(crate) fn draw(&mut self) -> usize {
        self.random.random_range(0..self.hosts.len())
    }

    /// Since the start.
    pub(crate) fn now(&self) -> Duration {
        Duration::from_micros(self.now)
    }
}

/// A host's address tells its number.
fn address(number: u32) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::from_bits(Ipv4Addr::new(10, 0, 0, 0).to_bits() + number), PORT)
}

fn place(address: SocketAddrV4) -> usize {
    let number = address.ip().to_bits() - Ipv4Addr::new(10, 0, 0, 0).to_bits();
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_find_each_other_and_notice_a_silent_one() {
        let mut world = World::new(1, 10, 0);
        world.pass(Duration::from_secs(10));
        assert!(world.is_full() && world.verdicts == [0, 0]);
        world.power_off(3);
        world.pass(Duration::from_secs(30));
        assert!(world.is_known());
        assert_eq!(world.verdicts, [0, 9]);
    }

    #[test]
    fn one_seed_has_one_history() {
        let history = |seed| {
            let mut world = World::new(seed, 12, 50_000);
            world.pass(Duration::from_secs(5));
            (world.sent, world.number)
        };
        assert_eq!(history(1), history(1));
        assert_ne!(history(1), history(2));
    }
}
