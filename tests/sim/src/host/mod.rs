//! One host: its engine while the process runs, the connections of its kernel, its volume and its clock.
//!
//! ```text
//!  event ─▶ input ─▶ Engine::handle ─▶ outputs ─▶ network: frames, dials, closes ─▶ events for other hosts
//!                         ▲                   ├─▶ disk, verifier: answers later  ─▶ events for this host
//!                         └── answers at once └─▶ invariants, figures, trace
//! ```
//!
//! With the shell's tokio driver this is the only code that differs between production and the simulation.

mod advertised;
mod connection;
mod disk;
mod hostile;
mod load;
mod naming;
mod process;
mod touch;

use crate::{
    event::{Answer, EndId, Event, HostId, What},
    figures::Figures,
    invariants::{self, Broken},
    pool::Number,
    random::Random,
    store::{Numbers, Store},
    trace::Trace,
    world::World,
};
use bytes::Bytes;
use connection::{Dial, End};
use hostile::Hostility;
use peerwright_engine::{AutoBan, Engine, Input, LinkId, MemberIndex, Micros, Output, Outputs, Policy, Token};
use peerwright_ledger::TransactionId;
use peerwright_secure::{NodeKey, NodePublicKey, PeerId};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

/// One host.
#[derive(Debug)]
pub(crate) struct Host {
    pub id: HostId,
    pub key: NodeKey,
    pub peer: PeerId,
    /// Boxed: hosts whose process is down stay small.
    pub engine: Option<Box<Engine>>,
    /// Rises with each start of the process: what was meant for an earlier one does not reach this one.
    life: u32,
    pub incarnation: u64,
    pub policy: Policy,
    /// The machine is on.
    pub is_powered: bool,
    is_paused: bool,
    is_draining: bool,
    /// What came while the process was paused.
    backlog: Vec<Event>,
    /// What the engine's timer is set to, and the earliest event that will look at it.
    armed: Option<Micros>,
    awaited: Option<Micros>,
    /// By id, ascending.
    ends: Vec<End>,
    dials: Vec<Dial>,
    last_end: EndId,
    /// What the next connection to a host begins with.
    echoes: Vec<(HostId, VecDeque<Bytes>)>,
    pub store: Store,
    /// The bans that the node made by itself, on its volume.
    auto_bans: Vec<AutoBan>,
    /// How far this host's wall clock is ahead, microseconds.
    pub clock_ahead: i64,
    /// Whose frame the engine is handling.
    sender: Option<HostId>,
    /// Messages that hold and that this process has had verified.
    judged: Numbers,
    /// Origins that this process holds to have signed two histories.
    pub convicted: BTreeSet<NodePublicKey>,
    /// The engine has had what came verified, or has said why not.
    is_taken_in: bool,
    random: Random,
    /// Counts the events that this host has caused.
    number: u32,
    pub trace: Trace,
    last_token: u64,
    /// Submitted and not answered.
    submitted: BTreeMap<Token, TransactionId>,
    /// Own transactions and the messages that carry them, from the append to the acknowledgement.
    carried: BTreeMap<TransactionId, Number>,
    /// Messages with acknowledged transactions of this node, and since when.
    pub acknowledged: Vec<(Number, Micros)>,
    pub was_ready: bool,
    /// The largest incarnation that a process here ever had.
    pub highest_incarnation: u64,
    hostility: Hostility,
}

/// What a host may use while it handles an event.
pub(crate) struct Context<'c> {
    pub world: &'c World,
    /// Members' records, kept once for all hosts of a shard.
    pub members: &'c MemberIndex,
    pub now: Micros,
    /// Events that this host causes.
    pub caused: &'c mut Vec<Event>,
    pub figures: &'c mut Figures,
    pub broken: &'c mut Vec<Broken>,
    pub outputs: &'c mut Outputs,
    /// Answers that take no time.
    pub answers: &'c mut VecDeque<Answer>,
}

impl Host {
    pub(crate) fn new(id: HostId, key: NodeKey, policy: Policy, seed: u64) -> Self {
        Self {
            id,
            peer: key.peer_id(),
            key,
            engine: None,
            life: 0,
            incarnation: 0,
            policy,
            is_powered: true,
            is_paused: false,
            is_draining: false,
            backlog: Vec::new(),
            armed: None,
            awaited: None,
            ends: Vec::new(),
            dials: Vec::new(),
            last_end: 0,
            echoes: Vec::new(),
            store: Store::default(),
            auto_bans: Vec::new(),
            clock_ahead: 0,
            sender: None,
            judged: Numbers::default(),
            convicted: BTreeSet::new(),
            is_taken_in: false,
            random: Random::new(seed, 0x686f_7374 << 32 | u64::from(id)),
            number: 0,
            trace: Trace::new(),
            last_token: 0,
            submitted: BTreeMap::new(),
            carried: BTreeMap::new(),
            acknowledged: Vec::new(),
            was_ready: false,
            highest_incarnation: 0,
            hostility: Hostility::default(),
        }
    }

