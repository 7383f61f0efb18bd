//! Beginning a register: its genesis is made and signed here, and the sealers' leader makes it docket 0.

use super::{Callers, sealer::Sealer};
use crate::{driver::Clock, member::Membership, tls::fill_random};
use peerwright_ledger::{
    Attestation, ControlRefused, DocketRefused, GenesisRecord, RegisterId, RegisterPolicy, Role, SealedDocket,
    SealerSet, seal_genesis,
};
use peerwright_proto::v1::{CreateRegisterRequest, sealing_client::SealingClient};
use peerwright_sealing::{Group, GroupRefused};
use peerwright_secure::{NodeKey, NodePublicKey, PeerId, Signature};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use thiserror::Error;
use tokio::time::{sleep, timeout};
use tonic::{Code, Status};

/// A register begins within this time, or the caller hears that it is not known whether it did.
const CREATE_WITHIN: Duration = Duration::from_secs(15);
/// Between two rounds through the sealers while none leads.
const PAUSE: Duration = Duration::from_millis(200);

/// A register to begin.
#[derive(Debug, Clone)]
pub struct NewRegister {
    /// The display name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Who asks for it, in words: becomes its owner by this node's key.
    pub owner: String,
    /// Whose signature alone replaces the sealers; when nobody is named the network's authority over registers, and where
    /// it has none this node's key.
    pub authority: Option<NodePublicKey>,
    /// How it is sealed and checked.
    pub policy: RegisterPolicy,
}

/// Why a register was not begun.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CreateRefused {
    /// Nobody seals in this network, or not all who do are known yet.
    #[error("the network has no sealers yet: spec.sealing says how many, and each must have joined")]
    NoSealers,
    /// The register would break a rule.
    #[error("{0}")]
    Invalid(#[from] ControlRefused),
    /// Docket 0 would break a rule.
    #[error("{0}")]
    Docket(#[from] DocketRefused),
    /// The leader does not begin it.
    #[error("the sealers refuse: {0}")]
    Refused(String),
    /// No leader was reached in time.
    #[error("no sealer that leads was reached within 15 s ({0}); the register may still begin, follow it by its id")]
    Unreached(String),
    /// No randomness for the register's id.
    #[error("the operating system gives no random bytes")]
    NoRandomness,
}

/// Begins registers for whoever asks this node.
pub(crate) struct Creator {
    pub(crate) membership: Arc<Membership>,
    pub(crate) callers: Arc<Callers>,
    pub(crate) sealer: Arc<Sealer>,
}

impl Creator {
    /// Begins a register; answers when its docket 0 is committed.
    pub(crate) async fn create(&self, new: NewRegister) -> Result<RegisterId, CreateRefused> {
        let named = self.membership.snapshot().map(|current| current.snapshot.content.sealers.clone());
        let named = named.filter(|named| !named.is_empty()).ok_or(CreateRefused::NoSealers)?;
        let sealers = self.callers.keys(&named).await.ok_or(CreateRefused::NoSealers)?;
        let proposer = *sealers.first().ok_or(CreateRefused::NoSealers)?;
        let mut nonce = [0; 16];
        fill_random(&mut nonce).map_err(|_| CreateRefused::NoRandomness)?;
        let new = NewRegister { authority: new.authority.or_else(|| network_authority(&self.membership)), ..new };
        let record = record(new, sealers, nonce, self.membership.key())?;
        let register = record.register();
        let genesis = seal_genesis(&record, self.membership.key(), proposer)?;
        let mut last = String::new();
        let trying = async {
            loop {
                for sealer in &named {
                    match self.ask(*sealer, &genesis).await {
                        Ok(()) => return Ok(register),
                        Err(Asked::Refused(why)) => return Err(CreateRefused::Refused(why)),
                        Err(Asked::Later(why)) => last = why,
                    }
                }
                sleep(PAUSE).await;
            }
        };
        let ended = timeout(CREATE_WITHIN, trying).await;
        ended.unwrap_or(Err(CreateRefused::Unreached(last)))
    }

    async fn ask(&self, sealer: PeerId, genesis: &SealedDocket) -> Result<(), Asked> {
        if sealer == self.membership.peer_id() {
            let group = self.sealer.group().ok_or_else(|| Asked::Later("this node begins to seal".to_owned()))?;
            return begin(&group, genesis.clone()).await.map_err(|refused| {
                let asked = if is_for_later(&refused) { Asked::Later } else { Asked::Refused };
                asked(refused.to_string())
            });
        }
        let later = |why: &dyn ToString| Asked::Later(why.to_string());
        let connection = self.callers.reach(sealer).await.map_err(|error| later(&error))?;
        let (channel, origin) = connection.channel();
        let (header, body) = genesis;
        let request = CreateRegisterRequest { header: header.encode().into(), body: body.encoded().clone() };
        match SealingClient::with_origin(channel, origin).create(request).await {
            Ok(_) => Ok(()),
            Err(status) if matches!(status.code(), Code::InvalidArgument | Code::ResourceExhausted) => {
                Err(Asked::Refused(status.message().to_owned()))
            }
            Err(status) => Err(later(&status.message())),
        }
    }
}

/// The key, which the operator keeps, that is the authority of registers that name no other.
pub(super) fn network_authority(membership: &Membership) -> Option<NodePublicKey> {
    let current = membership.snapshot()?;
    current.snapshot.content.settings.authority().map(NodePublicKey::from_bytes)
}

/// What a register begins with: its owner is the holder of `key`, who signs it.
pub(super) fn record(
    new: NewRegister,
    sealers: BTreeSet<NodePublicKey>,
    nonce: [u8; 16],
    key: &NodeKey,
) -> Result<GenesisRecord, ControlRefused> {
    let NewRegister { name, description, owner, authority, policy } = new;
    let now = Clock::wall().0;
    let unsigned = Signature::from_bytes([0; 64]);
    let owner = Attestation { role: Role::Owner, subject: owner, attested_at_micros: now, signature: unsigned };
    let mut record = GenesisRecord {
        name,
        description,
        authority: authority.unwrap_or(key.public()),
        sealers: SealerSet::new(1, sealers)?,
        policy,
        created_at_micros: now,
        nonce,
        attestations: BTreeMap::from([(key.public(), owner)]),
    };
    record.attest(key)?;
    record.check()?;
    Ok(record)
}

/// Why a sealer did not begin a register.
enum Asked {
    Refused(String),
    /// Another may, or this one in a moment.
    Later(String),
}

/// Begins a register as the leader; asked again with the same docket it answers the same.
pub(super) async fn begin(group: &Group, genesis: SealedDocket) -> Result<(), GroupRefused> {
    match group.create(genesis).await {
        Ok(_) | Err(GroupRefused::RegisterExists(_)) => Ok(()),
        Err(refused) => Err(refused),
    }
}

/// Whether the same may be taken by another sealer, or in a moment.
fn is_for_later(refused: &GroupRefused) -> bool {
    matches!(
        refused,
        GroupRefused::NotLeader { .. }
            | GroupRefused::Changing
            | GroupRefused::OtherSealers
            | GroupRefused::TimedOut(_)
            | GroupRefused::Stopped
    )
}

/// A refusal of the group, for a member that asked.
pub(super) fn status(refused: &GroupRefused) -> Status {
    let message = format!("{}: {refused}", refused.code());
    match refused {
        GroupRefused::TooManyRegisters => Status::resource_exhausted(message),
        refused if is_for_later(refused) => Status::failed_precondition(message),
        _ => Status::invalid_argument(message),
    }
}
