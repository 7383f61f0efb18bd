//! Who is near whom for half a day.
//!
//! ```text
//!   half a day, two ids ──▶ SHA-256 ──▶ a distance that both ends know and neither chose
//! ```
//!
//! A node looks for the nearest members as neighbours, and a full node that is asked with priority keeps those that are
//! nearer. Both ends mean the same pairs, so who is wanted finds room, and whoever asks everybody gets no more of the near
//! places than its share of the members. Ids can be chosen to be near somebody, but not for each half day anew. The
//! half days of different pairs begin at different times: neighbours change one by one, and not all at once. In a network
//! of 1,000 one link in 1,000 changes every ten seconds for that; with hours it was ten, and trees were never warm. The
//! idea is AVMON's (Morales, Gupta 2007), where distances say who watches whom.

use crate::Micros;
use peerwright_secure::{PeerId, sha256};
use std::time::Duration;

/// How long distances hold.
const EPOCH: Duration = Duration::from_secs(12 * 3_600);

/// How far two nodes are from each other at a time of the wall clock.
pub(crate) fn distance(wall: Micros, one: &PeerId, other: &PeerId) -> u64 {
    let first = |peer: &PeerId| peer.as_bytes().iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    let begins = (first(one) ^ first(other)) % EPOCH.as_secs();
    let epoch = wall.seconds().saturating_add(begins) / EPOCH.as_secs();
    let mut bytes = Vec::from(*b"peerwright distance 1\0");
    bytes.extend_from_slice(&epoch.to_be_bytes());
    bytes.extend_from_slice(one.min(other).as_bytes());
    bytes.extend_from_slice(one.max(other).as_bytes());
    sha256(&bytes).iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::{EPOCH, distance};
    use crate::Micros;
    use peerwright_secure::PeerId;
    use proptest::prelude::*;

    fn peer(number: u8) -> PeerId {
        PeerId::from_bytes([number; 32])
    }

    #[test]
    fn distances_have_not_changed() {
        assert_eq!(distance(Micros(0), &peer(1), &peer(2)), 0x4830_eeaf_193e_40cc);
    }

    proptest! {
        #[test]
        fn both_ends_see_one_distance_and_another_each_epoch(one in any::<u8>(), other in any::<u8>(), at in 0..u64::MAX / 4) {
            let (one, other, at) = (peer(one), peer(other), Micros(at));
            prop_assert_eq!(distance(at, &one, &other), distance(at, &other, &one));
            prop_assert_ne!(distance(at, &one, &other), distance(at + EPOCH, &one, &other));
        }
    }
}
