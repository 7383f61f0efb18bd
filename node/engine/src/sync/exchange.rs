//! The sync of one link: what the peer was asked, what it is being served, and whether it is level.

use super::Wants;
use crate::{
    MessageRange, Micros, Token,
    bounds::{MAX_ASKED_REGISTERS, MAX_PAGES},
    frame::Cursor,
    holdings::Stream,
    ranges::Ranges,
};
use peerwright_ledger::{MessageBody, RegisterId};
use std::collections::{BTreeMap, BTreeSet};

/// A request for what is held.
#[derive(Debug)]
struct Asking {
    registers: Vec<RegisterId>,
    after: Option<Cursor>,
    pages: usize,
    /// When the answer is overdue; `None` while the next page is not asked for yet.
    deadline: Option<Micros>,
    /// Registers of which the peer has something that this node lacks.
    lacking: BTreeSet<RegisterId>,
}

/// What a peer has said of a register that differs here.
#[derive(Debug)]
struct Told {
    hash: Hash,
    /// With this own hash, the peer had nothing that was lacking: only what has gone makes the difference.
    level_with: Option<Hash>,
}

/// What is held of a register, in short.
type Hash = [u8; 16];

#[derive(Debug)]
struct Pull {
    request: u64,
    ranges: Vec<MessageRange>,
    received: u64,
    bytes: usize,
    since: Micros,
    deadline: Micros,
}

/// What a peer gave for a pull.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PullAnswer {
    /// How many messages.
    pub messages: u64,
    /// How long they are together.
    pub bytes: usize,
    /// When they were asked for.
    pub since: Micros,
    /// Whether the peer had said that it has something of what was asked for.
    pub was_promised: bool,
    /// When it gave nothing: of streams of which something was only hoped for, through which number that was.
    pub in_vain: BTreeMap<Stream, u64>,
}

/// What a peer did not answer in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overdue {
    Page,
    Pull,
}

/// The sync of one link.
#[derive(Debug)]
pub(crate) struct LinkSync {
    /// Until when the peer's first digest is waited for.
    digest_deadline: Micros,
    has_digest: bool,
    /// Registers of this node that the peer's digest names; and those that the digest names which is coming.
    named: BTreeSet<RegisterId>,
    naming: BTreeSet<RegisterId>,
    told: BTreeMap<RegisterId, Told>,
    to_ask: BTreeSet<RegisterId>,
    asking: Option<Asking>,
    /// Registers that were asked about to the end, and of which the peer has nothing that is lacking.
    level_registers: Vec<RegisterId>,
    pub wants: Wants,
    /// Streams of which something is wanted although the peer has not said that it has it.
    hoped: BTreeSet<Stream>,
    pull: Option<Pull>,
    last_request: u64,
    /// The store's read that answers the peer's pull, with the pull's number.
    pub serving: Option<(Token, u64)>,
    /// Whether this node's digest is to be sent as soon as the store has told what is held; and wants a reply.
    pub owed_digest: Option<bool>,
    /// Whether nothing was lacked when last looked at.
    pub level: bool,
    /// Since when something is lacked, or was last.
    pub behind_since: Micros,
    /// Whether everything that the peer first advertised was got.
    pub caught_up: bool,
    /// Messages stored that came by sync on this link.
    pub stored: u64,
}

impl LinkSync {
    /// A link that came up `now`; its peer's digest is waited for until `digest_deadline`.
    pub(crate) fn new(now: Micros, digest_deadline: Micros) -> Self {
        Self {
            digest_deadline,
            has_digest: false,
            named: BTreeSet::new(),
            naming: BTreeSet::new(),
            told: BTreeMap::new(),
            to_ask: BTreeSet::new(),
            asking: None,
            level_registers: Vec::new(),
            wants: Wants::default(),
            hoped: BTreeSet::new(),
            pull: None,
            last_request: 0,
            serving: None,
            owed_digest: None,
            level: false,
            behind_since: now,
            caught_up: false,
            stored: 0,
        }
    }

    /// The peer's digest names a register of this node.
    pub(crate) fn names(&mut self, register: RegisterId) {
        self.named.insert(register);
        self.naming.insert(register);
    }

    /// Whether the peer's digest names a register.
    pub(crate) fn has_named(&self, register: &RegisterId) -> bool {
        self.named.contains(register)
    }

    /// The peer's digest is whole: what it has left out the peer does not hold.
    pub(crate) fn digest_ended(&mut self) {
        self.has_digest = true;
        self.named = std::mem::take(&mut self.naming);
    }

