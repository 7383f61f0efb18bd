//! What of an object is not kept: memory must not grow with what nobody reads.

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::{Resource, ResourceExt};

/// Drops what no object here is read for.
pub fn metadata<K: Resource>(object: &mut K) {
    object.meta_mut().managed_fields = None;
    object.annotations_mut().remove("kubectl.kubernetes.io/last-applied-configuration");
}

/// Keeps of a pod who it is and how it is: not what it was told to run.
pub fn pod(pod: &mut Pod) {
    metadata(pod);
    pod.metadata.annotations = None;
    pod.spec = None;
    if let Some(status) = pod.status.as_mut() {
        let conditions = status.conditions.take();
        let container_statuses = status.container_statuses.take();
        let phase = status.phase.take();
        *status = k8s_openapi::api::core::v1::PodStatus { conditions, container_statuses, phase, ..Default::default() };
    }
}

/// Keeps of a ConfigMap its text: a snapshot is read where it is published.
pub fn config_map(map: &mut ConfigMap) {
    metadata(map);
    map.binary_data = None;
}
