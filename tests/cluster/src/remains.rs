//! What there is of a whole cluster on the machine, looked for without what the cluster remembers: nothing, once
//! [`Cluster::down`] has done its work.

use std::path::Path;

use crate::cgroups::{self, Cgroups, Process};
use crate::{Cluster, Result, files, layout, network};

impl Cluster {
    /// Everything on this machine that only a whole cluster makes: processes, cgroups, mounts, network namespaces, links,
    /// routes, and the folder with its state. One line each, such as `link pwr-host`; none where no cluster is.
    ///
    /// # Errors
    /// The machine cannot be looked at: no cgroups, or no `ip`.
    pub fn remains() -> Result<Vec<String>> {
        let processes = processes().into_iter().map(|process| format!("process {} {}", process.pid, process.name));
        let cgroups = Cgroups::detect()?.machines(layout::PREFIX);
        let mounts = files::read(Path::new("/proc/self/mounts"))?;
        let folder = layout::root().exists().then(|| format!("folder {}", layout::ROOT));
        let named = [
            ("cgroup", cgroups),
            ("mount", mounts_of_ours(&mounts)),
            ("network namespace", network::namespaces()),
            ("link", network::links()),
            ("route", network::routes()?),
        ];
        let named =
            named.into_iter().flat_map(|(what, names)| names.into_iter().map(move |name| format!("{what} {name}")));
        Ok(processes.chain(named).chain(folder).collect())
    }
}

/// The living processes that are in a cgroup of ours, or were told to work in our folder.
fn processes() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let told = |file: &str| files::read_if_present(Path::new(&format!("/proc/{pid}/{file}"))).unwrap_or_default();
        is_in_our_cgroup(&told("cgroup")) || works_in_our_folder(&told("cmdline"))
    })
    .filter_map(cgroups::living)
    .collect()
}

/// By the text of `/proc/<pid>/cgroup`: a line for each hierarchy, `<number>:<controllers>:<path>`.
fn is_in_our_cgroup(text: &str) -> bool {
    text.lines().filter_map(|line| line.splitn(3, ':').nth(2)).any(|path| {
        let mut folders = path.split('/').filter(|folder| !folder.is_empty());
        folders.any(|folder| folder.starts_with(layout::PREFIX))
    })
}

/// By the text of `/proc/<pid>/cmdline`: words that end with a zero byte, options with their value among them.
fn works_in_our_folder(text: &str) -> bool {
    let is_below = |path: &str| Path::new(path).starts_with(layout::root()) && path.len() > layout::ROOT.len();
    text.split(['\0', '=']).any(is_below)
}

/// By the text of `/proc/self/mounts`: the mount points in our folder, and those that keep our network namespaces.
fn mounts_of_ours(text: &str) -> Vec<String> {
    let namespaces = layout::namespace(layout::PREFIX);
    let is_ours = |point: &&str| Path::new(point).starts_with(layout::root()) || point.starts_with(&namespaces);
    let points = text.lines().filter_map(|line| line.split(' ').nth(1));
    let mut found: Vec<String> = points.filter(is_ours).map(str::to_owned).collect();
    // A shared mount is there twice.
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_ours_by_its_cgroup_in_any_hierarchy() {
        for ours in [
            "0::/pwr-1/system/kubelet\n",
            "12:freezer:/pwr-cp/system/etcd\n1:cpu,cpuacct:/\n",
            "1:cpu,cpuacct:/\n0::/pwr-2/kubepods/besteffort/pod77/abc\n",
            "0::/../pwr-1/system/holder\n",
        ] {
            assert!(is_in_our_cgroup(ours), "{ours}");
        }
        for other in ["", "0::/\n", "0::/user.slice/pwrite\n", "3:name=pwr-1:/user\n", "0::/kubepods/my-pwr-1\n"] {
            assert!(!is_in_our_cgroup(other), "{other}");
        }
    }

    #[test]
    fn a_process_is_ours_by_the_files_that_it_was_given() {
        for ours in [
            "containerd\0--config\0/var/lib/peerwright/pwr-1/containerd.toml\0",
            "etcd\0--name=peerwright\0--data-dir=/var/lib/peerwright/etcd\0",
        ] {
            assert!(works_in_our_folder(ours), "{ours}");
        }
        for other in ["", "peerwright-node\0--data-dir=/var/lib/peerwright\0", "ls\0/var/lib/peerwright-else/a\0"] {
            assert!(!works_in_our_folder(other), "{other}");
        }
    }

    #[test]
    fn mounts_are_ours_in_our_folder_and_as_our_network_namespaces() {
        let mounts = "overlay / overlay rw 0 0\n\
                      tmpfs /run/netns tmpfs rw 0 0\n\
                      nsfs /run/netns/pwr-br nsfs rw 0 0\n\
                      nsfs /run/netns/pwr-br nsfs rw 0 0\n\
                      nsfs /run/netns/blue nsfs rw 0 0\n\
                      overlay /var/lib/peerwright/pwr-1/rootfs overlay rw 0 0\n\
                      tmpfs /var/lib/peerwright-else tmpfs rw 0 0\n";
        assert_eq!(mounts_of_ours(mounts), ["/run/netns/pwr-br", "/var/lib/peerwright/pwr-1/rootfs"]);
    }
}
