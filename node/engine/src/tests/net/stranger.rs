//! A peer that the test plays: its link is node 0's.

use super::{Net, OwnedInput};
use crate::{Input, LinkId, frame::Frame};
use peerwright_secure::PeerId;

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

/// The stranger says something.
pub(crate) fn say(net: &mut Net, frame: &Frame<'_>) {
    net.give(0, OwnedInput::Frame { link: HOSTILE, bytes: frame.encode() });
}
