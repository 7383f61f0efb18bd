//! Kernel settings of the whole machine that the cluster changes, remembered so that they can be put back, and kernel
//! modules that it needs where they are not built in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::{files, program};

/// kubelet sets these for the whole machine at its start.
const CHANGED_BY_KUBELET: &[&str] = &[
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
];

/// Folders that programs of the cluster look for on the machine; each node sees its own in their place.
const EXPECTED_FOLDERS: &[&str] =
    &["/run/netns", "/run/containerd", "/var/lib/cni", "/var/lib/kubelet", "/var/log/containers"];

/// Loads what may be a module; where it is built in or cannot be loaded, its user says so itself.
pub(crate) fn load_modules() {
    if !Path::new("/proc/sys/net/bridge").exists() {
        for module in ["br_netfilter", "overlay", "nf_conntrack", "tun"] {
            program::succeeds("modprobe", [module]);
        }
    }
}

/// The settings as they are now.
pub(crate) fn settings() -> BTreeMap<String, String> {
    CHANGED_BY_KUBELET
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), files::read_if_present(&file(name))?.trim().to_owned())))
        .collect()
}

/// Puts settings back; one that cannot be written was not changed either.
pub(crate) fn restore(settings: &BTreeMap<String, String>) {
    for (name, value) in settings {
        let _ = files::set(&file(name), value);
    }
}

/// Makes the expected folders; gives those that were not there.
pub(crate) fn make_expected_folders() -> crate::Result<Vec<PathBuf>> {
    let absent: Vec<PathBuf> = EXPECTED_FOLDERS.iter().map(PathBuf::from).filter(|folder| !folder.exists()).collect();
    for folder in &absent {
        files::make_folder(folder)?;
    }
    Ok(absent)
}

/// Removes folders that were made here, unless somebody else uses them by now.
pub(crate) fn remove_unused(folders: &[PathBuf]) {
    for folder in folders {
        if std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none()) {
            // `ip netns add` mounts the folder on itself.
            if is_mounted(folder) {
                program::succeeds("umount", [folder]);
            }
            let _ = std::fs::remove_dir(folder);
        }
    }
}

fn is_mounted(folder: &Path) -> bool {
    let mounts = files::read_if_present(Path::new("/proc/self/mounts")).unwrap_or_default();
    mounts.lines().any(|line| line.split(' ').nth(1) == folder.to_str())
}

fn file(name: &str) -> PathBuf {
    Path::new("/proc/sys").join(name)
}
