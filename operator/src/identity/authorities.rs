//! Custody of the networks' certificate authorities: one Secret a network, in the operator's namespace only.
//!
//! The Secret is created first, then its fingerprint goes to the network's status. So a Secret without a recorded
//! fingerprint is one that was made just before a crash, and is adopted; a recorded fingerprint without its Secret is a
//! lost key, which nobody replaces silently: every node of the network trusts only the old one.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, PostParams},
    core::Status,
};
use peerwright_crds::PeerNetwork;
use thiserror::Error;

use crate::leadership::Leadership;

use super::{
    Authority, CallError, IssueError, Members, MembersError, NetworkFacts, NetworkKey, Networks,
    calls::{read, write},
    operator_labels,
};

const CERTIFICATE: &str = "ca.crt";
const KEY: &str = "ca.key";
const KIND_LABEL: &str = "peerwright.dev/secret";
const KIND_VALUE: &str = "network-authority";
const UID_LABEL: &str = "peerwright.dev/network-uid";
const NAMESPACE_ANNOTATION: &str = "peerwright.dev/network-namespace";
const NAME_ANNOTATION: &str = "peerwright.dev/network-name";

/// A network's authority is not to be had.
#[derive(Debug, Error)]
pub enum AuthorityError {
    /// The status records a fingerprint, and no Secret holds its key.
    #[error(
        "the Secret {secret} with the authority's key is gone: restore it, or delete the network and create it anew"
    )]
    KeyLost {
        /// Name of the Secret.
        secret: String,
    },
    /// The Secret holds another authority than the one that the status records.
    #[error("the Secret {secret} holds another authority ({found}) than the recorded one: restore the recorded one")]
    KeyReplaced {
        /// Name of the Secret.
        secret: String,
        /// Fingerprint of what it holds.
        found: String,
    },
    /// The Secret cannot be read.
    #[error("the Secret {secret} is damaged ({cause}): restore it from a backup")]
    Damaged {
        /// Name of the Secret.
        secret: String,
        /// What is wrong.
        cause: IssueError,
    },
    /// A key or certificate could not be made.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The API server did not answer as it must.
    #[error("cannot read or write a Secret in the operator's namespace: {0}")]
    Call(#[from] CallError),
    /// The member table could not be deleted.
    #[error(transparent)]
    Members(#[from] MembersError),
}

impl AuthorityError {
    /// Reason of the condition that this error makes.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::KeyLost { .. } | Self::KeyReplaced { .. } | Self::Damaged { .. } => "CAKeyLost",
            Self::Issue(_) | Self::Call(_) | Self::Members(_) => "CAUnavailable",
        }
    }

    /// Trying again does not help: a person must act.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        matches!(self, Self::KeyLost { .. } | Self::KeyReplaced { .. } | Self::Damaged { .. })
    }
}

/// Keeps the authorities of all networks.
pub struct Authorities {
    client: Client,
    secrets: Api<Secret>,
    networks: Arc<Networks>,
    members: Arc<Members>,
    leadership: Leadership,
    cluster_domain: String,
}

impl Authorities {
    /// Authorities kept in `namespace`, the operator's own; leaves name nodes in `cluster_domain`. What [`ensure`](Self::ensure) finds goes to `networks`.
    #[must_use]
    pub fn new(
        client: Client,
        namespace: &str,
        networks: Arc<Networks>,
        members: Arc<Members>,
        leadership: Leadership,
        cluster_domain: &str,
    ) -> Self {
        let cluster_domain = cluster_domain.to_owned();
        Self {
            secrets: Api::namespaced(client.clone(), namespace),
            client,
            networks,
            members,
            leadership,
            cluster_domain,
        }
    }

    /// Gives the network's authority, made now if there never was one, and lets nodes join by the network's facts of
    /// now. Call it first in every reconcile: once the key is in memory it costs no call. The caller records
    /// [`Authority::fingerprint`] in the network's status.
    ///
    /// # Errors
    /// When the key is lost ([`AuthorityError::is_permanent`]) or the API server does not answer.
    pub async fn ensure(&self, network: &PeerNetwork) -> Result<Arc<Authority>, AuthorityError> {
        let facts = NetworkFacts::new(network, &self.cluster_domain);
        let recorded = network.status.as_ref().and_then(|status| status.identity.as_ref()?.ca_fingerprint.as_deref());
        let secret = secret_name(&facts.key.uid);
        let authority = match self.networks.get(&facts.key.uid) {
            Some(known) if !known.key_lost => known.authority.clone(),
            known => {
                let had_one = recorded.is_some() || known.is_some();
                Arc::new(self.load_or_create(&facts.key, &secret, had_one).await?)
            }
        };
        if recorded.is_some_and(|recorded| recorded != authority.fingerprint()) {
            self.networks.remove(&facts.key.uid);
            return Err(AuthorityError::KeyReplaced { secret, found: authority.fingerprint().to_owned() });
        }
        self.networks.put(facts, authority.clone());
        Ok(authority)
    }

