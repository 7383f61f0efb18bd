//! A fingerprint of everything that a node did.
//!
//! Each node folds (time, kind of input) and the bytes of every output into 64 bits; the run's hash folds the nodes'
//! hashes in their order. It so depends on the order of things at each node and not on how nodes were spread over
//! threads. The folding is a widening multiplication whose halves are joined: not cryptographic, a few nanoseconds for
//! eight bytes, the same in debug and release and on every machine.

use peerwright_engine::{Input, Micros, Output};

const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// The fingerprint so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trace(u64);

impl Trace {
    pub(crate) const fn new() -> Self {
        Self(0x243f_6a88_85a3_08d3)
    }

    pub(crate) const fn value(self) -> u64 {
        self.0
    }

    pub(crate) fn number(&mut self, number: u64) {
        let product = u128::from(self.0 ^ number ^ ODD) * u128::from(number.rotate_left(32) ^ 0xe703_7ed1_a0b4_28db);
        let (low, high) = (low_half(product), low_half(product >> 64));
        self.0 = (low ^ high).wrapping_add(self.0.rotate_left(23));
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.number(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        self.number(u64::from_le_bytes(last));
    }

    /// Something was given to an engine.
    pub(crate) fn input(&mut self, now: Micros, input: &Input<'_>) {
        let kind = match input {
            Input::Addresses { .. } => 1,
            Input::LinkUp { .. } => 2,
            Input::LinkDown { .. } => 3,
            Input::DialFailed { .. } => 4,
            Input::Frame { .. } => 5,
            Input::Policy(_) => 6,
            Input::LocalBans(_) => 7,
            Input::Submit { .. } => 8,
            Input::Verified { .. } => 9,
            Input::Appended { .. } => 10,
            Input::Held { .. } => 11,
            Input::Read { .. } => 12,
            Input::BodyStored { .. } => 13,
            Input::Chunk { .. } => 14,
            Input::Clock { .. } => 15,
            Input::Drain => 16,
            Input::StatementsVerified { .. } => 18,
            Input::Advertise { .. } => 19,
            _ => 17,
        };
        self.number(now.0 << 8 | kind);
    }

    /// An engine wants something done. Of questions to the store the kind and the token are enough, and of statements
    /// their number: what is asked shows in what is answered, stored and sent.
    pub(crate) fn output(&mut self, output: &Output) {
        match output {
            Output::Send { link, bytes, class } => {
                self.number(link.0 << 8 | *class as u64);
                self.bytes(bytes);
            }
            Output::ArmTimer { at } => self.number(at.0),
            Output::Dial { address } => self.bytes(address.host.as_bytes()),
            Output::Close { link, reason } => {
                self.number(link.0);
                self.bytes(reason.label().as_bytes());
            }
            Output::Verify { token, message, .. } => {
                self.number(token.0);
                self.bytes(&message.id());
            }
            Output::VerifyStatements { token, statements, .. } => {
                self.number(token.0);
                self.number(statements.len() as u64);
            }
            Output::Append { token, messages } => {
                self.number(token.0);
                for message in messages {
                    self.bytes(&message.id());
                }
            }
            Output::ReadHeld { token, .. }
            | Output::ReadMessages { token, .. }
            | Output::StoreBody { token, .. }
            | Output::ReadChunk { token, .. }
            | Output::Accepted { token } => self.number(token.0),
            Output::Refused { token, reason } => {
                self.number(token.0);
                self.bytes(reason.label().as_bytes());
            }
            Output::Anchors { addresses } => {
                for address in addresses {
                    self.bytes(address.to_string().as_bytes());
                }
            }
            _ => self.number(1),
        }
    }
}

fn low_half(number: u128) -> u64 {
    let bytes = number.to_le_bytes();
    let (low, _) = bytes.split_at(8);
    low.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::Trace;

    fn of(parts: &[&[u8]]) -> u64 {
        let mut trace = Trace::new();
        for part in parts {
            trace.bytes(part);
        }
        trace.value()
    }

    #[test]
    fn order_content_and_borders_all_count() {
        assert_eq!(of(&[b"one", b"two"]), of(&[b"one", b"two"]));
        assert_ne!(of(&[b"one", b"two"]), of(&[b"two", b"one"]));
        assert_ne!(of(&[b"onetwo"]), of(&[b"one", b"two"]));
        assert_ne!(of(&[&[0; 8]]), of(&[&[0; 16]]));
    }

    /// The value is part of what a run prints: the same on every machine and in every profile.
    #[test]
    fn the_value_is_fixed() {
        assert_eq!(of(&[b"peerwright"]), 3_777_143_314_612_060_813);
    }
}
