//! Keeps each network's member table in the ConfigMap `members-<network uid>` of the operator's namespace.
//!
//! A row is written before the first leaf of its claim is issued. Every write carries the resourceVersion of what was
//! read, so two replicas that both think they lead cannot overwrite each other.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, PostParams},
    core::Status,
};
use peerwright_secure::PeerId;
use thiserror::Error;
use tokio::sync::{Mutex as AsyncMutex, watch};

use crate::leadership::Leadership;

use super::{
    CallError, Member, MemberTable, Refusal,
    calls::{read, write},
    operator_labels,
};

/// Tries of one change before the caller hears of the conflict.
const TRIES: usize = 3;

/// The member table could not be read or changed.
#[derive(Debug, Error)]
pub enum MembersError {
    /// The claim has another identity.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The ConfigMap holds what this program did not write.
    #[error("the ConfigMap {config_map} is damaged at {entry}: restore it from a backup or remove the entry")]
    Damaged {
        /// Name of the ConfigMap.
        config_map: String,
        /// Key of the entry.
        entry: String,
    },
    /// Somebody else keeps changing the table: another replica thinks that it leads.
    #[error("the member table changed under this replica {TRIES} times in a row")]
    Conflict,
    /// The API server did not answer as it must.
    #[error("cannot read or write a member table: {0}")]
    Call(#[from] CallError),
}

/// The member tables of all networks.
pub struct Members {
    config_maps: Api<ConfigMap>,
    leadership: Leadership,
    cache: Mutex<Cache>,
}

struct Cache {
    leader: watch::Receiver<bool>,
    tables: HashMap<String, Arc<Slot>>,
}

#[derive(Default)]
struct Slot {
    /// Held during a read or write of the ConfigMap.
    stored: AsyncMutex<Option<Stored>>,
    /// What `stored` last was, for readers that cannot wait.
    view: Mutex<Option<Arc<MemberTable>>>,
}

#[derive(Clone)]
struct Stored {
    resource_version: Option<String>,
    table: Arc<MemberTable>,
}

impl Members {
    /// Tables kept in `namespace`, the operator's own. Whenever leadership changes, what is in memory is read anew.
    #[must_use]
    pub fn new(client: Client, namespace: &str, leadership: Leadership) -> Self {
        let cache = Mutex::new(Cache { leader: leadership.subscribe(), tables: HashMap::new() });
        Self { config_maps: Api::namespaced(client, namespace), leadership, cache }
    }

    /// The network's table, read from the ConfigMap unless this process has it.
    ///
    /// # Errors
    /// When the API server does not answer, or the ConfigMap is damaged.
    pub async fn load(&self, network_uid: &str) -> Result<Arc<MemberTable>, MembersError> {
        let slot = self.slot(network_uid);
        let mut stored = slot.stored.lock().await;
        Ok(self.loaded(network_uid, &slot, &mut stored).await?.table.clone())
    }

    /// The peer id of the node that runs as `pod`, if this process has read the network's table.
    #[must_use]
    pub fn peer_id_of(&self, network_uid: &str, pod: &str) -> Option<PeerId> {
        let slot = self.cache().tables.get(network_uid).cloned()?;
        slot.view()?.peer_id_of(pod)
    }

    /// Records the member's peer id under its claim, durably. True when it is new.
    ///
    /// # Errors
    /// [`MembersError::Refused`] when the claim has another peer id, or the peer id another claim.
    pub async fn admit(&self, network_uid: &str, member: &Member, peer_id: PeerId) -> Result<bool, MembersError> {
        self.change(network_uid, |table| table.admit(&member.claim_uid, &member.pod, peer_id)).await
    }

    /// Records, durably, that a snapshot epoch begins.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn raise_epoch(&self, network_uid: &str, epoch: u64) -> Result<(), MembersError> {
        self.change(network_uid, |table| Ok(table.raise_epoch(epoch))).await?;
        Ok(())
    }

