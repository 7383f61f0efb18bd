//! Every change that the controllers make goes through here: it asks for leadership first.

use std::{fmt::Debug, time::Duration};

use k8s_openapi::{
    NamespaceResourceScope,
    api::{core::v1::Pod, policy::v1::Eviction},
    apimachinery::pkg::apis::meta::v1 as meta,
};
use kube::{
    Api, Client, Resource,
    api::{DeleteParams, ObjectMeta, PartialObjectMeta, Patch, PatchParams, PostParams, Preconditions},
    core::Status,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::timeout;

use crate::leadership::Leadership;

/// Whose fields these are, towards server-side apply.
pub const FIELD_MANAGER: &str = "peerwright-operator";
/// Longest wait for one answer. Shorter than the time between the renew deadline and the end of a lease, so that a
/// write which began in time has ended before another replica begins.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(3);

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Another replica leads, or may by now.
    #[error("this replica does not lead (any more): nothing was written")]
    NotLeading,
    /// The API server refused.
    #[error("{verb} {what}: {source}")]
    Api {
        /// What was tried.
        verb: &'static str,
        /// On which object.
        what: String,
        /// The answer.
        source: kube::Error,
    },
    /// The API server did not answer.
    #[error("{verb} {what}: no answer within {CALL_TIMEOUT:?}")]
    Timeout {
        /// What was tried.
        verb: &'static str,
        /// On which object.
        what: String,
    },
}

impl WriteError {
    /// The HTTP status that the API server answered with.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Api { source: kube::Error::Api(status), .. } => Some(status.code),
            _ => None,
        }
    }
}

/// Writes, while this replica leads.
#[derive(Clone)]
pub struct Writer {
    client: Client,
    leadership: Leadership,
}

impl Writer {
    /// A writer that asks `leadership` before each change.
    #[must_use]
    pub fn new(client: Client, leadership: Leadership) -> Self {
        Self { client, leadership }
    }

    /// Whether a write would be tried.
    #[must_use]
    pub fn is_leading(&self) -> bool {
        self.leadership.is_fresh()
    }

    /// Server-side apply of what we own of an object. Takes back fields that others changed.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn apply<K>(&self, desired: &K) -> Result<K, WriteError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Serialize + DeserializeOwned + Clone + Debug,
    {
        let (namespace, name) = (desired.meta().namespace.as_deref(), desired.meta().name.as_deref());
        let (namespace, name) = (namespace.unwrap_or_default(), name.unwrap_or_default());
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let patch = Patch::Apply(desired);
        self.call("apply", K::kind(&()).as_ref(), name, api.patch(name, &parameters, &patch)).await
    }

    /// Reads the metadata of the object that has the name of `wanted`, whoever made it.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn look<K>(&self, wanted: &K) -> Result<Option<PartialObjectMeta<K>>, WriteError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + Debug,
    {
        let name = wanted.meta().name.as_deref().unwrap_or_default();
        let namespace = wanted.meta().namespace.as_deref().unwrap_or_default();
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        self.call("look for", K::kind(&()).as_ref(), name, api.get_metadata_opt(name)).await
    }

    /// Server-side apply of the whole status of `object`: fields that it leaves out go. Another object that has the name
    /// by now is left alone.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn apply_status<K>(&self, object: &K, status: &impl Serialize) -> Result<K, WriteError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + Debug,
    {
        let meta = object.meta();
        let name = meta.name.as_deref().unwrap_or_default();
        let api: Api<K> = Api::namespaced(self.client.clone(), meta.namespace.as_deref().unwrap_or_default());
        let object = serde_json::json!({
            "apiVersion": K::api_version(&()),
            "kind": K::kind(&()),
            "metadata": { "name": name, "uid": meta.uid },
            "status": status,
        });
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let patch = Patch::Apply(&object);
        self.call("apply the status of", K::kind(&()).as_ref(), name, api.patch_status(name, &parameters, &patch)).await
    }

    /// Replaces the finalizers of `object`, as long as it is as it was read: somebody else's finalizer that came meanwhile
    /// is not lost. Gives the object as it is then; nothing when it is gone.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn set_finalizers<K>(&self, object: &K, finalizers: &[String]) -> Result<Option<K>, WriteError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + Debug,
    {
        let meta = object.meta();
        let name = meta.name.as_deref().unwrap_or_default();
        let api: Api<K> = Api::namespaced(self.client.clone(), meta.namespace.as_deref().unwrap_or_default());
        let patch = serde_json::json!({
            "metadata": { "uid": meta.uid, "resourceVersion": meta.resource_version, "finalizers": finalizers },
        });
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let patch = Patch::Merge(&patch);
        match self.call("patch", K::kind(&()).as_ref(), name, api.patch(name, &parameters, &patch)).await {
            Err(error) if error.code() == Some(404) => Ok(None),
            other => other.map(Some),
        }
    }

    /// Deletes the object that has this UID; one that is gone or another by now is left alone.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn delete<K>(&self, object: &K) -> Result<(), WriteError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + Debug,
    {
        let meta = object.meta();
        let name = meta.name.as_deref().unwrap_or_default();
        let api: Api<K> = Api::namespaced(self.client.clone(), meta.namespace.as_deref().unwrap_or_default());
        let parameters = DeleteParams::default().preconditions(by_uid(meta.uid.clone()));
        match self.call("delete", K::kind(&()).as_ref(), name, api.delete(name, &parameters)).await {
            Err(error) if matches!(error.code(), Some(404 | 409)) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Restarts a pod by the Eviction API, if it still is the pod with this UID. False when that is not to be now: a
    /// disruption budget says so, or pod or budget changed at this moment.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn evict(&self, namespace: &str, name: &str, uid: &str) -> Result<bool, WriteError> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        // Not by `Api::evict`: it spells the field of the precondition so that the API server drops it.
        let preconditions = meta::Preconditions { uid: Some(uid.to_owned()), resource_version: None };
        let eviction = Eviction {
            metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
            delete_options: Some(meta::DeleteOptions {
                preconditions: Some(preconditions),
                ..meta::DeleteOptions::default()
            }),
        };
        let parameters = PostParams::default();
        let call = api.create_subresource::<_, Status>("eviction", name, &parameters, &eviction);
        match self.call("evict", "Pod", name, call).await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some(404) => Ok(true),
            Err(error) if matches!(error.code(), Some(409 | 429)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn call<T>(
        &self,
        verb: &'static str,
        kind: &str,
        name: &str,
        call: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, WriteError> {
        if !self.leadership.is_fresh() {
            return Err(WriteError::NotLeading);
        }
        match timeout(CALL_TIMEOUT, call).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(source)) => Err(WriteError::Api { verb, what: format!("{kind} {name}"), source }),
            Err(_) => Err(WriteError::Timeout { verb, what: format!("{kind} {name}") }),
        }
    }
}

fn by_uid(uid: Option<String>) -> Preconditions {
    Preconditions { uid, resource_version: None }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
