//! What all hosts share: the options, the messages, who is where, and who cannot reach whom.

use crate::{
    event::HostId,
    options::Options,
    pool::Pool,
    random::{micros, mix},
};
use bytes::Bytes;
use peerwright_engine::{Address, Micros, Statement};
use peerwright_ledger::RegisterId;
use peerwright_secure::{Cidr, NodePublicKey, PeerId};
use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{PoisonError, RwLock},
    time::Duration,
};

/// The register that every node holds.
pub(crate) const REGISTER: RegisterId = RegisterId::from_bytes([0xaa; 16]);

/// A register that few nodes hold, and in which nobody publishes.
pub(crate) const RARE: RegisterId = RegisterId::from_bytes([0xbb; 16]);

/// When a simulation begins.
pub(crate) const START: Micros = Micros(1_700_000_000_000_000);

const PORT: u16 = 5_000;
/// 10.0.0.0/8: hosts are numbered from its second address.
const NETWORK: u32 = 0x0a00_0000;
/// From this number on there are no hosts.
const VICTIM: u32 = 0x00ff_0000;

/// Read by hosts, changed between two windows only.
#[derive(Debug)]
pub(crate) struct World {
    pub options: Options,
    pub pool: RwLock<Pool>,
    /// Members' statements that some host has verified, by the ends of their signatures: each is verified once in a
    /// simulation, however many hosts ask.
    pub statements: RwLock<HashMap<u64, (Bytes, bool)>>,
    /// Hosts there are, clones and adversaries among them.
    pub hosts: HostId,
    pub cuts: Cuts,
    /// Hosts that do not follow the protocol.
    pub hostile: Vec<Hostile>,
    /// Keys that two processes had at once, if only for a while.
    pub doubled: Vec<NodePublicKey>,
    /// Peers that stand still or are cut off, and until when nobody is wrong to say so.
    pub absent: BTreeMap<PeerId, Micros>,
    /// Transactions are being submitted.
    pub publishing: bool,
}

/// A host that does not follow the protocol.
#[derive(Debug)]
pub(crate) struct Hostile {
    pub host: HostId,
    pub peer: PeerId,
    pub key: NodePublicKey,
}

/// Who cannot reach whom.
#[derive(Debug, Default)]
pub(crate) struct Cuts {
    /// The side of a partition that a host is on; hosts beyond the end are on side 0.
    pub sides: Vec<u8>,
    /// Nothing that these send arrives.
    pub mute: Vec<HostId>,
    /// Nothing that is sent to these arrives.
    pub deaf: Vec<HostId>,
    /// What these send to hosts with odd numbers takes so much longer.
    pub detours: Vec<(HostId, Duration)>,
}

impl Cuts {
    /// Whether what `from` sends to `to` is lost.
    pub(crate) fn apply(&self, from: HostId, to: HostId) -> bool {
        let side = |host: HostId| self.sides.get(host as usize).copied().unwrap_or(0);
        side(from) != side(to) || self.mute.contains(&from) || self.deaf.contains(&to)
    }

    /// How much longer the way is than it was.
    pub(crate) fn detour(&self, from: HostId, to: HostId) -> Duration {
        let detours = self.detours.iter().filter(|(host, _)| *host == from && to % 2 == 1);
        detours.map(|(_, longer)| *longer).max().unwrap_or_default()
    }
}

impl World {
    pub(crate) fn is_honest(&self, host: HostId) -> bool {
        !self.hostile.iter().any(|hostile| hostile.host == host)
    }

    /// The host that is nobody until it becomes somebody's clone.
    pub(crate) fn spare(&self) -> Option<HostId> {
        self.hosts.checked_sub(1).filter(|last| *last >= self.options.nodes)
    }

    /// Whether one process alone has this key, and follows the protocol.
    pub(crate) fn is_sound(&self, key: &NodePublicKey) -> bool {
        !self.doubled.contains(key) && !self.hostile.iter().any(|hostile| hostile.key == *key)
    }

    pub(crate) fn is_honest_peer(&self, peer: &PeerId) -> bool {
        !self.hostile.iter().any(|hostile| hostile.peer == *peer)
    }

    /// Whether members have signed what they are said to.
    pub(crate) fn hold(&self, statements: &[Statement]) -> bool {
        let known = self.statements.read().unwrap_or_else(PoisonError::into_inner);
        let verdict = |statement: &Statement| {
            let (bytes, holds) = known.get(&end(statement.bytes()))?;
            (bytes == statement.bytes()).then_some(*holds)
        };
        let verdicts: Vec<Option<bool>> = statements.iter().map(verdict).collect();
        drop(known);
        // No verdict is left out: what is asked of all of them again is not verified again.
        statements.iter().zip(verdicts).fold(true, |all, (statement, known)| {
            let holds = known.unwrap_or_else(|| {
                let holds = statement.holds();
                let bytes = Bytes::copy_from_slice(statement.bytes());
                let mut known = self.statements.write().unwrap_or_else(PoisonError::into_inner);
                known.insert(end(&bytes), (bytes, holds));
                holds
            });
            all && holds
        })
    }

    /// The one-way delay between two hosts, without jitter.
    pub(crate) fn latency(&self, one: HostId, other: HostId) -> Duration {
        let (from, to) = self.options.latency;
        let pair = u64::from(one.min(other)) << 32 | u64::from(one.max(other));
        let span = micros(to).saturating_sub(micros(from)) + 1;
        from + Duration::from_micros(mix(self.options.seed ^ 0x6c61_7465, pair) % span)
    }
}

/// The last eight bytes of a statement: a part of its signature.
fn end(statement: &[u8]) -> u64 {
    statement.last_chunk().map_or(0, |end| u64::from_le_bytes(*end))
}

/// Where a host listens.
pub(crate) fn socket_of(host: HostId) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::from_bits(NETWORK + 1 + host)), PORT)
}

/// The block of addresses that all hosts are in.
pub(crate) fn network() -> Option<Cidr> {
    Cidr::new(IpAddr::V4(Ipv4Addr::from_bits(NETWORK)), 8).ok()
}

/// Where a host listens, as discovery tells it.
pub(crate) fn address_of(host: HostId) -> Address {
    Address { host: format!("node-{host}"), socket: socket_of(host) }
}

/// A machine inside the block that is no node.
pub(crate) fn victim(number: usize) -> SocketAddr {
    let port = 20_000 + u16::try_from(number).unwrap_or(0);
    SocketAddr::new(IpAddr::V4(Ipv4Addr::from_bits(NETWORK + 1 + VICTIM)), port)
}

/// Whether no node listens there.
pub(crate) fn is_astray(socket: SocketAddr) -> bool {
    host_at(socket).is_none_or(|host| host >= VICTIM)
}

/// The host that listens there, if there may be one.
pub(crate) fn host_at(socket: SocketAddr) -> Option<HostId> {
    match socket.ip() {
        IpAddr::V4(address) if socket.port() == PORT => address.to_bits().checked_sub(NETWORK + 1),
        _ => None,
    }
}