    /// Deletes the table of a network that is gone.
    pub(crate) async fn forget(&self, network_uid: &str) -> Result<(), MembersError> {
        self.cache().tables.remove(network_uid);
        let (name, params) = (config_map_name(network_uid), DeleteParams::default());
        match write(&self.leadership, self.config_maps.delete(&name, &params)).await {
            Ok(_) => Ok(()),
            Err(error) if error.status().is_some_and(Status::is_not_found) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn change(
        &self,
        network_uid: &str,
        change: impl Fn(&mut MemberTable) -> Result<bool, Refusal>,
    ) -> Result<bool, MembersError> {
        let slot = self.slot(network_uid);
        let mut stored = slot.stored.lock().await;
        for _ in 0..TRIES {
            let before = self.loaded(network_uid, &slot, &mut stored).await?;
            let mut table = MemberTable::clone(&before.table);
            if !change(&mut table)? {
                return Ok(false);
            }
            match self.store(network_uid, &table, before.resource_version).await {
                Ok(resource_version) => {
                    slot.set(&mut stored, Stored { resource_version, table: Arc::new(table) });
                    return Ok(true);
                }
                Err(error) if error.status().is_some_and(is_overtaken) => *stored = None,
                Err(error) => return Err(error.into()),
            }
        }
        Err(MembersError::Conflict)
    }

    async fn loaded(
        &self,
        network_uid: &str,
        slot: &Slot,
        stored: &mut Option<Stored>,
    ) -> Result<Stored, MembersError> {
        if let Some(stored) = stored {
            return Ok(stored.clone());
        }
        let name = config_map_name(network_uid);
        let found = read(self.config_maps.get_opt(&name)).await?;
        let (resource_version, table) = match found {
            None => (None, MemberTable::default()),
            Some(found) => {
                let table = MemberTable::from_data(found.data.as_ref().unwrap_or(&Default::default()))
                    .map_err(|entry| MembersError::Damaged { config_map: name, entry })?;
                (found.resource_version(), table)
            }
        };
        let read = Stored { resource_version, table: Arc::new(table) };
        slot.set(stored, read.clone());
        Ok(read)
    }

    async fn store(
        &self,
        network_uid: &str,
        table: &MemberTable,
        resource_version: Option<String>,
    ) -> Result<Option<String>, CallError> {
        let name = config_map_name(network_uid);
        let mut labels = operator_labels();
        labels.insert("peerwright.dev/network-uid".to_owned(), network_uid.to_owned());
        let creates = resource_version.is_none();
        let config_map = ConfigMap {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                labels: Some(labels),
                resource_version,
                ..ObjectMeta::default()
            },
            data: Some(table.to_data()),
            ..ConfigMap::default()
        };
        let params = PostParams::default();
        let written = if creates {
            write(&self.leadership, self.config_maps.create(&params, &config_map)).await?
        } else {
            write(&self.leadership, self.config_maps.replace(&name, &params, &config_map)).await?
        };
        Ok(written.resource_version())
    }

    fn slot(&self, network_uid: &str) -> Arc<Slot> {
        self.cache().tables.entry(network_uid.to_owned()).or_default().clone()
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.leader.has_changed().unwrap_or(false) {
            cache.leader.borrow_and_update();
            cache.tables.clear();
        }
        cache
    }
}

impl Slot {
    fn set(&self, stored: &mut Option<Stored>, value: Stored) {
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = Some(value.table.clone());
        *stored = Some(value);
    }

    fn view(&self) -> Option<Arc<MemberTable>> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Somebody created, changed or deleted the ConfigMap since it was read.
fn is_overtaken(status: &Status) -> bool {
    status.is_conflict() || status.is_already_exists() || status.is_not_found()
}

fn config_map_name(network_uid: &str) -> String {
    format!("members-{network_uid}")
}

#[cfg(test)]
#[path = "members_tests.rs"]
mod tests;
