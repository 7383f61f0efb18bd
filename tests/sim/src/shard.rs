//! A part of the hosts, with the queue of what happens to them. Each thread has one.
//!
//! Within a window no host can learn what another did, so the hosts have their turns one after another, each with all that
//! happens to it, while what it needs is in the processor's caches. What those who come next need is fetched meanwhile.
//!
//! ```text
//!  queue ─▶ all of the window, sorted: host 3: 1.2 ms, 7.9 ms │ host 8: 0.4 ms │ ...
//!                                        └─ what host 3 causes for itself within the window comes between
//! ```

use crate::{
    event::{Answer, Event, HostId},
    figures::Figures,
    host::{Context, Host},
    invariants::Broken,
    queue::Queue,
    world::World,
};
use peerwright_engine::{MemberIndex, Micros, Outputs};
use std::collections::{BinaryHeap, VecDeque};

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
    /// Of these hosts alone: threads would wait for each other at one for all.
    members: MemberIndex,
    outputs: Outputs,
    caused: Vec<Event>,
    answers: VecDeque<Answer>,
    /// What happens in the present window.
    batch: Vec<Event>,
    /// What the host whose turn it is has caused for itself in it, the next first.
    soon: BinaryHeap<Event>,
    turn: Option<Turn>,
}

/// Whose turn it is, and when the window ends.
#[derive(Debug, Clone, Copy)]
struct Turn {
    host: HostId,
    end: Micros,
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
            members: MemberIndex::new(),
            outputs: Outputs::new(),
            caused: Vec::new(),
            answers: VecDeque::new(),
            batch: Vec::new(),
            soon: BinaryHeap::new(),
            turn: None,
        }
    }

    /// Lets everything happen that is to happen before `end`. The window is no longer than the shortest latency.
    pub(crate) fn run_until(&mut self, world: &World, size: usize, end: Micros) {
        let mut batch = std::mem::take(&mut self.batch);
        self.queue.take_before(end, &mut batch);
        batch.sort_unstable_by_key(|event| (event.to, event.key()));
        let mut rest = batch.drain(..);
        while let Some(event) = rest.next() {
            self.look_ahead(rest.as_slice());
            let host = event.to;
            self.turn = Some(Turn { host, end });
            self.happen(world, size, event);
            let next = rest.as_slice().first().filter(|next| next.to == host).map(Event::key);
            let is_next = |own: &Event| next.is_none_or(|next| own.key() < next);
            while let Some(own) = self.soon.peek().is_some_and(is_next).then(|| self.soon.pop()).flatten() {
                self.happen(world, size, own);
            }
        }
        drop(rest);
        self.turn = None;
        self.batch = batch;
    }

    /// Has the memory fetched that the next events will need, each event's in three steps, for one leads to the next.
    fn look_ahead(&self, rest: &[Event]) {
        let host = |event: &Event| &self.hosts[(event.to - self.first) as usize];
        let steps = [
            rest.get(2).map(|event| host(event).touch()),
            rest.get(1).map(|event| host(event).touch_parts()),
            rest.first().map(|event| host(event).touch_for(&event.what)),
        ];
        std::hint::black_box(steps);
    }

    fn happen(&mut self, world: &World, size: usize, event: Event) {
        self.figures.events += 1;
        let (now, to) = (event.at, event.to);
        self.with(world, size, now, to, |host, context| host.happen(context, event));
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
            members: &self.members,
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
            if self.turn.is_some_and(|turn| event.to == turn.host && event.at < turn.end) {
                self.soon.push(event);
            } else if shard == own {
                self.queue.push(event);
            } else {
                self.outboxes[shard].push(event);
            }
        }
        result
    }
}
