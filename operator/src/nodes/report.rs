//! What is known of one node, and how a digest from the wire becomes it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use peerwright_proto::v1::{self, HeartbeatDigest};
use peerwright_secure::PeerId;
use peerwright_snapshot::{MAX_PURGES, MAX_SUBSCRIPTIONS, Version};

use crate::identity::Refusal;

/// Most bans that a node may tell of.
const MAX_AUTO_BANS: usize = 256;
/// Most members of a sealing group that a node may tell of.
const MAX_MEMBERS: usize = 32;
/// Most stranded registers that a node may tell of.
const MAX_STRANDED: usize = 64;
/// Longest one-word reason, bytes.
const MAX_WORD_BYTES: usize = 64;

/// What is known of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeReport {
    /// Its pod.
    pub pod: String,
    /// Its peer id, from its certificate.
    pub peer_id: PeerId,
    /// Its stream is open and was heard within three heartbeats.
    pub connected: bool,
    /// The highest snapshot that it has persisted and enforces.
    pub acknowledged: Option<Version>,
    /// Last second of its certificate, Unix time.
    pub certificate_not_after: i64,
    /// One word of its `/readyz` while it is not ready; empty when it is.
    pub waits_for: String,
    /// Its registers, in ascending order.
    pub registers: Vec<RegisterReport>,
    /// Bans that it has made by itself and that are in force, by peer id.
    pub auto_bans: Vec<AutoBanReport>,
    /// It is of the group that seals the registers.
    pub seals: bool,
    /// How it stands to its hubs; nothing where it has none.
    pub hub: Option<HubReport>,
    /// How its sealing group stands; nothing where it is not of one.
    pub sealing: Option<SealingReport>,
    /// Dockets that it holds of each register. They change all the time, and nobody is woken by that.
    pub dockets: BTreeMap<[u8; 16], u64>,
}

#[cfg(test)]
impl NodeReport {
    /// Of a node that is connected and has told of nothing.
    pub(crate) fn silent(pod: &str, peer_id: PeerId) -> Self {
        Self {
            pod: pod.to_owned(),
            peer_id,
            connected: true,
            acknowledged: None,
            certificate_not_after: 0,
            waits_for: String::new(),
            registers: Vec::new(),
            auto_bans: Vec::new(),
            seals: false,
            hub: None,
            sealing: None,
            dockets: BTreeMap::new(),
        }
    }
}

/// How a sealing group stands, as one of its members sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SealingReport {
    /// Which group: 0 is the network's first.
    pub generation: u64,
    /// Somebody leads, and a majority follows.
    pub led: bool,
    /// The members.
    pub members: BTreeSet<PeerId>,
    /// Those that answer, told while nobody leads.
    pub answering: BTreeSet<PeerId>,
    /// Since when no majority answers, Unix seconds.
    pub alone_since: Option<u64>,
    /// Registers in which nothing is sealed any more.
    pub stranded: BTreeSet<[u8; 16]>,
    /// Why it does not go on alone although it is to, one word; empty otherwise.
    pub problem: String,
    /// The register that the sealers have begun to be the network's system register.
    pub system_register: Option<[u8; 16]>,
}

impl SealingReport {
    /// Whether most of the members answered when it looked.
    #[must_use]
    pub fn has_majority(&self) -> bool {
        self.answering.len() > self.members.len() / 2
    }
}

impl TryFrom<v1::SealingDigest> for SealingReport {
    type Error = Refusal;

    fn try_from(digest: v1::SealingDigest) -> Result<Self, Refusal> {
        let too_many = digest.members.len() > MAX_MEMBERS
            || digest.answering.len() > MAX_MEMBERS
            || digest.stranded.len() > MAX_STRANDED;
        if too_many {
            return Err(Refusal::Malformed);
        }
        let peers = |ids: &[Bytes]| -> Result<BTreeSet<PeerId>, Refusal> {
            let read = |id: &Bytes| <[u8; 32]>::try_from(id.as_ref()).map(PeerId::from_bytes);
            ids.iter().map(|id| read(id).map_err(|_| Refusal::Malformed)).collect()
        };
        let system_register = match digest.system_register.as_ref() {
            [] => None,
            id => Some(id.try_into().map_err(|_| Refusal::Malformed)?),
        };
        let stranded = digest.stranded.iter().map(|id| <[u8; 16]>::try_from(id.as_ref()));
        Ok(Self {
            generation: digest.generation,
            led: digest.led,
            members: peers(&digest.members)?,
            answering: peers(&digest.answering)?,
            alone_since: (digest.alone_since > 0).then_some(digest.alone_since),
            stranded: stranded.collect::<Result<_, _>>().map_err(|_| Refusal::Malformed)?,
            problem: checked_word(digest.problem)?,
            system_register,
        })
    }
}

