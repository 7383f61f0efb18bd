//! A part of the hosts, with the queue of what happens to them. Each thread has one.

use crate::{
    event::{Answer, Event, HostId},
    figures::Figures,
    host::{Context, Host},
    invariants::Broken,
    queue::Queue,
    world::World,
};
use peerwright_engine::{Micros, Outputs};
use std::collections::VecDeque;

/// Hosts `first`, `first + 1`, ...
#[derive(Debug)]
pub(crate) struct Shard {
    pub first: HostId,
    pub hosts: Vec<Host>,
    pub queue: Queue,
    /// What happens to hosts of each shard, this one's left out.
    pub outboxes: Vec<Vec<Event>>,
    pub figures: Figures,
    pub broken: Vec<Broken>,
    outputs: Outputs,
    caused: Vec<Event>,
    answers: VecDeque<Answer>,
}

/// Which shard has a host, when each has `size` of them.
fn shard_of(host: HostId, size: usize) -> usize {
    host as usize / size
}

impl Shard {
    pub(crate) fn new(first: HostId, hosts: Vec<Host>, shards: usize) -> Self {
        Self {
            first,
            hosts,
            queue: Queue::new(),
            outboxes: (0..shards).map(|_| Vec::new()).collect(),
            figures: Figures::default(),
            broken: Vec::new(),
            outputs: Outputs::new(),
            caused: Vec::new(),
            answers: VecDeque::new(),
        }
    }

    /// Lets everything happen that is to happen before `end`.
    pub(crate) fn run_until(&mut self, world: &World, size: usize, end: Micros) {
        while let Some(event) = self.queue.pop_before(end) {
            self.figures.events += 1;
            let (now, to) = (event.at, event.to);
            self.with(world, size, now, to, |host, context| host.happen(context, event));
        }
    }

    /// Lets a host of this shard do something, and passes on what follows.
    pub(crate) fn with<T>(
        &mut self,
        world: &World,
        size: usize,
        now: Micros,
        host: HostId,
        action: impl FnOnce(&mut Host, &mut Context<'_>) -> T,
    ) -> T {
        let mut context = Context {
            world,
            now,
            caused: &mut self.caused,
            figures: &mut self.figures,
            broken: &mut self.broken,
            outputs: &mut self.outputs,
            answers: &mut self.answers,
        };
        let result = action(&mut self.hosts[(host - self.first) as usize], &mut context);
        let own = shard_of(self.first, size);
        for event in self.caused.drain(..) {
            let shard = shard_of(event.to, size);
            if shard == own {
                self.queue.push(event);
            } else {
                self.outboxes[shard].push(event);
            }
        }
        result
    }
}
