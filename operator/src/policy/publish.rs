//! Publishes a network's snapshot: first the ConfigMap, which is the commit point, then the streams.
//!
//! ```text
//! content ─> decide ─┬─ Keep ──────────────────────────────────────────────┐
//!                    └─ Write: epoch to the member table (if it rises)     ├─> SnapshotFeeds
//!                              sign ─> ConfigMap with its resourceVersion ─┘
//! ```
//!
//! A replica that thinks it leads and is overtaken hears it here: its write has the resourceVersion of what it read, and
//! a newer snapshot than its own that it did not write ends its publishing until it leads anew.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kube::{Client, ResourceExt, core::Status};
use peerwright_crds::PeerNetwork;
use peerwright_snapshot::{Content, Snapshot, SnapshotRefused, Version};
use thiserror::Error;
use tokio::{
    sync::{Mutex as AsyncMutex, watch},
    time::Instant,
};

use super::{
    Published, SnapshotFeeds,
    decide::{Decision, Known, believable, decide},
    stored::{SnapshotStore, Stored},
};
use crate::{
    identity::{CallError, InstallRoot, Members, MembersError},
    leadership::Leadership,
};

/// Least time between two writes of one network's snapshot.
const COALESCE: Duration = Duration::from_secs(1);

/// A content to publish.
pub struct Request<'a> {
    /// The network.
    pub network: &'a PeerNetwork,
    /// What its snapshot says from now on.
    pub content: Content,
    /// resourceVersion of the snapshot's ConfigMap in the caller's cache, `None` when the cache has none: when it is
    /// what was written here last, the API server is not asked.
    pub observed: Option<&'a str>,
    /// The highest version that a node says it has.
    pub acknowledged: Option<Version>,
}

/// What is in force after a request.
#[derive(Clone, Debug)]
pub enum Publication {
    /// The content of the request.
    Current(Arc<Published>),
    /// The content before it: one was written less than a second ago. Ask again after `retry_in`.
    Deferred {
        /// What is in force.
        published: Arc<Published>,
        /// When to ask again.
        retry_in: Duration,
    },
}

impl Publication {
    /// What is in force.
    #[must_use]
    pub const fn published(&self) -> &Arc<Published> {
        match self {
            Self::Current(published) | Self::Deferred { published, .. } => published,
        }
    }
}

/// The snapshot was not published.
#[derive(Debug, Error)]
pub enum PublishError {
    /// Another replica leads: this one stops until it leads anew.
    #[error("another replica leads: this one publishes nothing")]
    StaleLeader,
    /// The ConfigMap changed between read and write; ask again.
    #[error("the snapshot's ConfigMap changed while it was being written")]
    Overtaken,
    /// A ConfigMap of that name belongs to somebody else.
    #[error("the ConfigMap {0} is controlled by another object: delete it or rename the network")]
    NameCollision(String),
    /// No authority is to be had, and no snapshot is in force that names one.
    #[error("the network's authority is not to be had, and no snapshot in force names one")]
    NothingToTrust,
    /// The content breaks a limit of the format.
    #[error("the snapshot cannot be signed: {0}")]
    Unsignable(#[from] SnapshotRefused),
    /// The member table, which holds the epoch, cannot be read or written.
    #[error(transparent)]
    Members(#[from] MembersError),
    /// The API server did not answer as it must.
    #[error("cannot read or write the snapshot's ConfigMap: {0}")]
    Call(CallError),
}

impl PublishError {
    /// Reason of the condition that this error makes.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::StaleLeader => "StaleLeader",
            Self::Overtaken => "Overtaken",
            Self::NameCollision(_) => "NameCollision",
            Self::NothingToTrust => "NothingToTrust",
            Self::Unsignable(_) => "Unsignable",
            Self::Members(_) => "MembersUnavailable",
            Self::Call(_) => "PublishFailed",
        }
    }
}

impl From<CallError> for PublishError {
    fn from(error: CallError) -> Self {
        let overtaken = |status: &Status| status.is_conflict() || status.is_already_exists() || status.is_not_found();
        match error {
            CallError::NotLeading => Self::StaleLeader,
            error if error.status().is_some_and(overtaken) => Self::Overtaken,
            error => Self::Call(error),
        }
    }
}

/// Publishes the snapshots of all networks.
pub struct Publisher {
    store: SnapshotStore,
    members: Arc<Members>,
    feeds: Arc<SnapshotFeeds>,
    term: Mutex<Term>,
}

/// What is known since this replica leads.
struct Term {
    leader: watch::Receiver<bool>,
    states: HashMap<String, Arc<AsyncMutex<State>>>,
}

#[derive(Default)]
struct State {
    stored: Option<Stored>,
    written_at: Option<Instant>,
    /// Another replica published after this one.
    stale: bool,
}

impl Publisher {
    /// Publishes with the install root's snapshot key, into each network's namespace and into `feeds`.
    #[must_use]
    pub fn new(
        client: Client,
        install_root: Arc<InstallRoot>,
        members: Arc<Members>,
        feeds: Arc<SnapshotFeeds>,
        leadership: Leadership,
    ) -> Self {
        let term = Mutex::new(Term { leader: leadership.subscribe(), states: HashMap::new() });
        Self { store: SnapshotStore { client, install_root, leadership }, members, feeds, term }
    }

