//! All hosts, spread over shards, and time.
//!
//! ```text
//!  thread 1: hosts 0..n/2 ──window──┐ barrier, mail ┌──window──┐ ...   a window is as long as the shortest latency:
//!  thread 2: hosts n/2..n ──window──┘               └──window──┘       what is sent in it arrives in a later one
//! ```
//!
//! Within a window no host can learn what another did in it, so threads need not agree on an order. Between two calls of
//! [`Network::run`] everything stands still, and faults and checks may touch any host.

use crate::{
    event::{Event, HostId, What},
    figures::Figures,
    host::{Context, Host},
    invariants::Broken,
    shard::Shard,
    trace::Trace,
    world::{START, World},
};
use peerwright_engine::Micros;
use std::{
    sync::{
        Barrier, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// The hosts and what is between them.
#[derive(Debug)]
pub(crate) struct Network {
    pub world: World,
    pub now: Micros,
    shards: Vec<Shard>,
    /// Hosts of a shard.
    size: usize,
    number: u32,
}

/// Events from one shard to another, by sender and receiver.
type Mail = Vec<Vec<Mutex<Vec<Event>>>>;

impl Network {
    pub(crate) fn new(world: World, hosts: Vec<Host>) -> Self {
        let threads = world.options.threads.clamp(1, hosts.len().max(1));
        let size = hosts.len().div_ceil(threads).max(1);
        let mut shards = Vec::new();
        let mut hosts = hosts.into_iter().peekable();
        while let Some(first) = hosts.peek().map(|host| host.id) {
            shards.push(Shard::new(first, hosts.by_ref().take(size).collect(), threads));
        }
        Self { world, now: START, shards, size, number: 0 }
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        if let [shard] = self.shards.as_mut_slice() {
            let mut from = self.now;
            while from < end && shard.broken.is_empty() {
                from = end.min(from + window(&self.world));
                shard.run_until(&self.world, self.size, from);
            }
        } else {
            self.run_threads(end);
        }
        self.now = end;
    }

    fn run_threads(&mut self, end: Micros) {
        let (count, size, world, start) = (self.shards.len(), self.size, &self.world, self.now);
        let window = window(world);
        let barrier = Barrier::new(count);
        let stop = AtomicBool::new(false);
        let mail: Mail = (0..count).map(|_| (0..count).map(|_| Mutex::default()).collect()).collect();
        std::thread::scope(|scope| {
            for (own, shard) in self.shards.iter_mut().enumerate() {
                let (barrier, stop, mail) = (&barrier, &stop, &mail);
                scope.spawn(move || {
                    let mut from = start;
                    while from < end {
                        let to = end.min(from + window);
                        shard.run_until(world, size, to);
                        post(shard, &mail[own]);
                        if !shard.broken.is_empty() {
                            stop.store(true, Ordering::Relaxed);
                        }
                        barrier.wait();
                        for letters in mail {
                            let mut letters = letters[own].lock().unwrap_or_else(PoisonError::into_inner);
                            letters.drain(..).for_each(|event| shard.queue.push(event));
                        }
                        let is_over = stop.load(Ordering::Relaxed);
                        barrier.wait();
                        if is_over {
                            break;
                        }
                        from = to;
                    }
                });
            }
        });
    }

    /// Lets a host do something now.
    pub(crate) fn with<T>(&mut self, host: HostId, action: impl FnOnce(&mut Host, &mut Context<'_>) -> T) -> T {
        let shard = host as usize / self.size;
        let result = self.shards[shard].with(&self.world, self.size, self.now, host, action);
        self.deliver_mail();
        result
    }

    /// Makes something happen to a host after a while.
    pub(crate) fn schedule(&mut self, delay: Duration, host: HostId, what: What) {
        self.number += 1;
        let event = Event { at: self.now + delay, from: HostId::MAX, number: self.number, to: host, what };
        self.shards[host as usize / self.size].queue.push(event);
    }

    fn deliver_mail(&mut self) {
        for from in 0..self.shards.len() {
            for to in 0..self.shards.len() {
                for event in std::mem::take(&mut self.shards[from].outboxes[to]) {
                    self.shards[to].queue.push(event);
                }
            }
        }
    }

    pub(crate) fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.shards.iter().flat_map(|shard| &shard.hosts)
    }

    pub(crate) fn host(&self, host: HostId) -> &Host {
        let shard = &self.shards[host as usize / self.size];
        &shard.hosts[(host - shard.first) as usize]
    }

    /// Changes something about a host without its doing.
    pub(crate) fn host_mut(&mut self, host: HostId) -> &mut Host {
        let shard = &mut self.shards[host as usize / self.size];
        &mut shard.hosts[(host - shard.first) as usize]
    }

    /// The first invariant that did not hold, in the order of time.
    pub(crate) fn broken(&self) -> Option<Broken> {
        let all = self.shards.iter().flat_map(|shard| &shard.broken);
        all.min_by_key(|broken| (broken.at, broken.host)).cloned()
    }

    /// What was counted since the last call.
    pub(crate) fn take_figures(&mut self) -> Figures {
        let mut sum = Figures::default();
        for shard in &mut self.shards {
            sum.add(&std::mem::take(&mut shard.figures));
        }
        sum
    }

    /// The fingerprint of everything that all hosts did so far.
    pub(crate) fn trace(&self) -> u64 {
        let mut trace = Trace::new();
        for host in self.hosts() {
            trace.number(host.trace.value());
        }
        trace.value()
    }
}

/// So long no host learns what another does.
fn window(world: &World) -> Duration {
    world.options.latency.0.max(Duration::from_micros(1))
}

fn post(shard: &mut Shard, mail: &[Mutex<Vec<Event>>]) {
    for (outbox, letters) in shard.outboxes.iter_mut().zip(mail) {
        letters.lock().unwrap_or_else(PoisonError::into_inner).append(outbox);
    }
}
