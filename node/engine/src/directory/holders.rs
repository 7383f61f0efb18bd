//! Which nodes have said that they hold a register.

use crate::{
    Micros,
    bounds::{HOLDER_KEPT, MAX_HOLDER_ENTRIES, MAX_HOLDERS_OF_A_REGISTER, MAX_REGISTERS_OF_A_HOLDER},
    frame::Contact,
};
use peerwright_ledger::RegisterId;
use peerwright_secure::PeerId;
use std::{collections::BTreeMap, net::SocketAddr};

#[derive(Debug, Clone, Copy)]
struct Entry {
    address: SocketAddr,
    until: Micros,
}

/// What holders have told this node of themselves, each for an hour.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    entries: BTreeMap<(RegisterId, PeerId), Entry>,
    /// How many registers each has named.
    named: BTreeMap<PeerId, usize>,
}

impl Holders {
    /// A holder says that it holds a register. Says whether there was room.
    pub(crate) fn add(&mut self, now: Micros, register: RegisterId, holder: Contact) -> bool {
        let key = (register, holder.peer);
        let is_known = self.entries.contains_key(&key);
        let named = self.named.get(&holder.peer).copied().unwrap_or(0);
        let has_room = is_known
            || (self.entries.len() < MAX_HOLDER_ENTRIES
                && named < MAX_REGISTERS_OF_A_HOLDER
                && self.of(&register).count() < MAX_HOLDERS_OF_A_REGISTER);
        if has_room {
            self.entries.insert(key, Entry { address: holder.address, until: now + HOLDER_KEPT });
            if !is_known {
                self.named.insert(holder.peer, named + 1);
            }
        }
        has_room
    }

    fn of(&self, register: &RegisterId) -> impl Iterator<Item = (&PeerId, &Entry)> {
        let (first, last) = (PeerId::from_bytes([0; 32]), PeerId::from_bytes([0xff; 32]));
        self.entries.range((*register, first)..=(*register, last)).map(|((_, peer), entry)| (peer, entry))
    }

    /// The holders of a register.
    pub(crate) fn find(&self, now: Micros, register: &RegisterId) -> impl Iterator<Item = Contact> {
        let live = self.of(register).filter(move |(_, entry)| entry.until > now);
        live.map(|(peer, entry)| Contact { peer: *peer, address: entry.address })
    }

    /// Forgets what is too old.
    pub(crate) fn sweep(&mut self, now: Micros) {
        let named = &mut self.named;
        self.entries.retain(|(_, peer), entry| {
            let stays = entry.until > now;
            if !stays && let Some(count) = named.get_mut(peer) {
                *count = count.saturating_sub(1);
            }
            stays
        });
        self.named.retain(|_, count| *count > 0);
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}
