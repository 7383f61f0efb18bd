//! Bodies above 32 KiB: fetching and serving.

use super::{Engine, Turn};
use crate::{
    BodyRefused, Class, CloseReason, Event, LinkId, Output, Token,
    bodies::{ChunkTaken, ChunkWanted, Served},
    frame::Frame,
    gossip::Candidate,
    score::Outcome,
    timers::Timer,
};
use peerwright_ledger::{RegisterId, TransactionId};

impl Engine {
    /// A verified message needs a body before it can be stored.
    pub(super) fn want_body(&mut self, turn: &mut Turn<'_>, id: TransactionId, size: u32, candidate: Candidate) {
        let message = candidate.message.clone();
        if !self.fetches.want(id, size, candidate) {
            self.dropped(turn, "fetches_full");
            // What there is no room for yet is pulled again when there is.
            return if self.fetches.are_too_many() {
                self.no_longer_incoming(turn, message.body());
            } else {
                self.give_up_incoming(turn, message.body());
            };
        }
        self.start_fetches(turn);
    }

    /// Starts fetches that wait, and gives up those that nobody can serve.
    pub(super) fn start_fetches(&mut self, turn: &mut Turn<'_>) {
        let deadline = turn.now + self.config.connections.answer_timeout;
        // To ask a stranger for a body would tell it that the register is held here.
        let mut fetches = std::mem::take(&mut self.fetches);
        let may_ask = |link, register: &RegisterId| self.links.get(link).is_some() && self.may_hear(link, register);
        let (wanted, orphans) = fetches.start(deadline, may_ask);
        self.fetches = fetches;
        self.ask_chunks(turn, &wanted);
        for candidate in orphans {
            self.counters.sync.bodies_failed += 1;
            self.give_up_incoming(turn, candidate.message.body());
        }
        self.await_chunks();
        if self.fetches.take_relief() {
            self.pump_all(turn);
        }
    }

    fn ask_chunks(&mut self, turn: &mut Turn<'_>, wanted: &[ChunkWanted]) {
        for ChunkWanted { link, register, id, offset, length } in wanted.iter().copied() {
            self.send(turn, link, &Frame::ChunkRequest { register, id, offset, length }, Class::Gossip);
        }
    }

    pub(super) fn chunk(&mut self, turn: &mut Turn<'_>, link: LinkId, id: TransactionId, offset: u32, bytes: &[u8]) {
        let deadline = turn.now + self.config.connections.answer_timeout;
        match self.fetches.chunk(link, id, offset, bytes, deadline) {
            ChunkTaken::Unwanted => self.dropped(turn, "unrequested"),
            ChunkTaken::More(wanted) => self.ask_chunks(turn, &wanted),
            ChunkTaken::Whole { register, bytes } => {
                let token = self.next_token();
                self.fetches.storing(&id, token);
                turn.out.push(Output::StoreBody { token, register, id, bytes });
            }
        }
        self.await_chunks();
    }

    pub(super) fn chunk_gone(&mut self, turn: &mut Turn<'_>, link: LinkId, id: TransactionId) {
        self.fetches.gone(link, &id);
        self.start_fetches(turn);
    }

    pub(super) fn chunks_overdue(&mut self, turn: &mut Turn<'_>) {
        for link in self.fetches.leave_overdue(turn.now) {
            self.outcome_of(link, Outcome::Unanswered);
        }
        self.start_fetches(turn);
    }

    fn await_chunks(&mut self) {
        match self.fetches.next_deadline() {
            Some(at) => self.timers.set(Timer::Fetch, at),
            None => self.timers.cancel(Timer::Fetch),
        }
    }

    pub(super) fn body_stored(&mut self, turn: &mut Turn<'_>, token: Token, result: Result<(), BodyRefused>) {
        if let Some(body) = self.own_bodies.remove(&token) {
            return self.own_body_stored(turn, &body, result);
        }
        match result {
            Ok(()) => {
                let Some((messages, _)) = self.fetches.stored(token) else { return };
                self.counters.sync.bodies += 1;
                for candidate in messages {
                    self.pass_on(turn, &candidate);
                    self.queue(turn, &candidate);
                }
            }
            Err(BodyRefused::Store) => {
                let Some((messages, _)) = self.fetches.stored(token) else { return };
                self.store_failed(turn, "put_body");
                self.counters.sync.bodies_failed += 1;
                for candidate in messages {
                    self.give_up_incoming(turn, candidate.message.body());
                }
            }
            Err(BodyRefused::Invalid) => {
                let Some((source, id)) = self.fetches.retry(token) else { return };
                if let Some(peer) = self.links.get(source).map(|link| link.peer) {
                    turn.out.event(Event::BadSignature { peer, origin: None });
                    self.offence(peer, Outcome::InvalidMessage, id.as_bytes());
                    self.close(turn, source, CloseReason::BadSignature);
                }
            }
        }
        self.start_fetches(turn);
    }

    /// Reads a piece of a body for a peer.
    pub(super) fn serve_chunk(
        &mut self,
        turn: &mut Turn<'_>,
        link: LinkId,
        register: RegisterId,
        id: TransactionId,
        offset: u32,
        length: u32,
    ) {
        let token = self.next_token();
        let may_serve = self.holdings.is_subscribed(&register)
            && self.may_hear(link, &register)
            && self.serving.begin(token, Served { link, id, offset });
        if may_serve {
            turn.out.push(Output::ReadChunk { token, register, id, offset, length });
        } else {
            self.send(turn, link, &Frame::ChunkGone { id }, Class::Bulk);
        }
    }

    pub(super) fn chunk_read(&mut self, turn: &mut Turn<'_>, token: Token, bytes: Option<&[u8]>) {
        let Some(Served { link, id, offset }) = self.serving.end(token) else { return };
        let frame = match bytes {
            Some(bytes) => Frame::Chunk { id, offset, bytes },
            None => Frame::ChunkGone { id },
        };
        self.send(turn, link, &frame, Class::Bulk);
    }
}