    /// Something happens to the host.
    pub(crate) fn happen(&mut self, context: &mut Context<'_>, event: Event) {
        if self.is_paused && !matches!(event.what, What::Resume) {
            self.backlog.push(event);
            return;
        }
        match event.what {
            What::Start => self.start(context),
            What::Timer => self.look_at_timer(context),
            What::Answer { life, answer } => {
                if life == self.life && self.engine.is_some() {
                    self.answer(context, answer);
                }
            }
            What::Publish => self.publish(context),
            What::PublishOnce => self.submit(context),
            What::Attack => self.attack(context),
            What::Novelty => self.say_something_new(context),
            What::Resume => self.resume(context),
            What::DialTimeout { end } => self.dial_timed_out(context, end),
            What::Connect { end, peer, incarnation } => self.connect(context, event.from, end, peer, incarnation),
            What::Connected { end, far, peer, incarnation } => {
                self.connected(context, event.from, end, far, peer, incarnation);
            }
            What::Refused { end, banned } => self.dial_refused(context, end, banned),
            What::Frame { end, far, bytes } => self.frame(context, event.from, end, far, &bytes),
            What::Closed { end, reason } => self.closed(context, end, reason),
        }
        self.answer_at_once(context);
    }

    /// Gives the engine, if there is one, something, and does what it wants done.
    pub(crate) fn input(&mut self, context: &mut Context<'_>, input: Input<'_>) {
        let Some(engine) = self.engine.as_mut() else { return };
        context.figures.inputs += 1;
        self.trace.input(context.now, &input);
        let mut outputs = std::mem::take(context.outputs);
        engine.handle(context.now, input, &mut outputs);
        for output in outputs.drain() {
            self.trace.output(&output);
            self.perform(context, output);
        }
        *context.outputs = outputs;
    }

    /// Gives the engine what takes no time to find out.
    pub(crate) fn answer_at_once(&mut self, context: &mut Context<'_>) {
        while let Some(answer) = context.answers.pop_front() {
            self.answer(context, answer);
        }
    }

    fn perform(&mut self, context: &mut Context<'_>, output: Output) {
        match output {
            Output::Send { link, bytes, .. } => self.send(context, link, bytes),
            Output::ArmTimer { at } => self.arm(context, at),
            Output::Dial { address } => self.dial(context, address.socket),
            Output::Close { link, reason } => self.close(context, link, reason),
            Output::Anchors { addresses } => self.store.volume.anchors = addresses,
            Output::Accepted { token } => self.acknowledge(context, token),
            Output::Refused { token, .. } => {
                context.figures.refused += 1;
                let was_submitted = self.submitted.remove(&token).is_some();
                self.check(context, invariants::answers::answered_once(was_submitted, token));
            }
            Output::KeepAutoBans { bans } => self.auto_bans = bans,
            Output::Event(event) => self.note(context, &event),
            question => self.ask(context, question),
        }
    }

    /// Sees to it that the timer is looked at in time. An event for an earlier time than needed looks and waits on, so
    /// that a timer that is moved back again and again costs one event and not one for each move.
    fn arm(&mut self, context: &mut Context<'_>, at: Micros) {
        self.armed = Some(at);
        if self.awaited.is_none_or(|awaited| awaited > at) {
            let at = at.max(context.now);
            self.awaited = Some(at);
            self.cause(context, at, self.id, What::Timer);
        }
    }

    fn look_at_timer(&mut self, context: &mut Context<'_>) {
        if self.awaited.is_none_or(|awaited| awaited > context.now) {
            return;
        }
        self.awaited = None;
        match self.armed {
            Some(at) if at <= context.now => {
                self.armed = None;
                self.input(context, Input::Timer);
            }
            Some(at) => self.arm(context, at),
            None => {}
        }
    }

    /// Makes something happen to a host.
    fn cause(&mut self, context: &mut Context<'_>, at: Micros, to: HostId, what: What) {
        self.number += 1;
        context.caused.push(Event { at, from: self.id, number: self.number, to, what });
    }

    /// Makes something happen to this host later.
    pub(crate) fn later(&mut self, context: &mut Context<'_>, delay: Duration, what: What) {
        self.cause(context, context.now + delay, self.id, what);
    }

    fn check(&self, context: &mut Context<'_>, result: Result<(), Broken>) {
        if let Err(mut broken) = result {
            broken.at = context.now;
            broken.host = self.id;
            context.broken.push(broken);
        }
    }

    /// What the host's wall clock says.
    pub(crate) fn wall(&self, now: Micros) -> Micros {
        Micros(now.0.saturating_add_signed(self.clock_ahead))
    }

    pub(crate) fn has_link(&self, link: LinkId) -> bool {
        self.end(link).is_some()
    }

    fn end(&self, link: LinkId) -> Option<usize> {
        let id = EndId::try_from(link.0).ok()?;
        self.ends.binary_search_by_key(&id, |end| end.id).ok()
    }
}
