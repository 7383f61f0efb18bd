//! The pod of a node: PodSecurity `restricted`, no API token but the one for `Certify`, everything else read-only.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{
        Capabilities, ConfigMapVolumeSource, Container, ContainerPort, EnvVar, EnvVarSource, HTTPGetAction,
        ObjectFieldSelector, PodSecurityContext, PodSpec, Probe, ProjectedVolumeSource, ResourceRequirements,
        SeccompProfile, SecurityContext, ServiceAccountTokenProjection, TopologySpreadConstraint, Volume, VolumeMount,
        VolumeProjection,
    },
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};
use peerwright_crds::NodeGroup;

use super::{Install, pod_selector, port};
use crate::controllers::network::{database, database::Database, validate::ValidNetwork};

/// Name of the volume claim, the volume and its mount.
pub(super) const DATA_VOLUME: &str = "data";
const TOKEN_VOLUME: &str = "token";
const TRUST_VOLUME: &str = "trust";
const SNAPSHOT_VOLUME: &str = "snapshot";
/// The user and group of the image, which own the volume.
const USER: i64 = 65532;
/// How long a node has to drain (30 s by itself) and to close its store.
const TERMINATION_GRACE_SECONDS: i64 = 60;
/// Life of the token for `Certify`; the kubelet renews it.
const TOKEN_SECONDS: i64 = 3600;

pub(super) fn pod_spec(network: &ValidNetwork<'_>, group: &NodeGroup, install: &Install) -> PodSpec {
    PodSpec {
        service_account_name: Some(network.name.clone()),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        termination_grace_period_seconds: Some(TERMINATION_GRACE_SECONDS),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            fs_group: Some(USER),
            fs_group_change_policy: Some("OnRootMismatch".to_owned()),
            seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
            ..PodSecurityContext::default()
        }),
        topology_spread_constraints: Some(vec![TopologySpreadConstraint {
            max_skew: 1,
            topology_key: "kubernetes.io/hostname".to_owned(),
            when_unsatisfiable: "ScheduleAnyway".to_owned(),
            label_selector: Some(LabelSelector {
                match_labels: Some(pod_selector(network.network)),
                match_expressions: None,
            }),
            ..TopologySpreadConstraint::default()
        }]),
        containers: vec![node_container(network, group, install)],
        volumes: Some(volumes(network)),
        ..PodSpec::default()
    }
}

fn node_container(network: &ValidNetwork<'_>, group: &NodeGroup, install: &Install) -> Container {
    let container_port = |name: &str, number| ContainerPort {
        name: Some(name.to_owned()),
        container_port: number,
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    };
    let mount = |name: &str, path: &str, read_only: bool| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    };
    let mounts = [
        mount(DATA_VOLUME, "/var/lib/peerwright", false),
        mount(TOKEN_VOLUME, "/var/run/secrets/peerwright", true),
        mount(TRUST_VOLUME, "/etc/peerwright/trust", true),
        mount(SNAPSHOT_VOLUME, "/etc/peerwright/snapshot", true),
    ];
    let of_database = network.database.as_ref().and_then(Database::volume);
    let of_database = of_database.map(|volume| mount(&volume.name, database::DIRECTORY, true));
    Container {
        name: "node".to_owned(),
        image: Some(network.image.clone()),
        image_pull_policy: Some(
            network.network.spec.image_pull_policy.map_or("IfNotPresent", |policy| policy.as_str()).to_owned(),
        ),
        args: Some(vec!["run".to_owned()]),
        env: Some(environment(network, install)),
        ports: Some(vec![
            container_port("peer", port::PEER),
            container_port("api", port::API),
            container_port("probe", port::PROBE),
        ]),
        resources: Some(group.resources.clone().unwrap_or_else(default_resources)),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
            read_only_root_filesystem: Some(true),
            run_as_non_root: Some(true),
            ..SecurityContext::default()
        }),
        startup_probe: Some(probe("/livez", 1, 120)),
        liveness_probe: Some(probe("/livez", 10, 3)),
        readiness_probe: Some(probe("/readyz", 1, 2)),
        volume_mounts: Some(mounts.into_iter().chain(of_database).collect()),
        ..Container::default()
    }
}