    /// Whether the peer is to be asked about this register, of which it has told what is not so here.
    pub(crate) fn is_news(&mut self, register: RegisterId, own: Option<Hash>, hash: Hash) -> bool {
        let told = self.told.entry(register).or_insert(Told { hash, level_with: None });
        if told.hash != hash {
            *told = Told { hash, level_with: None };
        }
        told.level_with.is_none() || told.level_with != own
    }

    /// The registers of which the peer turned out to have nothing that is lacking.
    pub(crate) fn take_level(&mut self) -> Vec<RegisterId> {
        std::mem::take(&mut self.level_registers)
    }

    /// What the peer has told of this register adds nothing to what is held now.
    pub(crate) fn level_with(&mut self, register: &RegisterId, own: Hash) {
        if let Some(told) = self.told.get_mut(register) {
            told.level_with = Some(own);
        }
    }

    /// The peer holds something else of this register.
    pub(crate) fn differs(&mut self, register: RegisterId) {
        self.to_ask.insert(register);
    }

    /// Forgets about registers that `keep` does not name.
    pub(crate) fn retain(&mut self, keep: impl Fn(&RegisterId) -> bool) {
        self.named.retain(&keep);
        self.naming.retain(&keep);
        self.told.retain(|register, _| keep(register));
        self.to_ask.retain(&keep);
        self.wants.retain(&keep);
        self.hoped.retain(|stream| keep(&stream.register));
    }

    /// The next request for what is held, if one may be made. Only registers whose own content is known are asked for:
    /// all others would seem to lack everything.
    pub(crate) fn next_ask(
        &mut self,
        deadline: Micros,
        is_loaded: impl Fn(&RegisterId) -> bool,
    ) -> Option<(Vec<RegisterId>, Option<Cursor>)> {
        if self.wants.is_full() {
            return None;
        }
        if self.asking.is_none() {
            let registers: Vec<RegisterId> =
                self.to_ask.iter().filter(|register| is_loaded(register)).take(MAX_ASKED_REGISTERS).copied().collect();
            if registers.is_empty() {
                return None;
            }
            for register in &registers {
                self.to_ask.remove(register);
            }
            let lacking = BTreeSet::new();
            self.asking = Some(Asking { registers, after: None, pages: 0, deadline: None, lacking });
        }
        let asking = self.asking.as_mut().filter(|asking| asking.deadline.is_none())?;
        asking.deadline = Some(deadline);
        Some((asking.registers.clone(), asking.after))
    }

    /// A page came. Says whether it was asked for. `end` is the place of its last row; the next page is asked for when
    /// there is `more` and it lies behind this one.
    pub(crate) fn page_came(&mut self, more: bool, end: Option<Cursor>) -> bool {
        let Some(asking) = self.asking.as_mut().filter(|asking| asking.deadline.is_some()) else { return false };
        let advances = end.as_ref().map(Cursor::place) > asking.after.as_ref().map(Cursor::place);
        asking.pages += 1;
        if more && advances && asking.pages < MAX_PAGES {
            asking.after = end;
            asking.deadline = None;
        } else if let Some(asking) = self.asking.take().filter(|_| !more) {
            // What the peer has told of anew meanwhile is asked about again.
            let is_level =
                |register: &RegisterId| !asking.lacking.contains(register) && !self.to_ask.contains(register);
            self.level_registers = asking.registers.iter().copied().filter(is_level).collect();
        }
        true
    }

    /// The page that was asked for has something of this register that is lacking.
    pub(crate) fn lacks_some(&mut self, register: RegisterId) {
        if let Some(asking) = &mut self.asking {
            asking.lacking.insert(register);
        }
    }

    /// Whether a row of this register may come with the page that was asked for.
    pub(crate) fn asks_for(&self, register: &RegisterId) -> bool {
        self.asking.as_ref().is_some_and(|asking| asking.registers.contains(register))
    }

    /// Wants what the peer has said that it has.
    pub(crate) fn want(&mut self, stream: Stream, ranges: &Ranges) {
        self.hoped.remove(&stream);
        self.wants.add(stream, ranges);
    }

    /// Wants what the peer may have.
    pub(crate) fn hope_for(&mut self, stream: Stream, ranges: &Ranges) {
        self.hoped.retain(|stream| self.wants.wants(stream));
        if !self.wants.wants(&stream) {
            self.hoped.insert(stream);
        }
        self.wants.add(stream, ranges);
    }

    pub(crate) fn may_pull(&self) -> bool {
        self.pull.is_none() && !self.wants.is_empty()
    }

