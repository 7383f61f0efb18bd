//! A peer that the test plays: its link is node 0's.

use super::{Net, OwnedInput, REGISTER, SECOND};
use crate::{Input, LinkId, frame::Frame};
use bytes::Bytes;
use peerwright_ledger::{Entry, MessageBody};
use peerwright_secure::{NodeKey, PeerId};

/// Its link.
pub(crate) const HOSTILE: LinkId = LinkId(u64::MAX);

/// A network of `count` honest nodes; node 0 has a link to somebody that the test plays.
pub(crate) fn with_stranger(count: usize) -> Net {
    let mut net = Net::running(count);
    let peer = PeerId::from_bytes([0xee; 32]);
    let up = Input::LinkUp { link: HOSTILE, peer, incarnation: 1, outbound: false, address: None };
    net.give(0, OwnedInput::Plain(up));
    net
}

/// Who signs the messages that the stranger brings.
pub(crate) fn author() -> NodeKey {
    NodeKey::from_seed([0xcc; 32])
}

/// A message of [`author`] that lives for a minute, to be signed.
pub(crate) fn authored(net: &Net, sequence: u64) -> MessageBody {
    MessageBody {
        origin: author().public(),
        incarnation: 1,
        sequence,
        floor: 1,
        previous: [0; 32],
        register: REGISTER,
        register_sequence: sequence,
        created_at_micros: 1,
        expires_at_micros: (net.now + SECOND * 60).0,
        entries: vec![Entry::Inline(Bytes::from_static(b"text-0"))],
    }
}

/// The stranger says something.
pub(crate) fn say(net: &mut Net, frame: &Frame<'_>) {
    net.give(0, OwnedInput::Frame { link: HOSTILE, bytes: frame.encode() });
}
