//! What hosts say that an engine of this version does not: forged messages, and frames of kinds still unknown.

use super::{Context, Host};
use crate::{event::What, random::mix};
use bytes::{Bytes, BytesMut};
use peerwright_ledger::Message;
use std::time::Duration;

/// 300 a second.
const FORGE_EVERY: Duration = Duration::from_micros(3_333);
const NOVELTY_EVERY: Duration = Duration::from_secs(1);
/// A frame of this version, of a kind that no version 1 node knows.
const NOVELTY: &[u8] = &[1, 250, 1, 2, 3];
/// Where a message's encoding has its sequence, behind format, origin and incarnation, and its register sequence.
const SEQUENCES: [std::ops::Range<usize>; 2] = [41..49, 105..113];

/// What a host does beside what its engine does.
#[derive(Debug, Default)]
pub(super) struct Hostility {
    /// It forges.
    pub forges: bool,
    /// It runs the next version.
    pub is_newer: bool,
    /// A message frame that it has seen, and where in it the message begins.
    template: Option<(Bytes, usize)>,
}

impl Host {
    /// From now on this host forges.
    pub(crate) fn begin_forging(&mut self, context: &mut Context<'_>) {
        self.hostility.forges = true;
        self.later(context, FORGE_EVERY, What::Forge);
    }

    pub(crate) fn stop_forging(&mut self) {
        self.hostility.forges = false;
    }

    /// From its next start on this host runs the next version.
    pub(crate) fn upgrade(&mut self) {
        self.hostility.is_newer = true;
    }

    /// Remembers a frame that carries a message: what is forged looks like it.
    pub(super) fn learn(&mut self, frame: &Bytes) {
        if !self.hostility.forges || self.hostility.template.is_some() {
            return;
        }
        let place = (2..16.min(frame.len())).find(|place| Message::decode(frame.slice(*place..)).is_ok());
        self.hostility.template = place.map(|place| (frame.clone(), place));
    }

    /// Sends every neighbour a message that its alleged origin has never signed.
    pub(super) fn forge(&mut self, context: &mut Context<'_>) {
        if !self.hostility.forges {
            return;
        }
        self.later(context, FORGE_EVERY, What::Forge);
        let Some((frame, place)) = self.hostility.template.clone() else { return };
        for end in 0..self.ends.len() {
            let mut forged = BytesMut::from(frame.as_ref());
            let number = mix(self.random.next(), end as u64) >> 32;
            for sequence in SEQUENCES {
                for (byte, other) in forged[place..][sequence].iter_mut().zip(number.to_be_bytes()) {
                    *byte |= other;
                }
            }
            context.figures.forged += 1;
            self.transmit(context, end, forged.freeze());
        }
    }

    /// Says something new to every neighbour.
    pub(super) fn say_something_new(&mut self, context: &mut Context<'_>) {
        if !self.hostility.is_newer {
            return;
        }
        self.later(context, NOVELTY_EVERY, What::Novelty);
        for end in 0..self.ends.len() {
            self.transmit(context, end, Bytes::from_static(NOVELTY));
        }
    }
}
