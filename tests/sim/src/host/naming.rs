//! What a host that means harm says of others' addresses and of who holds what, in place of what its engine would say.

use super::{Context, Host};
use crate::{
    adversary::Adversary,
    world::{is_astray, socket_of, victim},
};
use bytes::{BufMut, Bytes, BytesMut};
use peerwright_engine::Config;
use peerwright_secure::PeerId;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const VERSION: u8 = 1;
const SHUFFLE: u8 = 43;
const SHUFFLE_REPLY: u8 = 44;
const ADDRESS_ANSWER: u8 = 50;
const HOLDERS: u8 = 57;
/// Where an answer about holders names the first, behind the register.
const HOLDERS_AT: usize = 18;
/// As many as one answer may name.
const NAMED_HOLDERS: u8 = 20;

/// Neighbours that a greedy host looks for, all of its own choice.
const GREED: usize = 30;

impl Host {
    /// A host that wants to be everybody's neighbour asks with priority, again and again.
    pub(super) fn be_greedy(&self, config: &mut Config) {
        if self.hostility.acts_as == Some(Adversary::Conspirator) {
            config.overlay.active = GREED + config.connections.inbound;
            config.overlay.active_minimum = config.overlay.active;
            config.overlay.active_outbound = GREED;
            config.overlay.searching = GREED;
        }
    }

    /// What the engine wants sent, or something that serves the attack better.
    pub(super) fn twisted(&mut self, context: &Context<'_>, bytes: Bytes) -> Bytes {
        let adversary = self.hostility.acts_as;
        if adversary == Some(Adversary::Misleader) {
            return self.misleading(context, bytes);
        }
        let Some(adversary @ (Adversary::Conspirator | Adversary::Trapper)) = adversary else { return bytes };
        let (kind, most) = match *bytes {
            [VERSION, kind @ (SHUFFLE | SHUFFLE_REPLY), ..] => (kind, 16),
            [VERSION, ADDRESS_ANSWER, ..] => (ADDRESS_ANSWER, 50),
            _ => return bytes,
        };
        let mut frame = BytesMut::from(&[VERSION, kind][..]);
        self.put_contacts(context, adversary, most, &mut frame);
        frame.freeze()
    }

    /// An answer about holders that names accomplices twice: as holders, and as those who know more.
    fn misleading(&mut self, context: &Context<'_>, bytes: Bytes) -> Bytes {
        if !bytes.starts_with(&[VERSION, HOLDERS]) {
            return bytes;
        }
        let mut frame = BytesMut::from(&bytes[..HOLDERS_AT]);
        for _ in 0..2 {
            self.put_contacts(context, Adversary::Misleader, NAMED_HOLDERS, &mut frame);
        }
        frame.freeze()
    }

    fn put_contacts(&mut self, context: &Context<'_>, adversary: Adversary, most: u8, frame: &mut BytesMut) {
        frame.put_u32(most.into());
        for _ in 0..most {
            let (peer, socket) = self.name(context, adversary);
            frame.put_slice(peer.as_bytes());
            if let IpAddr::V4(ip) = socket.ip() {
                frame.put_u8(4);
                frame.put_slice(&ip.octets());
            }
            frame.put_u16(socket.port());
        }
    }

    fn name(&mut self, context: &Context<'_>, adversary: Adversary) -> (PeerId, SocketAddr) {
        if matches!(adversary, Adversary::Conspirator | Adversary::Misleader) {
            let accomplices = &context.world.hostile;
            let accomplice = &accomplices[self.random.place(accomplices.len())];
            return (accomplice.peer, socket_of(accomplice.host));
        }
        let mut peer = [0; 32];
        peer[..8].copy_from_slice(&self.random.next().to_be_bytes());
        (PeerId::from_bytes(peer), self.trap())
    }

    fn trap(&mut self) -> SocketAddr {
        const TRAPS: [([u8; 4], u16); 8] = [
            ([169, 254, 169, 254], 8_080),
            ([127, 0, 0, 1], 8_080),
            ([192, 168, 1, 1], 8_080),
            ([172, 16, 0, 1], 5_000),
            ([224, 0, 0, 1], 5_000),
            ([0, 0, 0, 0], 5_000),
            ([10, 0, 0, 1], 22),
            ([100, 64, 0, 1], 5_000),
        ];
        let trap = match self.random.place(2 * TRAPS.len()) {
            place if place < TRAPS.len() => SocketAddr::from((Ipv4Addr::from(TRAPS[place].0), TRAPS[place].1)),
            place => victim(place),
        };
        debug_assert!(is_astray(trap), "a trap is where no node is");
        trap
    }
}
