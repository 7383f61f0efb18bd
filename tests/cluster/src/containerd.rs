//! The container runtime of one node: configuration, start, and image import.

use std::path::Path;
use std::time::Duration;

use crate::cgroups::Cgroups;
use crate::layout::{self, Machine};
use crate::services::{Inside, Service, text, words};
use crate::{ClusterError, Result, files, packages, program, progress};

pub(crate) const NAME: &str = "containerd";

/// Writes configuration of containerd and of the pod network.
pub(crate) fn configure(machine: &Machine) -> Result<()> {
    let folder = layout::machine_folder(&machine.name);
    let plugins = packages::cni_folder().ok_or_else(|| {
        ClusterError::Missing("the CNI plugins are missing: Debian package containernetworking-plugins".to_owned())
    })?;
    files::write(&folder.join("cni/10-peerwright.conflist"), pod_network(machine, &folder))?;
    files::write(
        &folder.join("containerd.toml"),
        format!(
            r#"version = 2
root = "{folder}/containerd/root"
state = "{folder}/containerd/state"
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/peerwright/pause:dev"
  # Some sandboxes lack CAP_SYS_RESOURCE, and every pod would fail there.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{folder}/cni"
"#,
            folder = folder.display(),
            socket = layout::containerd_socket(&machine.name).display(),
            plugins = plugins.display(),
        ),
    )
}

/// Starts containerd and waits until it answers.
pub(crate) fn start(cgroups: &Cgroups, machine: &str, path: &Path) -> Result<()> {
    let configuration = layout::machine_folder(machine).join("containerd.toml");
    let service = Service { machine, name: NAME };
    service.start(
        cgroups,
        Inside::Node,
        path,
        &words(NAME.to_owned(), ["--config".to_owned(), text(&configuration)]),
    )?;
    let limit = Duration::from_secs(30);
    if progress::wait_until(limit, || ctr(machine, &["version"]).is_ok()) {
        return Ok(());
    }
    Err(ClusterError::Late {
        what: format!("the start of containerd on {machine}"),
        seconds: limit.as_secs(),
        hint: format!("its log ends: {}", service.log_end()),
    })
}

/// Imports an OCI archive, unless the node has just this one.
pub(crate) fn import(machine: &str, archive: &crate::images::Archive) -> Result<bool> {
    let record = layout::machine_folder(machine).join("images").join(archive.reference.replace('/', "_"));
    if files::read_if_present(&record).as_deref() == Some(archive.digest.as_str()) {
        return Ok(false);
    }
    ctr(machine, &["images", "import", &text(&archive.file)])?;
    files::write(&record, &archive.digest)?;
    Ok(true)
}

fn ctr(machine: &str, arguments: &[&str]) -> Result<String> {
    let socket = text(&layout::containerd_socket(machine));
    let mut all = vec!["--address", &socket, "--namespace", "k8s.io"];
    all.extend(arguments);
    program::run("ctr", all)
}

fn pod_network(machine: &Machine, folder: &Path) -> String {
    serde_json::json!({
        "cniVersion": "1.0.0",
        "name": "peerwright",
        "plugins": [
            {
                "type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true, "ipMasq": false,
                "ipam": {
                    "type": "host-local",
                    "dataDir": folder.join("cni-data"),
                    "ranges": [[{"subnet": machine.pods}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": true}},
        ],
    })
    .to_string()
}
