//! One cgroup tree per machine, named like it: the exact list of its processes, pods included, and the handle that
//! freezes them.
//!
//! ```text
//! pwr-1/system/<service>     our own processes
//! pwr-1/kubepods/…           made by kubelet (its `cgroupRoot` is `/pwr-1`)
//! ```
//!
//! Kernels have either one hierarchy (v2) or one per controller (v1, some with v2 beside it); which one is detected.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{ClusterError, Result, files};

const ROOT: &str = "/sys/fs/cgroup";

/// The machine's cgroup hierarchies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cgroups {
    /// Version 2: one hierarchy.
    Unified { root: PathBuf },
    /// Version 1: one hierarchy per controller.
    PerController { freezer: PathBuf, hierarchies: Vec<PathBuf> },
}

/// A process that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    /// First 15 bytes of the program's name.
    pub(crate) name: String,
}

impl Cgroups {
    /// What this machine has.
    pub(crate) fn detect() -> Result<Self> {
        let mounts = files::read(Path::new("/proc/self/mounts"))?;
        Self::from_mounts(&mounts).ok_or_else(|| {
            ClusterError::Missing(format!("no cgroup hierarchy is mounted under {ROOT}: nodes cannot be started here"))
        })
    }

    fn from_mounts(mounts: &str) -> Option<Self> {
        let mut hierarchies = Vec::new();
        for line in mounts.lines() {
            let mut fields = line.split(' ').skip(1);
            let (Some(folder), Some(kind)) = (fields.next(), fields.next()) else { continue };
            if !folder.starts_with(ROOT) {
                continue;
            }
            if kind == "cgroup2" && folder == ROOT {
                return Some(Self::Unified { root: PathBuf::from(ROOT) });
            }
            if kind == "cgroup" || kind == "cgroup2" {
                hierarchies.push(PathBuf::from(folder));
            }
        }
        let freezer = hierarchies.iter().find(|folder| folder.ends_with("freezer"))?.clone();
        Some(Self::PerController { freezer, hierarchies })
    }

    /// Makes a machine's tree.
    pub(crate) fn make(&self, machine: &str) -> Result<()> {
        match self {
            Self::Unified { root } => {
                let tree = root.join(machine);
                delegate(root)?;
                files::make_folder(&tree)?;
                delegate(&tree)
            }
            Self::PerController { hierarchies, .. } => {
                for hierarchy in hierarchies {
                    let tree = hierarchy.join(machine);
                    files::make_folder(&tree)?;
                    for setting in ["cpuset.cpus", "cpuset.mems"] {
                        if let Some(all) = files::read_if_present(&hierarchy.join(setting)) {
                            files::set(&tree.join(setting), all.trim())?;
                        }
                    }
                }
                Ok(())
            }
        }
    }

    /// Makes the cgroup of one of our own processes; gives the file that takes its process id.
    pub(crate) fn entry(&self, machine: &str, service: &str) -> Result<PathBuf> {
        let folder = self.service(machine, service);
        files::make_folder(&folder)?;
        Ok(folder.join("cgroup.procs"))
    }

    /// Processes of one of our own services.
    pub(crate) fn service_processes(&self, machine: &str, service: &str) -> Vec<Process> {
        processes(&self.service(machine, service))
    }

    /// Every machine that has a tree, whoever made it.
    pub(crate) fn machines(&self, prefix: &str) -> Vec<String> {
        let hierarchies = match self {
            Self::Unified { root } => std::slice::from_ref(root),
            Self::PerController { hierarchies, .. } => hierarchies.as_slice(),
        };
        let mut names: Vec<String> = hierarchies
            .iter()
            .filter_map(|hierarchy| fs::read_dir(hierarchy).ok())
            .flat_map(Iterator::flatten)
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| name.starts_with(prefix))
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// The cgroup of a pod on a machine.
    pub(crate) fn pod(&self, machine: &str, uid: &str) -> Option<PathBuf> {
        find(&self.tree(machine).join("kubepods"), &format!("pod{uid}"))
    }

    /// The machine's whole tree.
    pub(crate) fn tree(&self, machine: &str) -> PathBuf {
        self.process_hierarchy().join(machine)
    }

    /// Stops every process in a cgroup and below, or lets them go on.
    pub(crate) fn set_frozen(&self, cgroup: &Path, frozen: bool) -> Result<()> {
        match self {
            Self::Unified { .. } => files::set(&cgroup.join("cgroup.freeze"), if frozen { "1" } else { "0" }),
            Self::PerController { .. } => {
                files::set(&cgroup.join("freezer.state"), if frozen { "FROZEN" } else { "THAWED" })
            }
        }
    }

    /// Ends every process of the machine. All are stopped first, so none starts another meanwhile.
    pub(crate) fn kill_all(&self, machine: &str) -> Result<()> {
        let tree = self.tree(machine);
        if !tree.exists() {
            return Ok(());
        }
        let ended = crate::progress::wait_until(std::time::Duration::from_secs(20), || {
            let running = processes(&tree);
            if running.is_empty() {
                return true;
            }
            // Whatever cannot be frozen is found by the next round.
            let _ = self.set_frozen(&tree, true);
            for process in &processes(&tree) {
                signal(process.pid, Signal::SIGKILL);
            }
            thaw_below(self, &tree);
            false
        });
        if ended {
            return Ok(());
        }
        let left: Vec<String> =
            processes(&tree).iter().map(|process| format!("{} {}", process.pid, process.name)).collect();
        Err(ClusterError::Late {
            what: format!("the end of the processes of {machine} ({})", left.join(", ")),
            seconds: 20,
            hint: "they are waiting in the kernel; try again".to_owned(),
        })
    }

