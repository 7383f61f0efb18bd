//! Bans that a moderator makes on this node alone. They are kept in the store until they are lifted, add to the bans of
//! the snapshot, and never lift one of those.

mod automatic;
mod routes;

pub(super) use automatic::{history, in_force, lift};
pub(super) use routes::{BanRow, ban, list, read_reason, unban};

use super::{Gone, Node};
use peerwright_engine::BanRecord;
use peerwright_secure::{BanSubject, NotABanSubject};
use peerwright_store::{Store, StoreError};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};
use thiserror::Error;
use tokio::sync::Mutex;

const DOCUMENT: &str = "local-bans";
/// More than a node keeps links with; a network-wide ban is a PeerBan.
const MAX_BANS: usize = 1024;

/// A ban on this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LocalBan {
    /// Why, as the moderator says.
    pub reason: Option<String>,
    /// Subject of the moderator's token.
    pub banned_by: Option<String>,
    /// When, unix microseconds.
    pub banned_at: u64,
}

/// Why a ban was not made or lifted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BanError {
    /// This node has banned the subject before.
    #[error("this node has already banned it")]
    AlreadyBanned,
    /// This node has not banned the subject.
    #[error("this node has not banned it; a ban of the network ends with its PeerBan or spec.bans entry")]
    NotBanned,
    /// There are as many local bans as are kept.
    #[error("this node keeps at most {MAX_BANS} bans of its own; make a PeerBan")]
    Full,
    /// It could not be made durable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node has stopped.
    #[error(transparent)]
    Gone(#[from] Gone),
}

/// The bans of this node.
pub struct LocalBans {
    store: Arc<dyn Store>,
    bans: Mutex<BTreeMap<BanSubject, LocalBan>>,
}

impl LocalBans {
    /// Reads the bans that the store keeps. What [`LocalBans::records`] then gives is for the engine and the handshake.
    pub async fn load(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let bans = match store.document(DOCUMENT).await? {
            Some(document) => read(&document).map_err(StoreError::Damaged)?,
            None => BTreeMap::new(),
        };
        Ok(Self { store, bans: Mutex::new(bans) })
    }

    /// The bans as the engine takes them.
    pub async fn records(&self) -> Vec<BanRecord> {
        records(&*self.bans.lock().await)
    }

    /// All bans.
    pub(super) async fn all(&self) -> BTreeMap<BanSubject, LocalBan> {
        self.bans.lock().await.clone()
    }

    pub(super) async fn ban(&self, node: &dyn Node, subject: BanSubject, ban: LocalBan) -> Result<(), BanError> {
        let mut bans = self.bans.lock().await;
        if bans.contains_key(&subject) {
            return Err(BanError::AlreadyBanned);
        }
        if bans.len() >= MAX_BANS {
            return Err(BanError::Full);
        }
        let mut changed = bans.clone();
        changed.insert(subject, ban);
        self.commit(node, &mut bans, changed).await
    }

    pub(super) async fn unban(&self, node: &dyn Node, subject: &BanSubject) -> Result<LocalBan, BanError> {
        let mut bans = self.bans.lock().await;
        let mut changed = bans.clone();
        let lifted = changed.remove(subject).ok_or(BanError::NotBanned)?;
        self.commit(node, &mut bans, changed).await?;
        Ok(lifted)
    }

    /// Durable first, then in force.
    async fn commit(
        &self,
        node: &dyn Node,
        bans: &mut BTreeMap<BanSubject, LocalBan>,
        changed: BTreeMap<BanSubject, LocalBan>,
    ) -> Result<(), BanError> {
        self.store.put_document(DOCUMENT, write(&changed)?.into()).await?;
        *bans = changed;
        Ok(node.apply_local_bans(records(bans)).await?)
    }
}

fn records(bans: &BTreeMap<BanSubject, LocalBan>) -> Vec<BanRecord> {
    bans.keys().map(|subject| BanRecord { subject: subject.clone(), expires_at: None }).collect()
}

fn write(bans: &BTreeMap<BanSubject, LocalBan>) -> Result<Vec<u8>, StoreError> {
    let by_text: BTreeMap<String, &LocalBan> = bans.iter().map(|(subject, ban)| (subject.to_string(), ban)).collect();
    serde_json::to_vec(&by_text).map_err(|error| StoreError::Unreadable(error.to_string()))
}

fn read(document: &[u8]) -> Result<BTreeMap<BanSubject, LocalBan>, String> {
    let by_text: BTreeMap<String, LocalBan> = serde_json::from_slice(document).map_err(|error| error.to_string())?;
    let subject = |text: &str| text.parse().map_err(|error: NotABanSubject| error.to_string());
    by_text.into_iter().map(|(text, ban)| Ok((subject(&text)?, ban))).collect()
}
