//! Frames in and out.

use super::{Engine, Turn};
use crate::{
    Class, CloseReason, Event, HeartbeatFault, LinkId, Output,
    frame::{Frame, FrameRefused, kind},
    links::PeerState,
    score::Outcome,
    timers::Timer,
};
use bytes::Bytes;
use peerwright_encoding::DecodeError;
use peerwright_ledger::{Message, MessageRefused};
use std::time::Duration;

impl Engine {
    pub(super) fn frame(&mut self, turn: &mut Turn<'_>, link: LinkId, bytes: &Bytes) {
        let Some(state) = self.links.get_mut(link) else { return };
        state.last_heard = turn.now;
        state.received_bytes += bytes.len() as u64;
        self.counters.links.frames_received += 1;
        self.counters.links.bytes_received += bytes.len() as u64;
        match Frame::decode(bytes) {
            Ok(frame) => self.known_frame(turn, link, bytes, frame),
            Err(FrameRefused::Unsupported { version, kind }) => self.unsupported(turn, link, version, kind),
            // A newer version may have appended a field, or given a tag a meaning.
            Err(FrameRefused::Malformed(DecodeError::Trailing(_) | DecodeError::Unknown { .. })) => {
                let (version, kind) = (crate::frame::VERSION, bytes.get(1).copied().unwrap_or_default());
                self.unsupported(turn, link, version, kind);
            }
            Err(FrameRefused::Malformed(_)) => {
                self.heartbeat_rejected(turn, link, bytes.get(1).copied(), HeartbeatFault::Malformed);
                self.malformed(turn, link, bytes);
            }
        }
    }

    fn known_frame(&mut self, turn: &mut Turn<'_>, link: LinkId, bytes: &Bytes, frame: Frame<'_>) {
        if frame.is_use()
            && let Some(state) = self.links.get_mut(link)
        {
            state.last_used = turn.now;
        }
        match frame {
            Frame::Keepalive { sent } => self.send(turn, link, &Frame::Echo { sent }, Class::Control),
            Frame::Echo { sent } => self.echoed(turn, link, sent),
            Frame::State { ready, registers, messages } => {
                if let Some(state) = self.links.get_mut(link) {
                    state.state = Some(PeerState { ready, registers, messages });
                }
            }
            Frame::Digest { reply, last, rows } => self.digest(turn, link, reply, last, &rows),
            Frame::HeldRequest { registers, after } => self.serve_page(turn, link, &registers, after.as_ref()),
            Frame::HeldPage { more, rows } => self.page(turn, link, more, &rows),
            Frame::Message { hops, message } => self.gossiped(turn, link, hops, bytes, message),
            Frame::Packed { hops, packed } => self.packed(turn, link, hops, packed),
            Frame::PredecessorUnknown { predecessor } => self.lacks_predecessor(turn, link, &predecessor),
            Frame::Pull { request, ranges } => self.serve_pull(turn, link, request, ranges),
            Frame::Pulled { request, message } => {
                if let Some(message) = self.decode(turn, link, bytes, message) {
                    self.pulled(turn, link, request, &message);
                }
            }
            Frame::PullEnd { request } => self.pull_ended(turn, link, request),
            Frame::ChunkRequest { register, id, offset, length } => {
                self.serve_chunk(turn, link, register, id, offset, length);
            }
            Frame::Chunk { id, offset, bytes } => self.chunk(turn, link, id, offset, bytes),
            Frame::ChunkGone { id } => self.chunk_gone(turn, link, id),
            Frame::Announce { definitions, rows } => self.heard_announced(turn, link, &definitions, &rows, bytes),
            Frame::Prune { origin } => self.pruned(turn, link, origin),
            Frame::Graft(graft) => self.grafted(turn, link, &graft),
            Frame::GraftEnd { origin, incarnation, floor } => {
                self.graft_ended(turn, link, origin, incarnation, floor);
            }
            Frame::Equivocation { proof } => self.proof_came(turn, link, bytes, proof),
            Frame::Neighbour { priority } => self.neighbour_asks(turn, link, priority),
            Frame::NeighbourAnswer { accepted } => self.neighbour_answers(turn, link, accepted),
            Frame::Demote => self.demoted(turn, link),
            Frame::Shuffle { contacts } => self.shuffle_asked(turn, link, &contacts),
            Frame::ShuffleReply { contacts } => self.shuffle_answered(turn, link, &contacts),
            Frame::Introduction { address } => self.introduced(turn, link, address),
            Frame::AddressRequest => self.addresses_asked(turn, link),
            Frame::AddressAnswer { contacts } => self.addresses_answered(turn, link, &contacts),
            Frame::FindHolders { register } => self.holders_asked(turn, link, register),
            Frame::Holders { register, holders, nearer } => self.holders_told(turn, link, register, &holders, &nearer),
            Frame::Hold { registers } => self.hold_told(turn, link, &registers),
            Frame::Advertisements { whole, last, rows, gone } => {
                self.advertised_by_peer(turn, link, whole, last, rows, &gone);
            }
            Frame::Records { statements } => self.records(turn, link, &statements),
            Frame::Accusations { statements } => self.accusations(turn, link, &statements),
            Frame::TableRoot { answer, sum, members } => self.table_root(turn, link, answer, sum, members),
            Frame::TableSums { first, sums } => self.table_sums(turn, link, first, &sums),
            Frame::TableItems { first, mask, items } => self.table_items(turn, link, first, mask, &items),
            Frame::TableWant { ids } => self.table_want(turn, link, &ids),
            Frame::RecordOffer { fingerprints } => self.records_offered(turn, link, &fingerprints),
            Frame::RecordWant { fingerprints } => self.records_wanted(turn, link, &fingerprints),
            Frame::Probe { number, subject } => self.probe(turn, link, number, subject),
            Frame::Probed { number, answer } => self.probed(turn, link, number, answer),
        }
    }

