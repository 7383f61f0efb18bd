//! The process on the host: started, killed, paused, with its volume and its clock.

use super::{Context, Host};
use crate::{
    event::What,
    invariants,
    options::{Known, Options},
    random::Random,
    store::{Numbers, Store, Volume},
    world::{address_of, host_at, network},
};
use peerwright_engine::{Address, AddressSource, Config, Engine, Input, Micros, Policy};
use peerwright_secure::NodeKey;
use std::time::Duration;

impl Host {
    /// Starts the process: the next incarnation is on the volume before the engine says a word.
    pub(crate) fn start(&mut self, context: &mut Context<'_>) {
        self.is_powered = true;
        if self.engine.is_some() {
            return;
        }
        if !context.world.options.forgets_incarnations {
            self.set_clock_right(context.now);
        }
        let wall = self.wall(context.now);
        self.incarnation = wall.0.max(self.store.volume.incarnation + 1);
        self.check(context, invariants::incarnations::rises(self.highest_incarnation, self.incarnation));
        self.highest_incarnation = self.incarnation;
        if !context.world.options.forgets_incarnations {
            self.store.volume.incarnation = self.incarnation;
        }
        self.life += 1;
        self.judged = Numbers::default();
        self.convicted.clear();
        let mut config = Config::new(self.key.clone(), self.incarnation, self.random.next());
        config.advertised = Some(address_of(self.id).socket);
        config.addresses.own_ranges.extend(network());
        config.member_index = context.members.clone();
        (context.world.options.configure)(&mut config);
        self.be_greedy(&mut config);
        #[cfg(feature = "mutants")]
        {
            config.mutant = context.world.options.mutant;
        }
        self.engine = Some(Box::new(Engine::new(config)));
        self.was_ready = false;
        self.input(context, Input::Clock { wall });
        self.input(context, Input::Policy(self.policy.clone()));
        self.input(context, Input::AutoBans(self.auto_bans.clone()));
        let anchors: Vec<_> = self.store.volume.anchors.iter().filter_map(|socket| host_at(*socket)).collect();
        let anchors: Vec<_> = anchors.into_iter().map(address_of).collect();
        self.input(context, Input::Addresses { source: AddressSource::Anchors, addresses: &anchors });
        let addresses = known_addresses(&context.world.options, self.id);
        self.input(context, Input::Addresses { source: AddressSource::Seeds, addresses: &addresses });
        self.advertise(context, true);
        if self.hostility.is_newer {
            self.say_something_new(context);
        }
        self.answer_at_once(context);
    }

    /// The host has somebody else's key from its next start on, and this volume.
    pub(crate) fn become_clone(&mut self, key: NodeKey, policy: Policy, volume: Volume) {
        self.peer = key.peer_id();
        self.key = key;
        self.policy = policy;
        self.highest_incarnation = volume.incarnation;
        self.store = Store::on(volume);
        self.auto_bans = Vec::new();
        self.acknowledged = Vec::new();
        self.clock_ahead = 0;
    }

    /// The process is asked to end: it is killed later, when it has said goodbye.
    pub(crate) fn drain(&mut self, context: &mut Context<'_>) {
        self.is_draining = self.engine.is_some();
        self.input(context, Input::Drain);
        self.answer_at_once(context);
    }

    /// Ends a process that was asked to.
    pub(crate) fn end_draining(&mut self, context: &mut Context<'_>) {
        if self.is_draining {
            self.crash(context, false);
        }
    }

    /// Ends the process as `kill -9` does, or with the power; what was not synced is lost but for a prefix.
    pub(crate) fn crash(&mut self, context: &mut Context<'_>, loses_power: bool) {
        if let Some(engine) = self.engine.take() {
            context.figures.ended.push(engine.statistics());
        }
        self.lose_connections(context, !loses_power);
        self.echoes.clear();
        self.is_powered = !loses_power;
        (self.is_paused, self.is_draining) = (false, false);
        self.backlog.clear();
        (self.armed, self.awaited) = (None, None);
        self.submitted.clear();
        self.carried.clear();
        let kept = self.random.place(self.store.unsynced() + 1);
        self.store.crash(kept);
    }

    /// Stops the process for a while; its kernel goes on.
    pub(crate) fn pause(&mut self, context: &mut Context<'_>, duration: Duration) {
        if self.engine.is_some() && !self.is_paused {
            self.is_paused = true;
            self.later(context, duration, What::Resume);
        }
    }

    /// The process goes on: what has come meanwhile is read in the order in which it came.
    pub(super) fn resume(&mut self, context: &mut Context<'_>) {
        if !std::mem::take(&mut self.is_paused) {
            return;
        }
        for event in std::mem::take(&mut self.backlog) {
            self.happen(context, event);
        }
    }

    /// A node that has lost its counter has only the clock left: who gives it an old volume sees to it that the clock is
    /// not behind, or else the past comes again, and no node can help it.
    fn set_clock_right(&mut self, now: Micros) {
        if self.store.volume.incarnation < self.highest_incarnation {
            let ahead = i64::try_from(self.highest_incarnation.saturating_sub(now.0)).unwrap_or(0);
            self.clock_ahead = self.clock_ahead.max(ahead + 1);
        }
    }

    /// Sets the wall clock.
    pub(crate) fn set_clock(&mut self, context: &mut Context<'_>, ahead: i64) {
        self.clock_ahead = ahead;
        let wall = self.wall(context.now);
        self.input(context, Input::Clock { wall });
        self.answer_at_once(context);
    }

    /// Gives the process a policy, and each later one, too.
    pub(crate) fn set_policy(&mut self, context: &mut Context<'_>, policy: Policy) {
        self.policy = policy.clone();
        self.input(context, Input::Policy(policy));
        self.answer_at_once(context);
    }
}

/// What discovery tells a host of the others.
fn known_addresses(options: &Options, host: u32) -> Vec<Address> {
    match options.known {
        Known::All => (0..options.nodes).map(address_of).collect(),
        Known::Seeds(count) => (0..count.min(options.nodes)).map(address_of).collect(),
        Known::Random(count) => {
            let mut random = Random::new(options.seed, u64::from(host));
            let draw = |_| address_of(u32::try_from(random.below(options.nodes.into())).unwrap_or(0));
            (0..count).map(draw).collect()
        }
    }
}
