//! Suspicions of this node, and what it probes for others.

use crate::{LinkId, Micros, bounds::MAX_PROBED};
use peerwright_secure::PeerId;
use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

/// What somebody who was asked to probe a member found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProbeAnswer {
    /// It does not answer.
    Silent,
    /// It answers.
    Alive,
    /// There was no way to find out.
    Unknown,
}

/// A peer that this node does not hear.
#[derive(Debug)]
pub(crate) struct Suspicion {
    /// The number of the probes that others were asked for.
    pub probe: u64,
    pub since: Micros,
    /// When the time for answers is over.
    pub due: Micros,
    /// Who was asked and has not answered.
    pub waiting: Vec<LinkId>,
    /// How many were asked.
    pub asked: usize,
    /// This node's own way to the peer came to nothing already.
    pub is_direct_way_lost: bool,
}

impl Suspicion {
    /// Whether waiting longer can bring nothing: everybody has answered, and the direct way is lost.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.is_direct_way_lost && self.waiting.is_empty()
    }

    /// Whether not one of those who were asked has answered and each of them `is_silent` altogether: the silence may be
    /// around this node. Who is heard and does not answer waits for the suspect, as this node does.
    pub(crate) fn is_lonely(&self, is_silent: impl Fn(&LinkId) -> bool) -> bool {
        self.asked > 0 && self.waiting.len() == self.asked && self.waiting.iter().all(is_silent)
    }
}

/// The peers that this node does not hear.
pub(crate) type Suspicions = BTreeMap<PeerId, Suspicion>;

/// What this node dials because others asked it to, or because it suspects somebody itself.
#[derive(Debug)]
struct Probed {
    peer: PeerId,
    since: Micros,
    askers: Vec<(LinkId, u64)>,
}

/// Dials that are probes, by address.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    dials: BTreeMap<SocketAddr, Probed>,
}

/// Askers of one probe. Further ones are told nothing.
const MAX_ASKERS: usize = 8;

impl Asked {
    /// Notes who asked. True when the address is to be dialled now; `None` when there is no room.
    pub(crate) fn begin(
        &mut self,
        now: Micros,
        peer: PeerId,
        address: SocketAddr,
        asker: Option<(LinkId, u64)>,
    ) -> Option<bool> {
        if let Some(probed) = self.dials.get_mut(&address).filter(|probed| probed.peer == peer) {
            if probed.askers.len() < MAX_ASKERS {
                probed.askers.extend(asker);
            }
            return Some(false);
        }
        if self.dials.len() >= MAX_PROBED {
            return None;
        }
        self.dials.insert(address, Probed { peer, since: now, askers: asker.into_iter().collect() });
        Some(true)
    }

    /// A dial ended: gives whom it was to reach and who asked.
    pub(crate) fn ended(&mut self, address: &SocketAddr) -> Option<(PeerId, Vec<(LinkId, u64)>)> {
        self.dials.remove(address).map(|probed| (probed.peer, probed.askers))
    }

    /// Forgets dials that were never answered.
    pub(crate) fn sweep(&mut self, now: Micros, limit: Duration) {
        self.dials.retain(|_, probed| now.since(probed.since) < limit);
    }
}