/// How a node stands to the hubs that it takes its dockets from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HubReport {
    /// The hub that they come from, if there is one.
    pub active: Option<PeerId>,
    /// None is reached: what the node serves may be stale.
    pub isolated: bool,
}

impl TryFrom<v1::HubDigest> for HubReport {
    type Error = Refusal;

    fn try_from(digest: v1::HubDigest) -> Result<Self, Refusal> {
        let active = match digest.active.as_ref() {
            [] => None,
            bytes => Some(PeerId::from_bytes(bytes.try_into().map_err(|_| Refusal::Malformed)?)),
        };
        Ok(Self { active, isolated: digest.isolated_since > 0 })
    }
}

/// A ban that a node has made by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoBanReport {
    /// Whom it bans.
    pub peer_id: PeerId,
    /// What that peer did last, in one word.
    pub reason: String,
    /// SHA-256 over what the ban rests on.
    pub evidence: [u8; 32],
    /// When it ends, Unix seconds; never when absent.
    pub expires_at: Option<u64>,
}

impl TryFrom<v1::AutoBanReport> for AutoBanReport {
    type Error = Refusal;

    fn try_from(report: v1::AutoBanReport) -> Result<Self, Refusal> {
        let digest = |bytes: &[u8]| <[u8; 32]>::try_from(bytes).map_err(|_| Refusal::Malformed);
        Ok(Self {
            peer_id: PeerId::from_bytes(digest(&report.peer_id)?),
            reason: checked_word(report.reason)?,
            evidence: digest(&report.evidence)?,
            expires_at: (report.expires_at > 0).then_some(report.expires_at),
        })
    }
}

/// What a node holds of one register, as coarsely as anybody looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterReport {
    /// The register.
    pub register: [u8; 16],
    /// It holds all messages that its reachable members advertised.
    pub synced: bool,
    /// What the node does with it; nothing when it does not say.
    pub state: Option<ReplicaState>,
    /// How much of its source's dockets it holds, percent in whole tens; nothing where there are no dockets.
    pub percent: Option<u8>,
    /// Since when it lacks what its source holds, Unix seconds.
    pub behind_since: Option<u64>,
    /// Why the last try failed, one word; empty when the last one went well.
    pub problem: String,
}

/// What a node does with a register, from what is furthest from done to what is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReplicaState {
    /// Two histories are certified: it takes no more.
    Frozen,
    /// Ten failures in a row; it goes on trying.
    Error,
    /// Nothing of it is there any more.
    Purged,
    /// No source has answered yet.
    Subscribing,
    /// It lacks dockets that its source holds.
    Syncing,
    /// It holds everything since it subscribed, and follows.
    Active,
    /// It holds everything, and follows.
    FullyReplicated,
    /// It seals the register.
    Sealing,
}

impl ReplicaState {
    /// As statuses show it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Frozen => "Frozen",
            Self::Error => "Error",
            Self::Purged => "Purged",
            Self::Subscribing => "Subscribing",
            Self::Syncing => "Syncing",
            Self::Active => "Active",
            Self::FullyReplicated => "FullyReplicated",
            Self::Sealing => "Sealing",
        }
    }

    /// A state that a later version tells, and this one does not know, is as one that is not told.
    fn read(told: i32) -> Option<Self> {
        match v1::ReplicaState::try_from(told).ok()? {
            v1::ReplicaState::Unspecified => None,
            v1::ReplicaState::Subscribing => Some(Self::Subscribing),
            v1::ReplicaState::Syncing => Some(Self::Syncing),
            v1::ReplicaState::FullyReplicated => Some(Self::FullyReplicated),
            v1::ReplicaState::Active => Some(Self::Active),
            v1::ReplicaState::Error => Some(Self::Error),
            v1::ReplicaState::Sealing => Some(Self::Sealing),
            v1::ReplicaState::Purged => Some(Self::Purged),
            v1::ReplicaState::Frozen => Some(Self::Frozen),
        }
    }
}

