//! The ConfigMap that holds a network's signed snapshot: read, checked, written with the resourceVersion that was read.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use k8s_openapi::{ByteString, api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{Api, Client, ResourceExt, api::PostParams};
use peerwright_crds::PeerNetwork;
use peerwright_snapshot::{SignedSnapshot, Snapshot, SnapshotRefused};

use super::{PublishError, Published};
use crate::{
    identity::{
        CallError, InstallRoot, NetworkKey,
        calls::{read, write},
        unix_now,
    },
    leadership::Leadership,
};

/// Key of the signed snapshot in its ConfigMap.
const SNAPSHOT_KEY: &str = "snapshot.bin";

/// What a ConfigMap held when it was last read or written.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    /// `None`: there is no ConfigMap.
    pub(super) resource_version: Option<String>,
    /// `None`: it holds no valid snapshot.
    pub(super) published: Option<Arc<Published>>,
}

/// Reads and writes the ConfigMaps, and signs what goes into them.
pub(super) struct SnapshotStore {
    pub(super) client: Client,
    pub(super) install_root: Arc<InstallRoot>,
    pub(super) leadership: Leadership,
}

impl SnapshotStore {
    /// Reads the network's ConfigMap. What it holds counts only when this install signed it for this network.
    pub(super) async fn read(&self, network: &PeerNetwork) -> Result<Stored, PublishError> {
        let key = NetworkKey::from(network);
        let name = network.snapshot_config_map_name();
        let Some(found) = read(self.config_maps(&key).get_opt(&name)).await? else {
            return Ok(Stored { resource_version: None, published: None });
        };
        let controller = found.owner_references().iter().find(|owner| owner.controller == Some(true));
        if controller.is_some_and(|owner| owner.uid != key.uid) {
            return Err(PublishError::NameCollision(name));
        }
        let bytes = found.binary_data.as_ref().and_then(|data| data.get(SNAPSHOT_KEY)).map(|bytes| bytes.0.as_slice());
        let verified = bytes.map(|bytes| self.verify(bytes, &key.uid)).transpose().unwrap_or_else(|error| {
            tracing::warn!(network = key.name, namespace = key.namespace, %error, "the stored snapshot is not valid");
            None
        });
        Ok(Stored { resource_version: found.resource_version(), published: verified.map(Arc::new) })
    }

    /// Signs a snapshot.
    pub(super) fn sign(&self, snapshot: Snapshot) -> Result<Published, SnapshotRefused> {
        let signer = self.install_root.signer_der().to_vec();
        let signed = SignedSnapshot::sign(&snapshot, self.install_root.snapshot_key(), signer)?;
        Ok(published(&signed, snapshot))
    }

    /// Writes a snapshot in place of what was read as `resource_version`, and gives the new one.
    pub(super) async fn write(
        &self,
        network: &PeerNetwork,
        published: &Published,
        resource_version: Option<String>,
    ) -> Result<Option<String>, CallError> {
        let key = NetworkKey::from(network);
        let name = network.snapshot_config_map_name();
        let creates = resource_version.is_none();
        let config_map = ConfigMap {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                labels: Some(network.labels_of_children()),
                owner_references: Some(vec![key.owner_reference()]),
                resource_version,
                ..ObjectMeta::default()
            },
            binary_data: Some(BTreeMap::from([(SNAPSHOT_KEY.to_owned(), ByteString(published.bytes.to_vec()))])),
            ..ConfigMap::default()
        };
        let (config_maps, params) = (self.config_maps(&key), PostParams::default());
        let written = if creates {
            write(&self.leadership, config_maps.create(&params, &config_map)).await?
        } else {
            write(&self.leadership, config_maps.replace(&name, &params, &config_map)).await?
        };
        Ok(written.resource_version())
    }

    fn verify(&self, bytes: &[u8], network_uid: &str) -> Result<Published, SnapshotRefused> {
        let signed = SignedSnapshot::decode(bytes)?;
        let now = u64::try_from(unix_now()).unwrap_or_default();
        let snapshot = signed.verify(self.install_root.root_der(), network_uid, now)?;
        Ok(published(&signed, snapshot))
    }

    fn config_maps(&self, network: &NetworkKey) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), &network.namespace)
    }
}

fn published(signed: &SignedSnapshot, snapshot: Snapshot) -> Published {
    Published {
        digest: signed.digest(),
        content_digest: snapshot.content.digest(),
        bytes: Bytes::from(signed.encode()),
        snapshot,
    }
}
