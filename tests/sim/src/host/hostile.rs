//! What hosts say that an engine of this version does not: what adversaries send, and frames of kinds still unknown.

use super::{Context, Host};
use crate::{adversary::Adversary, event::What, random::mix};
use bytes::{Bytes, BytesMut};
use peerwright_ledger::{Entry, Message, MessageBody, MessageHeader};
use std::{ops::Range, sync::PoisonError, time::Duration};

/// 300 a second.
const ATTACK_EVERY: Duration = Duration::from_micros(3_333);
const NOVELTY_EVERY: Duration = Duration::from_secs(1);
/// A frame of this version, of a kind that no version 1 node knows.
const NOVELTY: &[u8] = &[1, 250, 1, 2, 3];
/// How a frame begins that spreads a whole message.
const MESSAGE: &[u8] = &[1, 7];
/// Where the message begins in it, behind the hops and its length.
const MESSAGE_AT: usize = 7;
/// How a frame begins that spreads a packed one; the length behind the hops is a varint.
const PACKED: &[u8] = &[1, 19];
const PACKED_LENGTH_AT: usize = 3;
/// Where a message's encoding has its sequence, behind format, origin and incarnation, and its register sequence.
const SEQUENCES: [Range<usize>; 2] = [41..49, 105..113];
/// How often an equivocator has something to say.
const EQUIVOCATE_EVERY: Duration = Duration::from_secs(2);
/// What its other messages say.
const RIVAL: &[u8] = b"to you alone";
/// Frames that a replayer remembers.
const REMEMBERED: usize = 256;

/// What a host does beside what its engine does.
#[derive(Debug, Default)]
pub(super) struct Hostility {
    /// What it does now.
    pub acts_as: Option<Adversary>,
    /// It runs the next version.
    pub is_newer: bool,
    /// Message frames that it has heard, the place of the next.
    heard: Vec<Bytes>,
    next: usize,
}

/// The message that a frame spreads, if it does, and its header.
pub(super) fn spread_message(context: &Context<'_>, frame: &[u8]) -> Option<(MessageHeader, Bytes)> {
    let encoded = if frame.starts_with(MESSAGE) {
        Bytes::copy_from_slice(frame.get(MESSAGE_AT..)?)
    } else if frame.starts_with(PACKED) {
        let length = frame.get(PACKED_LENGTH_AT..)?.iter().position(|byte| byte & 0x80 == 0)?;
        let pool = context.world.pool.read().unwrap_or_else(PoisonError::into_inner);
        pool.unpack(frame.get(PACKED_LENGTH_AT + length + 1..)?)?
    } else {
        return None;
    };
    Some((MessageHeader::peek(&encoded)?, encoded))
}

/// The frame that spreads a message whole, to be passed on as often as another frame says.
fn whole(like: &[u8], encoded: &[u8]) -> Bytes {
    let length = u32::try_from(encoded.len()).unwrap_or(0);
    [MESSAGE, &like[2..3], &length.to_be_bytes(), encoded].concat().into()
}

impl Host {
    /// From now on this host is hostile.
    pub(crate) fn begin_attack(&mut self, context: &mut Context<'_>, adversary: Adversary) {
        let was_idle = self.hostility.acts_as.replace(adversary).is_none();
        if was_idle && adversary.is_busy() {
            self.later(context, ATTACK_EVERY, What::Attack);
        }
    }

    pub(crate) fn end_attack(&mut self) {
        self.hostility.acts_as = None;
    }

    /// From its next start on this host runs the next version.
    pub(crate) fn upgrade(&mut self) {
        self.hostility.is_newer = true;
    }

    /// Whether the host keeps a frame to itself that its engine wants sent.
    pub(super) fn withholds(&self, frame: &[u8]) -> bool {
        self.hostility.acts_as == Some(Adversary::Liar) && [MESSAGE, PACKED].iter().any(|kind| frame.starts_with(kind))
    }

    /// What a frame becomes that the engine wants sent: an equivocator's own messages say something else to every second
    /// neighbour.
    pub(super) fn as_told_to(&mut self, context: &mut Context<'_>, end: usize, frame: Bytes) -> Bytes {
        let is_told_another = self.hostility.acts_as == Some(Adversary::Equivocator) && self.ends[end].host % 2 == 1;
        let message = if is_told_another { spread_message(context, &frame) } else { None };
        let Some((header, encoded)) = message else { return frame };
        if header.origin != self.key.public() {
            return frame;
        }
        let Ok(message) = Message::decode(encoded) else { return frame };
        let entries = vec![Entry::Inline(Bytes::from_static(RIVAL))];
        let Ok(rival) = (MessageBody { entries, ..message.body().clone() }).sign(&self.key) else { return frame };
        context.world.pool.write().unwrap_or_else(PoisonError::into_inner).publish(&rival, context.now);
        whole(&frame, rival.encoded())
    }

    /// Remembers what it can use.
    pub(super) fn learn(&mut self, context: &Context<'_>, frame: &[u8]) {
        let hostility = &mut self.hostility;
        if hostility.acts_as.is_none() {
            return;
        }
        let Some((_, encoded)) = spread_message(context, frame) else { return };
        let heard = whole(frame, &encoded);
        if hostility.heard.len() < REMEMBERED {
            hostility.heard.push(heard);
        } else {
            hostility.heard[hostility.next] = heard;
        }
        hostility.next = (hostility.next + 1) % REMEMBERED;
    }

    /// Sends every neighbour something.
    pub(super) fn attack(&mut self, context: &mut Context<'_>) {
        let Some(adversary) = self.hostility.acts_as else { return };
        if adversary == Adversary::Equivocator {
            self.later(context, EQUIVOCATE_EVERY, What::Attack);
            return self.submit(context);
        }
        self.later(context, ATTACK_EVERY, What::Attack);
        let Some(latest) = self.hostility.heard.len().checked_sub(1) else { return };
        // From the last: one whose queue is full is taken out.
        for end in (0..self.ends.len()).rev() {
            let frame = match adversary {
                Adversary::Forger => {
                    let place = if latest + 1 < REMEMBERED { latest } else { self.hostility.next.wrapping_sub(1) };
                    self.forged(place.min(latest), end)
                }
                Adversary::Replayer => self.hostility.heard[self.random.place(latest + 1)].clone(),
                Adversary::Liar
                | Adversary::Conspirator
                | Adversary::Trapper
                | Adversary::Misleader
                | Adversary::Equivocator => return,
            };
            context.figures.hostile += 1;
            self.transmit(context, end, frame);
        }
    }

    /// A message like one that was heard, under one of the names that follow, or under one that is far away.
    fn forged(&mut self, place: usize, end: usize) -> Bytes {
        let mut forged = BytesMut::from(self.hostility.heard[place].as_ref());
        let number = mix(self.random.next(), end as u64) >> 32;
        let ahead = if number.is_multiple_of(2) { 1 + number / 2 % 4 } else { number };
        for sequence in SEQUENCES {
            let bytes = &mut forged[MESSAGE_AT..][sequence];
            let true_one = bytes.iter().fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte));
            bytes.copy_from_slice(&true_one.wrapping_add(ahead).to_be_bytes());
        }
        forged.freeze()
    }

    /// Says something new to every neighbour.
    pub(super) fn say_something_new(&mut self, context: &mut Context<'_>) {
        if !self.hostility.is_newer {
            return;
        }
        self.later(context, NOVELTY_EVERY, What::Novelty);
        // From the last: one whose queue is full is taken out.
        for end in (0..self.ends.len()).rev() {
            self.transmit(context, end, Bytes::from_static(NOVELTY));
        }
    }
}
