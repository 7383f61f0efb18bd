//! Names, addresses and paths of the whole cluster: everything that it makes is named here.

use std::path::{Path, PathBuf};

/// Everything of the whole cluster is under this folder, and goes with it.
pub const ROOT: &str = "/var/lib/peerwright";
/// Network namespace with the switch.
pub(crate) const SWITCH: &str = "pwr-br";
/// The bridge in it.
pub(crate) const BRIDGE: &str = "br0";
/// The control plane's machine.
pub(crate) const CONTROL_PLANE: &str = "pwr-cp";
/// The root namespace's port on the switch.
pub(crate) const HOST_PORT: &str = "pwr-host";
/// What every name of ours begins with.
pub(crate) const PREFIX: &str = "pwr-";

pub(crate) const NODE_RANGE: &str = "10.251.0.0/24";
pub(crate) const SERVICE_RANGE: &str = "10.98.0.0/16";
pub(crate) const POD_RANGE: &str = "10.246.0.0/16";
pub(crate) const SWITCH_ADDRESS: &str = "10.251.0.1";
/// Where machines and pods reach this one.
pub const HOST_ADDRESS: &str = "10.251.0.2";
pub(crate) const CONTROL_PLANE_ADDRESS: &str = "10.251.0.10";
/// ClusterIP of the API server, the first of the range.
pub(crate) const API_SERVICE_ADDRESS: &str = "10.98.0.1";
pub(crate) const DNS_ADDRESS: &str = "10.98.0.10";

/// A machine of the cluster: a network namespace with one address.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    /// `pwr-cp` or `pwr-1`, `pwr-2`, …; also the name of its namespace, cgroup and switch port, and of the Kubernetes node.
    pub(crate) name: String,
    pub(crate) address: String,
    /// Addresses of its pods; none on the control plane.
    pub(crate) pods: Option<String>,
}

/// The control plane's machine.
pub(crate) fn control_plane() -> Machine {
    Machine { name: CONTROL_PLANE.to_owned(), address: CONTROL_PLANE_ADDRESS.to_owned(), pods: None }
}

/// The machine of node `index`, from 1.
pub(crate) fn node(index: u8) -> Machine {
    Machine {
        name: format!("{PREFIX}{index}"),
        address: format!("10.251.0.{}", u16::from(index) + 10),
        pods: Some(format!("10.246.{index}.0/24")),
    }
}

/// The file of the network namespace `name`.
pub(crate) fn namespace(name: &str) -> String {
    format!("/run/netns/{name}")
}

pub(crate) fn root() -> &'static Path {
    Path::new(ROOT)
}

pub(crate) fn certificates() -> PathBuf {
    root().join("pki")
}

pub(crate) fn configuration() -> PathBuf {
    root().join("conf")
}

pub(crate) fn state() -> PathBuf {
    root().join("state.json")
}

/// Folder of one machine: its configuration, sockets, container storage.
pub(crate) fn machine_folder(name: &str) -> PathBuf {
    root().join(name)
}

/// Where local-path volumes are: the same path on every node, each with a folder of its own behind it.
pub(crate) fn volumes() -> PathBuf {
    root().join("volumes")
}

pub(crate) fn log(machine: &str, service: &str) -> PathBuf {
    root().join("log").join(format!("{machine}.{service}.log"))
}

/// The API server's audit log: Metadata of every write.
pub(crate) fn audit_log() -> PathBuf {
    root().join("log/audit.log")
}

/// The administrator's kubeconfig.
pub(crate) fn kubeconfig() -> PathBuf {
    configuration().join("admin.kubeconfig")
}

pub(crate) fn containerd_socket(machine: &str) -> PathBuf {
    machine_folder(machine).join("containerd.sock")
}