    /// Reads a message out of a frame. One in a format that is not known is unsupported, all else that cannot be read is
    /// a violation: nobody passes on what cannot be read.
    pub(super) fn decode(
        &mut self,
        turn: &mut Turn<'_>,
        link: LinkId,
        frame: &Bytes,
        encoded: &[u8],
    ) -> Option<Message> {
        match Message::decode(frame.slice_ref(encoded)) {
            Ok(message) => Some(message),
            Err(MessageRefused::Malformed(DecodeError::Unknown { what: "message format", value })) => {
                self.unsupported(turn, link, u8::try_from(value).unwrap_or(u8::MAX), kind::MESSAGE);
                None
            }
            Err(_) => {
                self.malformed(turn, link, encoded);
                None
            }
        }
    }

    pub(super) fn unsupported(&mut self, turn: &mut Turn<'_>, link: LinkId, version: u8, kind: u8) {
        self.counters.links.frames_unsupported += 1;
        self.heartbeat_rejected(turn, link, Some(kind), HeartbeatFault::Unsupported);
        if let Some(peer) = self.links.get(link).map(|link| link.peer) {
            turn.out.event(Event::UnsupportedFrame { peer, version, kind });
        }
    }

    pub(super) fn malformed(&mut self, turn: &mut Turn<'_>, link: LinkId, bytes: &[u8]) {
        self.counters.links.frames_malformed += 1;
        if let Some(peer) = self.links.get(link).map(|link| link.peer) {
            turn.out.event(Event::MalformedFrame { peer });
        }
        self.offence_of(link, Outcome::Malformed, bytes);
        self.close(turn, link, CloseReason::Malformed);
    }

    /// The peer has answered a keepalive. An answer to one from the future, or from before the link, is not believed.
    fn echoed(&mut self, turn: &mut Turn<'_>, link: LinkId, sent: u64) {
        let Some(state) = self.links.get_mut(link) else { return };
        if !(state.since.0..=turn.now.0).contains(&sent) {
            return self.heartbeat_rejected(turn, link, Some(kind::ECHO), HeartbeatFault::Unasked);
        }
        let round_trip = Duration::from_micros(turn.now.0 - sent);
        state.round_trip = Some(round_trip);
        self.counters.links.round_trips.add(round_trip);
        self.outcome_of(link, Outcome::RoundTrip(round_trip));
    }

    /// Tells of a frame that was not taken, if it is one of those that say that a peer is there.
    fn heartbeat_rejected(&self, turn: &mut Turn<'_>, link: LinkId, kind: Option<u8>, reason: HeartbeatFault) {
        if let Some(kind::KEEPALIVE | kind::ECHO | kind::STATE) = kind
            && let Some(peer) = self.links.get(link).map(|link| link.peer)
        {
            turn.out.event(Event::HeartbeatRejected { peer, reason });
        }
    }

    /// Sends a frame on a live link.
    pub(super) fn send(&mut self, turn: &mut Turn<'_>, link: LinkId, frame: &Frame<'_>, class: Class) {
        self.send_encoded(turn, link, frame.encode(), class);
    }

    pub(super) fn send_encoded(&mut self, turn: &mut Turn<'_>, link: LinkId, bytes: Bytes, class: Class) {
        let Some(state) = self.links.get_mut(link) else { return };
        state.last_sent = turn.now;
        state.sent_bytes += bytes.len() as u64;
        self.counters.links.frames_sent += 1;
        self.counters.links.bytes_sent += bytes.len() as u64;
        turn.out.push(Output::Send { link, bytes, class });
    }

    /// The state heartbeat: what this node is like, what it holds in short, and when to say so again.
    pub(super) fn beat(&mut self, turn: &mut Turn<'_>, link: LinkId) {
        self.send_state(turn, link);
        self.send_digest(turn, link, false);
        if let Some(state) = self.links.get_mut(link) {
            state.heartbeats += 1;
            turn.out.event(Event::HeartbeatSent { peer: state.peer, sequence: state.heartbeats });
        }
        let interval = self.limits.unwrap_or_default().heartbeat.max(self.config.detection.keepalive);
        self.timers.set(Timer::Heartbeat(link), turn.now + self.random.around(interval));
    }

    pub(super) fn send_state(&mut self, turn: &mut Turn<'_>, link: LinkId) {
        let told = self.holdings.registers().filter(|register| self.may_hear(link, register));
        let (registers, messages) = told.fold((0u32, 0u64), |(registers, messages), register| {
            (registers.saturating_add(1), messages.saturating_add(self.holdings.messages(&register)))
        });
        let state = Frame::State { ready: self.ready.is_ready(), registers, messages };
        self.send(turn, link, &state, Class::Control);
    }
}