    /// Removes a machine's tree, which has no processes left.
    pub(crate) fn remove(&self, machine: &str) -> Result<()> {
        let hierarchies = match self {
            Self::Unified { root } => std::slice::from_ref(root),
            Self::PerController { hierarchies, .. } => hierarchies.as_slice(),
        };
        for hierarchy in hierarchies {
            let tree = hierarchy.join(machine);
            // An ended process leaves its cgroup a moment after its end.
            let removed = crate::progress::wait_until(std::time::Duration::from_secs(10), || remove_tree(&tree));
            if !removed {
                return Err(ClusterError::Late {
                    what: format!("the removal of the cgroup {}", tree.display()),
                    seconds: 10,
                    hint: "see its cgroup.procs".to_owned(),
                });
            }
        }
        Ok(())
    }

    fn service(&self, machine: &str, service: &str) -> PathBuf {
        self.tree(machine).join("system").join(service)
    }

    fn process_hierarchy(&self) -> &Path {
        match self {
            Self::Unified { root } => root,
            Self::PerController { freezer, .. } => freezer,
        }
    }
}

/// Sends a signal; a process that is gone needs none.
pub(crate) fn signal(pid: i32, signal: Signal) {
    let _ = kill(Pid::from_raw(pid), signal);
}

/// The living processes of a cgroup and those below it.
pub(crate) fn processes(cgroup: &Path) -> Vec<Process> {
    let mut found = Vec::new();
    for folder in folders(cgroup) {
        let list = files::read_if_present(&folder.join("cgroup.procs")).unwrap_or_default();
        found.extend(list.lines().filter_map(|pid| living(pid.parse().ok()?)));
    }
    found
}

/// A process, unless it has ended; one that nobody has reaped yet has ended.
pub(crate) fn living(pid: i32) -> Option<Process> {
    let stat = files::read_if_present(Path::new(&format!("/proc/{pid}/stat")))?;
    let (start, rest) = stat.rsplit_once(") ")?;
    let name = start.split_once('(')?.1.to_owned();
    (!rest.starts_with(['Z', 'X'])).then_some(Process { pid, name })
}

/// A cgroup and all below it, deepest last.
fn folders(cgroup: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![cgroup.to_owned()];
    while let Some(folder) = waiting.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        waiting.extend(
            entries
                .flatten()
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                .map(|entry| entry.path()),
        );
        found.push(folder);
    }
    found
}

fn find(cgroup: &Path, name: &str) -> Option<PathBuf> {
    folders(cgroup).into_iter().find(|folder| folder.file_name().is_some_and(|last| last == name))
}

fn remove_tree(tree: &Path) -> bool {
    for folder in folders(tree).iter().rev() {
        let _ = fs::remove_dir(folder);
    }
    !tree.exists()
}

/// Pods may have been frozen on their own; a frozen process does not end.
fn thaw_below(cgroups: &Cgroups, tree: &Path) {
    for folder in folders(tree) {
        let _ = cgroups.set_frozen(&folder, false);
    }
}

/// Lets the cgroups below this one have every controller that this one has.
fn delegate(folder: &Path) -> Result<()> {
    let available = files::read(&folder.join("cgroup.controllers"))?;
    for needed in ["cpu", "cpuset", "memory", "pids"] {
        if !available.split_whitespace().any(|controller| controller == needed) {
            return Err(ClusterError::Missing(format!(
                "the cgroup controller `{needed}` is not available in {}: nodes cannot be started here",
                folder.display()
            )));
        }
    }
    for controller in available.split_whitespace() {
        let _ = files::set(&folder.join("cgroup.subtree_control"), &format!("+{controller}"));
    }
    let enabled = files::read(&folder.join("cgroup.subtree_control"))?;
    if enabled.split_whitespace().any(|controller| controller == "memory") {
        return Ok(());
    }
    Err(ClusterError::Missing(format!(
        "cgroup controllers cannot be handed down from {}: move the processes in it to a cgroup of their own",
        folder.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_hierarchy_is_told_from_one_per_controller() {
        let unified = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n";
        assert_eq!(Cgroups::from_mounts(unified), Some(Cgroups::Unified { root: PathBuf::from(ROOT) }));

        let many = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n\
                    cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\n\
                    cgroup /sys/fs/cgroup/freezer cgroup rw,freezer 0 0\n\
                    cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        let Some(Cgroups::PerController { freezer, hierarchies }) = Cgroups::from_mounts(many) else {
            panic!("not seen")
        };
        assert_eq!(freezer, Path::new("/sys/fs/cgroup/freezer"));
        assert_eq!(hierarchies.len(), 3);

        assert_eq!(Cgroups::from_mounts("proc /proc proc rw 0 0\n"), None);
    }

    #[test]
    fn this_process_is_living_and_an_unreaped_one_is_not() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(living(own).is_some());
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        assert!(crate::progress::wait_until(std::time::Duration::from_secs(5), || living(pid).is_none()));
        child.wait().unwrap();
    }

    #[test]
    fn a_pod_is_found_below_its_quality_of_service_class() {
        let folder = tempfile::tempdir().unwrap();
        let pod = folder.path().join("pwr-1/kubepods/besteffort/pod77");
        fs::create_dir_all(pod.join("container")).unwrap();
        let cgroups = Cgroups::Unified { root: folder.path().to_owned() };
        assert_eq!(cgroups.pod("pwr-1", "77"), Some(pod));
        assert_eq!(cgroups.pod("pwr-1", "78"), None);
        assert_eq!(cgroups.machines("pwr-"), ["pwr-1"]);
    }
}
