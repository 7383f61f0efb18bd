//! Makes a network's objects so, one by one. An object that fails does not keep the others from being tried, and one
//! that already is as it should be is left alone.

use std::{fmt::Debug, time::Duration};

use kube::{Resource, ResourceExt, core::NamespaceResourceScope};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use super::{covers::covers, plan::Hold};
use crate::{
    api::{WriteError, Writer},
    cache::{Cache, ObjectKey, prune},
    controllers::ReconcileError,
};

/// Annotation with a digest of everything that we set: when a later operator sets less than this one, the object is
/// applied once more, and server-side apply takes the rest away.
pub(super) const APPLIED: &str = "peerwright.dev/applied";
/// Longest wait before a name is looked at again that belongs to somebody else.
pub(super) const COLLISION_RETRY: Duration = Duration::from_secs(30);

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What waits.
    pub holds: Vec<Hold>,
    /// What failed.
    pub errors: Vec<String>,
}

/// Applies the children of one network.
pub struct Children<'a> {
    writer: &'a Writer,
    network_uid: &'a str,
    outcome: Outcome,
    not_leading: bool,
}

impl<'a> Children<'a> {
    /// Children that the network with this UID controls.
    #[must_use]
    pub fn new(writer: &'a Writer, network_uid: &'a str) -> Self {
        Self { writer, network_uid, outcome: Outcome::default(), not_leading: false }
    }

    /// What came of everything so far.
    ///
    /// # Errors
    /// When this replica does not lead.
    pub fn finish(self) -> Result<Outcome, ReconcileError> {
        if self.not_leading { Err(ReconcileError::NotLeading) } else { Ok(self.outcome) }
    }

    /// Notes what waits.
    pub fn hold(&mut self, hold: Hold) {
        self.outcome.holds.push(hold);
    }

    /// Makes an object as desired, unless it is already, or is somebody else's.
    /// One that does not carry its [`APPLIED`] digest yet gets it.
    pub async fn apply<K>(&mut self, mut desired: K, cache: &Cache<K>)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Serialize
            + DeserializeOwned
            + Clone
            + Debug
            + 'static,
    {
        if !desired.annotations().contains_key(APPLIED) {
            let digest = digest(&desired);
            desired.annotations_mut().insert(APPLIED.to_owned(), digest);
        }
        let key = ObjectKey::of(&desired);
        if let Some(live) = cache.get(&key) {
            if live.meta().deletion_timestamp.is_some() || self.is_foreign(live.as_ref()) {
                return;
            }
            if covers(live.as_ref(), &desired) {
                return;
            }
        } else if !self.is_free(&desired).await {
            return;
        }
        tracing::info!(kind = %K::kind(&()), object = %key, "apply");
        if let Some(mut applied) = self.take(self.writer.apply(&desired).await) {
            prune::metadata(&mut applied);
            cache.wrote(applied);
        }
    }

    /// Deletes an object of this network's; another's is left alone.
    pub async fn delete<K>(&mut self, key: &ObjectKey, cache: &Cache<K>)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + Debug + 'static,
    {
        let Some(live) = cache.get(key) else { return };
        let ours = controller_uid(live.as_ref()) == Some(self.network_uid);
        if !ours || live.meta().deletion_timestamp.is_some() {
            return;
        }
        tracing::info!(kind = %K::kind(&()), object = %key, "delete");
        self.take(self.writer.delete(live.as_ref()).await);
    }

    /// Takes in the answer to any other write of the network's.
    pub fn take<T>(&mut self, answer: Result<T, WriteError>) -> Option<T> {
        match answer {
            Ok(value) => Some(value),
            Err(WriteError::NotLeading) => {
                self.not_leading = true;
                None
            }
            Err(error) => {
                self.outcome.errors.push(error.to_string());
                None
            }
        }
    }

    /// Notes a collision when another controls the object. One that nobody controls and that carries our labels was
    /// ours, and is taken back.
    fn is_foreign<K: Resource<DynamicType = ()>>(&mut self, live: &K) -> bool {
        let foreign = controller_uid(live).is_some_and(|uid| uid != self.network_uid);
        if foreign {
            self.collide::<K>(live.name_any());
        }
        foreign
    }

    /// Asks the API server about a name that the cache, which sees our labels only, does not know.
    async fn is_free<K>(&mut self, desired: &K) -> bool
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + Debug,
    {
        match self.take(self.writer.look(desired).await) {
            None => false,
            Some(None) => true,
            Some(Some(live)) if controller_uid(&live) == Some(self.network_uid) => true,
            Some(Some(live)) => {
                self.collide::<K>(live.name_any());
                false
            }
        }
    }

    fn collide<K: Resource<DynamicType = ()>>(&mut self, name: String) {
        self.hold(Hold::NameCollision { kind: K::kind(&()).into_owned(), name });
    }
}

/// UID of what controls an object.
pub(super) fn controller_uid<K: Resource>(object: &K) -> Option<&str> {
    let owners = object.meta().owner_references.as_ref()?;
    owners.iter().find(|owner| owner.controller == Some(true)).map(|owner| owner.uid.as_str())
}

/// 16 hex digits of the SHA-256 of what is set.
pub(super) fn digest<K: Serialize>(desired: &K) -> String {
    let text = serde_json::to_vec(desired).unwrap_or_default();
    let mut digest = hex::encode(Sha256::digest(&text));
    digest.truncate(16);
    digest
}

#[cfg(test)]
#[path = "children_tests.rs"]
mod tests;
