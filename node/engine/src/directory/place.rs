//! Nodes and registers as places in one space.

use peerwright_ledger::RegisterId;
use peerwright_secure::{PeerId, sha256};

/// A 256-bit number. Distances are exclusive ors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place([u8; 32]);

impl Place {
    /// Where a node is: its id, a hash already.
    pub(crate) fn of_peer(peer: &PeerId) -> Self {
        Self(*peer.as_bytes())
    }

    /// Where a register is.
    pub(crate) fn of_register(register: &RegisterId) -> Self {
        let mut bytes = Vec::from(*b"peerwright register place 1\0");
        bytes.extend_from_slice(register.as_bytes());
        Self(sha256(&bytes))
    }

    /// How far a node is from here.
    pub(crate) fn distance(&self, peer: &PeerId) -> [u8; 32] {
        let mut distance = self.0;
        for (byte, other) in distance.iter_mut().zip(peer.as_bytes()) {
            *byte ^= other;
        }
        distance
    }

    /// How many bits a node has in common with this place, from the first on.
    pub(crate) fn shared_bits(&self, peer: &PeerId) -> u32 {
        let distance = self.distance(peer);
        let zeros = distance.iter().take_while(|byte| **byte == 0).count();
        let partial = distance.get(zeros).map_or(0, |byte| byte.leading_zeros());
        u32::try_from(zeros * 8).unwrap_or(u32::MAX).saturating_add(partial)
    }
}

#[cfg(test)]
mod tests {
    use super::Place;
    use peerwright_ledger::RegisterId;
    use peerwright_secure::PeerId;
    use proptest::prelude::*;

    #[test]
    fn a_registers_place_has_not_changed() {
        let place = Place::of_register(&RegisterId::from_bytes([7; 16]));
        assert_eq!(place.0[..8], [0x4e, 0xfc, 0xd1, 0x73, 0x2c, 0x64, 0xca, 0xe2]);
    }

    proptest! {
        #[test]
        fn more_shared_bits_are_nearer(own in any::<[u8; 32]>(), one in any::<[u8; 32]>(), other in any::<[u8; 32]>()) {
            let (own, one, other) = (Place(own), PeerId::from_bytes(one), PeerId::from_bytes(other));
            if own.shared_bits(&one) > own.shared_bits(&other) {
                prop_assert!(own.distance(&one) < own.distance(&other));
            }
            prop_assert_eq!(Place::of_peer(&one).distance(&other), Place::of_peer(&other).distance(&one));
        }
    }
}