    /// Begins a pull and gives its number.
    pub(crate) fn begin_pull(&mut self, ranges: Vec<MessageRange>, now: Micros, deadline: Micros) -> u64 {
        self.last_request += 1;
        let request = self.last_request;
        self.pull = Some(Pull { request, ranges, received: 0, bytes: 0, since: now, deadline });
        self.last_request
    }

    /// What the peer is being asked for.
    pub(crate) fn pulling(&self) -> &[MessageRange] {
        self.pull.as_ref().map_or(&[], |pull| &pull.ranges)
    }

    /// A message of this length came for a pull; says whether it was asked for.
    pub(crate) fn pulled(&mut self, request: u64, message: &MessageBody, bytes: usize, deadline: Micros) -> bool {
        let (stream, number) = (Stream::of(message), message.register_sequence);
        let Some(pull) = self.pull.as_mut().filter(|pull| pull.request == request) else { return false };
        let is_asked_for = pull
            .ranges
            .iter()
            .any(|range| Stream::of_range(range) == stream && (range.from..=range.to).contains(&number));
        if is_asked_for {
            pull.received += 1;
            pull.bytes += bytes;
            pull.deadline = deadline;
        }
        is_asked_for
    }

    /// The peer has sent all it would for a pull. One that gave nothing ends the wish for its streams: the peer does not
    /// hold what it advertised, or what was hoped for. Says what it gave; `None` for a pull that is not under way.
    pub(crate) fn pull_ended(&mut self, request: u64) -> Option<PullAnswer> {
        let pull = self.pull.take_if(|pull| pull.request == request)?;
        let mut asked: BTreeMap<Stream, u64> = BTreeMap::new();
        for range in &pull.ranges {
            let through = asked.entry(Stream::of_range(range)).or_default();
            *through = range.to.max(*through);
        }
        let was_promised = asked.keys().any(|stream| !self.hoped.contains(stream));
        asked.retain(|stream, _| pull.received == 0 && self.hoped.contains(stream));
        if pull.received == 0 {
            self.give_up(&pull.ranges);
        }
        let (messages, bytes, since) = (pull.received, pull.bytes, pull.since);
        Some(PullAnswer { messages, bytes, since, was_promised, in_vain: asked })
    }

    /// What the peer has not answered by `now`. It is not wanted from this link any more; the next digest asks again.
    pub(crate) fn take_overdue(&mut self, now: Micros) -> Vec<Overdue> {
        let mut overdue = Vec::new();
        if self.asking.take_if(|asking| asking.deadline.is_some_and(|deadline| deadline <= now)).is_some() {
            overdue.push(Overdue::Page);
        }
        if let Some(pull) = self.pull.take_if(|pull| pull.deadline <= now) {
            self.give_up(&pull.ranges);
            overdue.push(Overdue::Pull);
        }
        self.has_digest |= self.digest_deadline <= now;
        overdue
    }

    /// When something will be overdue.
    pub(crate) fn next_deadline(&self) -> Option<Micros> {
        let page = self.asking.as_ref().and_then(|asking| asking.deadline);
        let pull = self.pull.as_ref().map(|pull| pull.deadline);
        let digest = (!self.has_digest).then_some(self.digest_deadline);
        [page, pull, digest].into_iter().flatten().min()
    }

    /// Whether nothing that the peer is known to hold is lacked; `on_their_way` messages of its are not held yet. A peer
    /// that says nothing in time counts as level.
    pub(crate) fn is_level(&self, now: Micros, on_their_way: usize) -> bool {
        let is_heard = self.has_digest || self.digest_deadline <= now;
        is_heard && on_their_way == 0 && self.asking.is_none() && self.to_ask.is_empty() && !self.is_pulling()
    }

    /// Whether this node or the peer is in the middle of catching up on this link.
    pub(crate) fn is_busy(&self) -> bool {
        self.is_pulling() || self.asking.is_some() || !self.to_ask.is_empty() || self.serving.is_some()
    }

    fn is_pulling(&self) -> bool {
        self.pull.is_some() || !self.wants.is_empty()
    }

    /// Whether something of this register is being asked for or wanted.
    pub(crate) fn lacks(&self, register: &RegisterId) -> bool {
        self.to_ask.contains(register) || self.asks_for(register) || self.wants.wants_register(register)
    }

    fn give_up(&mut self, ranges: &[MessageRange]) {
        for range in ranges {
            self.wants.remove_stream(&Stream::of_range(range));
            self.hoped.remove(&Stream::of_range(range));
        }
    }
}