impl RegisterReport {
    /// Whether the node holds the register, which has dockets or has none yet.
    #[must_use]
    pub fn holds(&self, has_dockets: bool) -> bool {
        let in_place = match self.state {
            None => true,
            Some(ReplicaState::Subscribing | ReplicaState::Syncing) => !has_dockets,
            Some(ReplicaState::Active | ReplicaState::FullyReplicated | ReplicaState::Sealing) => true,
            Some(ReplicaState::Frozen | ReplicaState::Error | ReplicaState::Purged) => false,
        };
        self.synced && in_place
    }
}

impl TryFrom<v1::RegisterDigest> for RegisterReport {
    type Error = Refusal;

    fn try_from(row: v1::RegisterDigest) -> Result<Self, Refusal> {
        let state = ReplicaState::read(row.state);
        let of = u128::from(row.dockets_of_source.max(row.dockets));
        let is_whole =
            matches!(state, Some(ReplicaState::Active | ReplicaState::FullyReplicated | ReplicaState::Sealing));
        let tens = (u128::from(row.dockets) * 10).checked_div(of).map(|tens| if is_whole { 10 } else { tens });
        Ok(Self {
            register: row.register_id.as_ref().try_into().map_err(|_| Refusal::Malformed)?,
            synced: row.synced,
            state,
            percent: tens.and_then(|tens| u8::try_from(tens * 10).ok()),
            behind_since: (row.behind_since > 0).then_some(row.behind_since),
            problem: checked_word(row.problem)?,
        })
    }
}

impl NodeReport {
    /// Whether a person or a controller would care about the difference.
    pub(super) fn differs_notably(&self, other: &Self) -> bool {
        self.connected != other.connected
            || self.acknowledged != other.acknowledged
            || self.waits_for != other.waits_for
            || self.certificate_not_after != other.certificate_not_after
            || self.registers != other.registers
            || self.auto_bans != other.auto_bans
            || self.seals != other.seals
            || self.hub != other.hub
            || self.sealing != other.sealing
    }

    /// Takes over what a node says about itself that somebody here reads, if it keeps the bounds. Its certificate's end
    /// is known from the certificate itself.
    pub(super) fn update(&mut self, digest: HeartbeatDigest) -> Result<(), Refusal> {
        if digest.registers.len() > MAX_SUBSCRIPTIONS + MAX_PURGES || digest.auto_bans.len() > MAX_AUTO_BANS {
            return Err(Refusal::Malformed);
        }
        let reason = checked_word(digest.reason)?;
        let dockets: Result<BTreeMap<[u8; 16], u64>, Refusal> = digest.registers.iter().map(held).collect();
        let registers: Result<Vec<RegisterReport>, Refusal> =
            digest.registers.into_iter().map(RegisterReport::try_from).collect();
        let auto_bans: Result<Vec<AutoBanReport>, Refusal> =
            digest.auto_bans.into_iter().map(AutoBanReport::try_from).collect();
        let hub = digest.hub.map(HubReport::try_from).transpose()?;
        let sealing = digest.sealing.map(SealingReport::try_from).transpose()?;
        let dockets = dockets?;
        let mut auto_bans = auto_bans?;
        auto_bans.sort_by_key(|ban| ban.peer_id);
        auto_bans.dedup_by_key(|ban| ban.peer_id);
        let mut registers = registers?;
        registers.sort_by_key(|row| row.register);
        registers.dedup_by_key(|row| row.register);
        self.waits_for = if digest.ready { String::new() } else { reason };
        self.registers = registers;
        self.auto_bans = auto_bans;
        self.seals = digest.seals;
        self.hub = hub;
        self.sealing = sealing;
        self.dockets = dockets;
        Ok(())
    }
}

/// How many dockets of which register.
fn held(row: &v1::RegisterDigest) -> Result<([u8; 16], u64), Refusal> {
    Ok((row.register_id.as_ref().try_into().map_err(|_| Refusal::Malformed)?, row.dockets))
}

/// Short printable text without spaces, as it may go into a status.
fn checked_word(text: String) -> Result<String, Refusal> {
    let is_word = text.len() <= MAX_WORD_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_word.then_some(text).ok_or(Refusal::Malformed)
}