    async fn load_or_create(
        &self,
        network: &NetworkKey,
        secret: &str,
        had_one: bool,
    ) -> Result<Authority, AuthorityError> {
        if let Some(found) = read(self.secrets.get_opt(secret)).await? {
            return restore(&found, secret);
        }
        if had_one {
            return Err(AuthorityError::KeyLost { secret: secret.to_owned() });
        }
        let made = Authority::generate(&network.uid)?;
        let record = to_secret(&made, network, secret);
        match write(&self.leadership, self.secrets.create(&PostParams::default(), &record)).await {
            Ok(_) => Ok(made),
            Err(error) if error.status().is_some_and(Status::is_already_exists) => {
                restore(&read(self.secrets.get(secret)).await?, secret)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Looks whether the Secrets of the known networks are still there, in one call while they are, and gives the
    /// networks whose Secret is newly gone. Of those, [`ensure`](Self::ensure) says that the key is lost until it is
    /// restored; their members stay known, so that bans reach them, and no leaf is issued.
    ///
    /// # Errors
    /// When the API server does not answer: then nothing is known to be lost.
    pub async fn find_lost(&self) -> Result<Vec<NetworkKey>, AuthorityError> {
        let held = self.networks.in_custody();
        if held.is_empty() {
            return Ok(Vec::new());
        }
        let stored = read(self.secrets.list_metadata(&networks_secrets())).await?;
        let stored: BTreeSet<String> = stored.items.iter().map(ResourceExt::name_any).collect();
        let mut lost = Vec::new();
        for network in held {
            let secret = secret_name(&network.uid);
            // One whose label was taken away is asked for by its name.
            let is_there = stored.contains(&secret) || read(self.secrets.get_metadata_opt(&secret)).await?.is_some();
            if !is_there && self.networks.lose_key(&network.uid) {
                lost.push(network);
            }
        }
        Ok(lost)
    }

    /// Forgets, in memory alone, what this replica knows: its term is over.
    pub fn suspend(&self) {
        self.networks.clear();
    }

    /// Deletes what a network that is gone left behind: the member table, then the authority's Secret, by which
    /// [`forget_orphans`](Self::forget_orphans) finds what was not finished.
    ///
    /// # Errors
    /// When the API server refuses; what is already gone is no error.
    pub async fn forget(&self, network_uid: &str) -> Result<(), AuthorityError> {
        self.networks.remove(network_uid);
        self.members.forget(network_uid).await?;
        let (name, params) = (secret_name(network_uid), DeleteParams::default());
        match write(&self.leadership, self.secrets.delete(&name, &params)).await {
            Ok(_) => Ok(()),
            Err(error) if error.status().is_some_and(Status::is_not_found) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Forgets the networks that were deleted while nobody watched. Each is asked for by name: a Secret goes only when
    /// the API server says that its network does not exist. Namespaces that `watches` denies are left alone.
    ///
    /// # Errors
    /// When the API server does not answer; what was forgotten until then stays forgotten.
    pub async fn forget_orphans(&self, watches: impl Fn(&str) -> bool) -> Result<Vec<NetworkKey>, AuthorityError> {
        let stored = read(self.secrets.list_metadata(&networks_secrets())).await?;
        let mut forgotten = Vec::new();
        for secret in &stored.items {
            let entry = |map: &BTreeMap<String, String>, key: &str| map.get(key).cloned();
            let (Some(uid), Some(namespace), Some(name)) = (
                entry(secret.labels(), UID_LABEL),
                entry(secret.annotations(), NAMESPACE_ANNOTATION),
                entry(secret.annotations(), NAME_ANNOTATION),
            ) else {
                continue;
            };
            if !watches(&namespace) {
                continue;
            }
            let networks: Api<PeerNetwork> = Api::namespaced(self.client.clone(), &namespace);
            let live = read(networks.get_metadata_opt(&name)).await?;
            if live.and_then(|live| live.uid()).as_deref() != Some(uid.as_str()) {
                self.forget(&uid).await?;
                forgotten.push(NetworkKey { uid, namespace, name });
            }
        }
        Ok(forgotten)
    }
}

/// The Secrets of all networks' authorities.
fn networks_secrets() -> ListParams {
    ListParams::default().labels(&format!("{KIND_LABEL}={KIND_VALUE}"))
}

fn secret_name(network_uid: &str) -> String {
    format!("ca-{network_uid}")
}

fn restore(secret: &Secret, name: &str) -> Result<Authority, AuthorityError> {
    let damaged = |cause| AuthorityError::Damaged { secret: name.to_owned(), cause };
    let entry = |key: &'static str| {
        let found = secret.data.as_ref().and_then(|data| data.get(key));
        found.map(|bytes| bytes.0.as_slice()).ok_or_else(|| damaged(IssueError::Stored(key)))
    };
    Authority::restore(entry(CERTIFICATE)?, entry(KEY)?).map_err(damaged)
}

fn to_secret(authority: &Authority, network: &NetworkKey, name: &str) -> Secret {
    let mut labels = operator_labels();
    labels.insert(KIND_LABEL.to_owned(), KIND_VALUE.to_owned());
    labels.insert(UID_LABEL.to_owned(), network.uid.clone());
    let annotations = [
        (NAMESPACE_ANNOTATION.to_owned(), network.namespace.clone()),
        (NAME_ANNOTATION.to_owned(), network.name.clone()),
    ];
    let entries = [
        (CERTIFICATE.to_owned(), ByteString(authority.certificate().to_vec())),
        (KEY.to_owned(), ByteString(authority.key_der().to_vec())),
    ];
    Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(labels),
            annotations: Some(annotations.into()),
            ..ObjectMeta::default()
        },
        immutable: Some(true),
        data: Some(entries.into()),
        ..Secret::default()
    }
}

#[cfg(test)]
#[path = "authorities_tests.rs"]
mod tests;
