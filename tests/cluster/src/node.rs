//! A node: a private view of the file system, containerd, kubelet and kube-proxy.

use std::path::Path;
use std::time::Duration;

use crate::cgroups::Cgroups;
use crate::layout::{self, Machine};
use crate::services::{Inside, Service, text, words};
use crate::{Binaries, ClusterError, Result, containerd, files, progress};

pub(crate) const KUBELET: &str = "kubelet";
pub(crate) const PROXY: &str = "kube-proxy";

/// What a node's first process does: it keeps the node's mounts. $1 is the node's folder, $2 the folder of volumes, $3
/// the mount namespace that it must not be in.
const HOLDER: &str = r#"
set -eu
[ "$(readlink /proc/self/ns/mnt)" != "$3" ] || { echo "not in a mount namespace of its own"; exit 1; }
mount --make-rprivate /
# network namespaces of other machines would be kept alive by their mounts here
awk '{print $2}' /proc/self/mounts | grep -E '^(/var)?/run/netns(/|$)' | sort -r | while read -r m; do umount -l "$m" || true; done
# paths that kubelet, containerd, runc and CNI hard-code: one private copy per node
for p in var/lib/kubelet var/lib/cni var/log/containers run/containerd run/netns; do
  mkdir -p "$1/private/$p"; mount --bind "$1/private/$p" "/$p"
done
mkdir -p "$1/volumes"; mount --bind "$1/volumes" "$2"
# kubelet wants shared propagation; the peer group is this namespace's own
mount --make-rshared /
exec sleep infinity
"#;

/// Starts what needs no API server: holder and containerd.
pub(crate) fn start_runtime(cgroups: &Cgroups, machine: &Machine, binaries: &Binaries) -> Result<()> {
    let folder = layout::machine_folder(&machine.name);
    files::make_folder(&folder)?;
    hold(cgroups, &machine.name, &folder)?;
    containerd::configure(machine)?;
    containerd::start(cgroups, &machine.name, binaries.folder())
}

/// Starts kubelet on a configured node.
pub(crate) fn start_kubelet(cgroups: &Cgroups, machine: &Machine, binaries: &Binaries) -> Result<()> {
    let folder = layout::machine_folder(&machine.name);
    let arguments = [
        format!("--config={}", text(&folder.join("kubelet.yaml"))),
        format!("--kubeconfig={}", text(&layout::configuration().join(format!("kubelet-{}.kubeconfig", machine.name)))),
        format!("--root-dir={}", text(&folder.join("kubelet"))),
        format!("--cert-dir={}", text(&folder.join("kubelet/pki"))),
        format!("--hostname-override={}", machine.name),
        format!("--node-ip={}", machine.address),
        "--v=2".to_owned(),
    ];
    let service = Service { machine: &machine.name, name: KUBELET };
    service.start(cgroups, Inside::Node, binaries.folder(), &words(binaries.text(KUBELET), arguments))
}

/// Starts kube-proxy; the control plane's machine has one too, to reach ClusterIPs.
pub(crate) fn start_proxy(cgroups: &Cgroups, machine: &Machine, inside: Inside, binaries: &Binaries) -> Result<()> {
    let file = layout::machine_folder(&machine.name).join("proxy.yaml");
    files::write(
        &file,
        format!(
            "apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clusterCIDR: {pods}
clientConnection: {{kubeconfig: {configuration}/proxy-{name}.kubeconfig}}
conntrack: {{maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}}
hostnameOverride: {name}
",
            pods = layout::POD_RANGE,
            configuration = layout::configuration().display(),
            name = machine.name,
        ),
    )?;
    let service = Service { machine: &machine.name, name: PROXY };
    service.start(
        cgroups,
        inside,
        binaries.folder(),
        &words(binaries.text(PROXY), [format!("--config={}", text(&file))]),
    )
}

/// Writes kubelet's configuration.
pub(crate) fn configure_kubelet(machine: &Machine) -> Result<()> {
    let folder = layout::machine_folder(&machine.name);
    files::write(&folder.join("resolv.conf"), format!("nameserver {}\n", machine.address))?;
    files::write(
        &folder.join("kubelet.yaml"),
        format!(
            "apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
cgroupDriver: cgroupfs
# Two kubelets with one root would delete each other's pods.
cgroupRoot: /{name}
containerRuntimeEndpoint: unix://{socket}
clusterDNS: [{dns}]
clusterDomain: cluster.local
resolvConf: {folder}/resolv.conf
authentication: {{anonymous: {{enabled: false}}, webhook: {{enabled: true}}, x509: {{clientCAFile: {certificates}/ca.crt}}}}
authorization: {{mode: Webhook}}
tlsCertFile: {certificates}/kubelet-{name}.crt
tlsPrivateKeyFile: {certificates}/kubelet-{name}.key
failSwapOn: false
enforceNodeAllocatable: []
evictionHard: {{memory.available: 100Mi, nodefs.available: '1%', imagefs.available: '1%'}}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
maxPods: 250
syncFrequency: 10s
nodeStatusUpdateFrequency: 4s
podLogsDir: {folder}/pod-logs
volumePluginDir: {folder}/volume-plugins
",
            name = machine.name,
            socket = layout::containerd_socket(&machine.name).display(),
            dns = layout::DNS_ADDRESS,
            folder = folder.display(),
            certificates = layout::certificates().display(),
        ),
    )
}

fn hold(cgroups: &Cgroups, machine: &str, folder: &Path) -> Result<()> {
    let volumes = layout::volumes();
    files::make_folder(&volumes)?;
    let own = std::fs::read_link("/proc/self/ns/mnt").map_err(ClusterError::file(Path::new("/proc/self/ns/mnt")))?;
    let service = Service { machine, name: "holder" };
    let unshare = ["--mount", "--propagation", "private", "sh", "-c", HOLDER, "sh"].map(str::to_owned);
    let arguments = unshare.into_iter().chain([text(folder), text(&volumes), text(&own)]);
    service.start(cgroups, Inside::Network, Path::new("/"), &words("unshare".to_owned(), arguments))?;
    // The last thing that the script does is to become this program.
    let limit = Duration::from_secs(30);
    if progress::wait_until(limit, || service.process(cgroups, "sleep").is_some()) {
        return Ok(());
    }
    Err(ClusterError::Late {
        what: format!("the mount namespace of {machine}"),
        seconds: limit.as_secs(),
        hint: format!("its log ends: {}", service.log_end()),
    })
}
