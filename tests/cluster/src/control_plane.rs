//! Command lines of etcd, API server, controller-manager and scheduler, and the certificates that they use: the same for
//! both shapes of cluster.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::certificates::{Authority, Subject};
use crate::services::text;
use crate::{Result, files, layout};

pub(crate) const ETCD: &str = "etcd";
pub(crate) const API_SERVER: &str = "kube-apiserver";
pub(crate) const CONTROLLER_MANAGER: &str = "kube-controller-manager";
pub(crate) const SCHEDULER: &str = "kube-scheduler";

/// Where a control plane is.
#[derive(Clone, Debug)]
pub(crate) struct ControlPlane {
    pub(crate) certificates: PathBuf,
    pub(crate) configuration: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) audit_log: PathBuf,
    /// Address that clients use.
    pub(crate) address: String,
    pub(crate) port: u16,
    pub(crate) etcd_port: u16,
    pub(crate) etcd_peer_port: u16,
    /// Without a node that is not heard of is given up.
    pub(crate) node_monitor_grace: Duration,
}

impl ControlPlane {
    /// Certificates, kubeconfigs `admin`, `kube-controller-manager` and `kube-scheduler`, and the audit policy.
    pub(crate) fn prepare(&self) -> Result<Authority> {
        let authority = Authority::create(self.certificates.clone())?;
        let mut serves: Vec<String> = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
            .into_iter()
            .chain(["kubernetes.default.svc.cluster.local", "127.0.0.1", layout::API_SERVICE_ADDRESS])
            .map(str::to_owned)
            .collect();
        if !serves.contains(&self.address) {
            serves.push(self.address.clone());
        }
        authority.issue("apiserver", &Subject { name: "kube-apiserver", serves, ..Subject::default() })?;
        let clients = [
            ("admin", "admin", Some("system:masters")),
            (CONTROLLER_MANAGER, "system:kube-controller-manager", None),
            (SCHEDULER, "system:kube-scheduler", None),
        ];
        for (file, name, group) in clients {
            let subject = Subject { name, group, serves: Vec::new() };
            authority.issue_with_kubeconfig(file, &subject, &self.server(), &self.configuration)?;
        }
        files::write(
            &self.configuration.join("audit.yaml"),
            "apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata, verbs: [create, update, patch, delete, deletecollection]}]
",
        )?;
        Ok(authority)
    }

    /// The API server's URL.
    pub(crate) fn server(&self) -> String {
        format!("https://{}:{}", self.address, self.port)
    }

    pub(crate) fn etcd(&self) -> Vec<String> {
        let clients = format!("http://127.0.0.1:{}", self.etcd_port);
        let peers = format!("http://127.0.0.1:{}", self.etcd_peer_port);
        vec![
            "--name=peerwright".to_owned(),
            format!("--data-dir={}", text(&self.data)),
            format!("--listen-client-urls={clients}"),
            format!("--advertise-client-urls={clients}"),
            format!("--listen-peer-urls={peers}"),
            format!("--initial-advertise-peer-urls={peers}"),
            format!("--initial-cluster=peerwright={peers}"),
            "--unsafe-no-fsync".to_owned(),
            "--log-level=warn".to_owned(),
        ]
    }

    /// `bind` is the address that it listens on.
    pub(crate) fn api_server(&self, bind: &str) -> Vec<String> {
        let certificate = |file: &str| text(&self.certificates.join(file));
        let mut arguments = vec![
            format!("--etcd-servers=http://127.0.0.1:{}", self.etcd_port),
            format!("--bind-address={bind}"),
            format!("--secure-port={}", self.port),
            format!("--advertise-address={}", self.address),
            // Logs and exec would otherwise look the node's name up.
            "--kubelet-preferred-address-types=InternalIP".to_owned(),
            format!("--client-ca-file={}", certificate("ca.crt")),
            format!("--tls-cert-file={}", certificate("apiserver.crt")),
            format!("--tls-private-key-file={}", certificate("apiserver.key")),
            format!("--kubelet-client-certificate={}", certificate("admin.crt")),
            format!("--kubelet-client-key={}", certificate("admin.key")),
            format!("--kubelet-certificate-authority={}", certificate("ca.crt")),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-account-signing-key-file={}", certificate("sa.key")),
            format!("--service-account-key-file={}", certificate("sa.pub")),
            "--authorization-mode=Node,RBAC".to_owned(),
            "--enable-admission-plugins=NodeRestriction".to_owned(),
            format!("--service-cluster-ip-range={}", layout::SERVICE_RANGE),
            "--allow-privileged=true".to_owned(),
            format!("--audit-policy-file={}", text(&self.configuration.join("audit.yaml"))),
            format!("--audit-log-path={}", text(&self.audit_log)),
        ];
        if self.address == "127.0.0.1" {
            // A loopback address is refused as an endpoint of the Service `kubernetes`.
            arguments.push("--endpoint-reconciler-type=none".to_owned());
        }
        arguments
    }

    /// `port` 0 serves no health and metrics of its own.
    pub(crate) fn controller_manager(&self, port: u16) -> Vec<String> {
        let certificate = |file: &str| text(&self.certificates.join(file));
        vec![
            format!("--kubeconfig={}", self.kubeconfig(CONTROLLER_MANAGER)),
            "--leader-elect=false".to_owned(),
            format!("--root-ca-file={}", certificate("ca.crt")),
            format!("--service-account-private-key-file={}", certificate("sa.key")),
            "--use-service-account-credentials".to_owned(),
            format!("--cluster-signing-cert-file={}", certificate("ca.crt")),
            format!("--cluster-signing-key-file={}", certificate("ca.key")),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={port}"),
            format!("--node-monitor-grace-period={}s", self.node_monitor_grace.as_secs()),
        ]
    }

    pub(crate) fn scheduler(&self) -> Vec<String> {
        vec![
            format!("--kubeconfig={}", self.kubeconfig(SCHEDULER)),
            "--leader-elect=false".to_owned(),
            "--bind-address=127.0.0.1".to_owned(),
        ]
    }

    fn kubeconfig(&self, file: &str) -> String {
        text(&self.configuration.join(format!("{file}.kubeconfig")))
    }
}

/// The control plane of the whole cluster.
pub(crate) fn whole(node_monitor_grace: Duration) -> ControlPlane {
    ControlPlane {
        certificates: layout::certificates(),
        configuration: layout::configuration(),
        data: layout::root().join("etcd"),
        audit_log: layout::audit_log(),
        address: layout::CONTROL_PLANE_ADDRESS.to_owned(),
        port: 6443,
        etcd_port: 2379,
        etcd_peer_port: 2380,
        node_monitor_grace,
    }
}

/// Folder of a control plane that is all in one place.
pub(crate) fn within(folder: &Path, ports: [u16; 3]) -> ControlPlane {
    let [port, etcd_port, etcd_peer_port] = ports;
    ControlPlane {
        certificates: folder.join("pki"),
        configuration: folder.join("conf"),
        data: folder.join("etcd"),
        audit_log: folder.join("audit.log"),
        address: "127.0.0.1".to_owned(),
        port,
        etcd_port,
        etcd_peer_port,
        node_monitor_grace: Duration::from_secs(50),
    }
}