    /// The snapshot in the ConfigMap, if it holds a valid one; `observed` as in [`Request`]. What is in force goes into
    /// [`Inputs::in_force`](super::Inputs).
    ///
    /// # Errors
    /// See [`PublishError`].
    pub async fn in_force(
        &self,
        network: &PeerNetwork,
        observed: Option<&str>,
    ) -> Result<Option<Arc<Published>>, PublishError> {
        let state = self.state(&network.uid().unwrap_or_default());
        Ok(self.current(&mut *state.lock().await, network, observed).await?.published)
    }

    /// Puts a content in force, if it is not already. What is in force when this returns is in the ConfigMap and with
    /// [`SnapshotFeeds`]. Unchanged content costs no call.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub async fn publish(&self, request: Request<'_>) -> Result<Publication, PublishError> {
        let uid = request.network.uid().unwrap_or_default();
        let state = self.state(&uid);
        let mut state = state.lock().await;
        let stored = self.current(&mut state, request.network, request.observed).await?;
        let members = self.members.load(&uid).await?;
        let known = Known {
            stored: stored.published.as_ref().map(|published| (published.version(), published.content_digest)),
            seen: self.seen(&uid, &request, &stored),
            epoch: members.epoch(),
        };
        let published = match (decide(known, request.content.digest()), &stored.published) {
            (Decision::Write(_), Some(published)) if too_soon(state.written_at).is_some() => {
                let retry_in = too_soon(state.written_at).unwrap_or(COALESCE);
                return Ok(Publication::Deferred { published: published.clone(), retry_in });
            }
            (Decision::Write(version), _) => {
                if version.epoch > members.epoch() {
                    self.members.raise_epoch(&uid, version.epoch).await?;
                }
                self.commit(&mut state, &request, version, stored.resource_version).await?
            }
            (Decision::Keep, Some(published)) => published.clone(),
            (Decision::Keep, None) => return Err(PublishError::Overtaken),
        };
        self.feeds.put(&uid, published.clone());
        Ok(Publication::Current(published))
    }

    /// Drops a network that is gone.
    pub fn forget(&self, network_uid: &str) {
        self.term().states.remove(network_uid);
        self.feeds.forget(network_uid);
    }

    /// What the ConfigMap holds: from memory while the caller's cache agrees, else read.
    async fn current(
        &self,
        state: &mut State,
        network: &PeerNetwork,
        observed: Option<&str>,
    ) -> Result<Stored, PublishError> {
        if state.stale {
            return Err(PublishError::StaleLeader);
        }
        let remembered = state.stored.as_ref().filter(|stored| stored.resource_version.is_some());
        if let Some(stored) = remembered.filter(|stored| stored.resource_version.as_deref() == observed) {
            return Ok(stored.clone());
        }
        let found = self.store.read(network).await?;
        let version = |stored: &Stored| stored.published.as_ref().map(|published| published.version());
        let before = state.stored.as_ref().and_then(version);
        if before.is_some() && version(&found) > before {
            state.stale = true;
            return Err(PublishError::StaleLeader);
        }
        state.stored = Some(found.clone());
        Ok(found)
    }

    async fn commit(
        &self,
        state: &mut State,
        request: &Request<'_>,
        version: Version,
        resource_version: Option<String>,
    ) -> Result<Arc<Published>, PublishError> {
        let snapshot = Snapshot {
            network_uid: request.network.uid().unwrap_or_default(),
            epoch: version.epoch,
            revision: version.revision,
            content: request.content.clone(),
        };
        let published = Arc::new(self.store.sign(snapshot)?);
        // Whether it was written is not known after an error: then the next request reads.
        state.stored = None;
        let resource_version = self.store.write(request.network, &published, resource_version).await?;
        state.stored = Some(Stored { resource_version, published: Some(published.clone()) });
        state.written_at = Some(Instant::now());
        Ok(published)
    }

    /// The highest version that anybody is known to have seen: this replica, the nodes, the network's status.
    fn seen(&self, network_uid: &str, request: &Request<'_>, stored: &Stored) -> Version {
        let ours = stored.published.as_ref().map(|published| published.version());
        let served = self.feeds.current(network_uid).map(|published| published.version());
        let recorded = request.network.status.as_ref().and_then(|status| {
            let policy = status.policy.as_ref()?;
            let number = |value: Option<i64>| u64::try_from(value?).ok();
            Some(Version { epoch: number(policy.epoch)?, revision: number(policy.revision)? })
        });
        let claims = [recorded, request.acknowledged].into_iter().flatten().filter_map(believable);
        claims.chain(ours).chain(served).max().unwrap_or_default()
    }

    fn state(&self, network_uid: &str) -> Arc<AsyncMutex<State>> {
        let mut term = self.term();
        if term.leader.has_changed().unwrap_or(false) {
            term.leader.borrow_and_update();
            term.states.clear();
        }
        term.states.entry(network_uid.to_owned()).or_default().clone()
    }

    fn term(&self) -> MutexGuard<'_, Term> {
        self.term.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long to wait before the next write, if the last was less than a second ago.
fn too_soon(written_at: Option<Instant>) -> Option<Duration> {
    let passed = written_at?.elapsed();
    COALESCE.checked_sub(passed).filter(|left| !left.is_zero())
}

#[cfg(test)]
#[path = "publish_tests.rs"]
mod tests;
