//! One node group: a StatefulSet whose pods the operator restarts itself.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        apps::v1::{
            StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec, StatefulSetUpdateStrategy,
        },
        core::v1::{PersistentVolumeClaim, PersistentVolumeClaimSpec, PodTemplateSpec, VolumeResourceRequirements},
    },
    apimachinery::pkg::{
        api::resource::Quantity,
        apis::meta::v1::{LabelSelector, ObjectMeta},
    },
};
use peerwright_crds::{GROUP_LABEL, NodeGroup};

use super::{Install, child_meta, pod, pod_selector};
use crate::controllers::network::validate::ValidNetwork;

pub(super) fn stateful_set(network: &ValidNetwork<'_>, group: &NodeGroup, install: &Install) -> StatefulSet {
    let labels = network.network.labels_of_group(&group.name);
    let mut selector = pod_selector(network.network);
    selector.insert(GROUP_LABEL.to_owned(), group.name.clone());
    StatefulSet {
        metadata: ObjectMeta {
            labels: Some(labels.clone()),
            ..child_meta(network.network, network.network.stateful_set_name(&group.name))
        },
        spec: Some(StatefulSetSpec {
            replicas: Some(group.replicas),
            service_name: Some(network.network.peers_service_name()),
            selector: LabelSelector { match_labels: Some(selector), match_expressions: None },
            // Nodes wait for nobody's ordinal, and a broken one keeps no other from starting.
            pod_management_policy: Some("Parallel".to_owned()),
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("OnDelete".to_owned()),
                rolling_update: None,
            }),
            persistent_volume_claim_retention_policy: Some(retention(network)),
            volume_claim_templates: Some(vec![volume_claim(network)]),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta { labels: Some(labels), ..ObjectMeta::default() }),
                spec: Some(pod::pod_spec(network, group, install)),
            },
            ..StatefulSetSpec::default()
        }),
        status: None,
    }
}

/// A group that shrinks keeps its volumes: the node that comes back is who it was.
fn retention(network: &ValidNetwork<'_>) -> StatefulSetPersistentVolumeClaimRetentionPolicy {
    StatefulSetPersistentVolumeClaimRetentionPolicy {
        when_deleted: Some(network.network.spec.storage.effective_reclaim_policy().to_string()),
        when_scaled: Some("Retain".to_owned()),
    }
}

fn volume_claim(network: &ValidNetwork<'_>) -> PersistentVolumeClaim {
    let storage = &network.network.spec.storage;
    PersistentVolumeClaim {
        metadata: ObjectMeta { name: Some(pod::DATA_VOLUME.to_owned()), ..ObjectMeta::default() },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            storage_class_name: storage.storage_class_name.clone(),
            resources: Some(VolumeResourceRequirements {
                requests: Some(BTreeMap::from([("storage".to_owned(), Quantity(storage.size.clone()))])),
                limits: None,
            }),
            ..PersistentVolumeClaimSpec::default()
        }),
        status: None,
    }
}