/// The node's options. What the node takes by default is left to it: a changed default is not a changed template.
fn environment(network: &ValidNetwork<'_>, install: &Install) -> Vec<EnvVar> {
    let namespace = &network.namespace;
    let peers = network.network.peers_service_name();
    let values = [
        ("PEERWRIGHT_NETWORK", network.name.clone()),
        ("PEERWRIGHT_NAMESPACE", namespace.clone()),
        ("PEERWRIGHT_NETWORK_UID", network.uid.clone()),
        ("PEERWRIGHT_TRUST_DOMAIN", network.network.trust_domain()),
        ("PEERWRIGHT_OPERATOR", format!("peerwright-operator.{}.svc:9443", install.namespace)),
        ("PEERWRIGHT_INSTALL_ROOT_SHA256", install.install_root_sha256.clone()),
        ("PEERWRIGHT_SEEDS", format!("{peers}.{namespace}.svc.{}:{}", install.cluster_domain, port::PEER)),
        ("PEERWRIGHT_LOG_FORMAT", "json".to_owned()),
    ];
    let name = EnvVar {
        name: "PEERWRIGHT_NODE_NAME".to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector { field_path: "metadata.name".to_owned(), api_version: None }),
            ..EnvVarSource::default()
        }),
    };
    let values = values.map(|(name, value)| EnvVar { name: name.to_owned(), value: Some(value), value_from: None });
    // What nobody asked for changes no template.
    let asked = [("PEERWRIGHT_OWN_RANGES", &install.pod_ranges), ("PEERWRIGHT_OTLP_ENDPOINT", &install.node_traces)];
    let asked = asked.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| EnvVar {
        name: name.to_owned(),
        value: Some(value.clone()),
        value_from: None,
    });
    let told = network.database.as_ref().map(Database::environment).unwrap_or_default();
    let told =
        told.into_iter().map(|(name, value)| EnvVar { name: name.to_owned(), value: Some(value), value_from: None });
    std::iter::once(name).chain(values).chain(asked).chain(told).collect()
}

fn volumes(network: &ValidNetwork<'_>) -> Vec<Volume> {
    let token = ServiceAccountTokenProjection {
        audience: Some(network.network.certify_audience()),
        expiration_seconds: Some(TOKEN_SECONDS),
        path: "token".to_owned(),
    };
    let config_map = |volume: &str, name: String, optional: bool| Volume {
        name: volume.to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name,
            optional: optional.then_some(true),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    };
    let always = [
        Volume {
            name: TOKEN_VOLUME.to_owned(),
            projected: Some(ProjectedVolumeSource {
                sources: Some(vec![VolumeProjection {
                    service_account_token: Some(token),
                    ..VolumeProjection::default()
                }]),
                ..ProjectedVolumeSource::default()
            }),
            ..Volume::default()
        },
        config_map(TRUST_VOLUME, network.network.trust_config_map_name(), false),
        // A node that starts before the first snapshot is published gets it from the operator.
        config_map(SNAPSHOT_VOLUME, network.network.snapshot_config_map_name(), true),
    ];
    always.into_iter().chain(network.database.as_ref().and_then(Database::volume)).collect()
}

fn default_resources() -> ResourceRequirements {
    let amounts = |amounts: &[(&str, &str)]| -> BTreeMap<String, Quantity> {
        amounts.iter().map(|(name, amount)| ((*name).to_owned(), Quantity((*amount).to_owned()))).collect()
    };
    ResourceRequirements {
        requests: Some(amounts(&[("cpu", "50m"), ("memory", "64Mi")])),
        limits: Some(amounts(&[("memory", "512Mi")])),
        claims: None,
    }
}

fn probe(path: &str, period_seconds: i32, failures: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String("probe".to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period_seconds),
        timeout_seconds: Some(2),
        failure_threshold: Some(failures),
        ..Probe::default()
    }
}
