//! Long-running programs of the whole cluster: each in its machine's namespaces and in a cgroup of its own, with a log.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::cgroups::{self, Cgroups, Process};
use crate::{ClusterError, Result, files, layout, program, progress};

/// Joins the cgroup, then leaves the program behind in it; the caller has nothing to reap.
const LAUNCH: &str = r#"echo $$ > "$1"; log=$2; shift 2; setsid "$@" >> "$log" 2>&1 < /dev/null &"#;

/// Which namespaces a program is started in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inside {
    /// The machine's network.
    Network,
    /// The machine's network and its view of the file system, which the node's holder keeps.
    Node,
}

/// A long-running program on one machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service<'a> {
    pub(crate) machine: &'a str,
    pub(crate) name: &'a str,
}

impl Service<'_> {
    /// Starts the program; `path` is put before the system's folders.
    pub(crate) fn start(self, cgroups: &Cgroups, inside: Inside, path: &Path, words: &[String]) -> Result<()> {
        let log = layout::log(self.machine, self.name);
        if let Some(folder) = log.parent() {
            files::make_folder(folder)?;
        }
        let entry = cgroups.entry(self.machine, self.name)?;
        let mut arguments =
            vec!["-c".to_owned(), LAUNCH.to_owned(), "sh".to_owned(), text(&entry), text(&log), "nsenter".to_owned()];
        arguments.extend(namespaces(cgroups, self.machine, inside)?);
        arguments.extend(words.iter().cloned());
        let mut command = program::command("sh", &arguments);
        command.env("PATH", format!("{}:{}", path.display(), program::SYSTEM_PATH)).current_dir("/");
        // Output is not captured: the program keeps the log open, and a pipe would never end.
        let line = program::line(&command);
        let status = command.status().map_err(|source| ClusterError::Start { line: line.clone(), source })?;
        if status.success() { Ok(()) } else { Err(ClusterError::Program { line, status, output: self.log_end() }) }
    }

    /// The program's own process; what it started itself (containerd's shims) is not it.
    pub(crate) fn process(self, cgroups: &Cgroups, program: &str) -> Option<Process> {
        let name: String = program.chars().take(15).collect();
        cgroups.service_processes(self.machine, self.name).into_iter().find(|process| process.name == name)
    }

    /// Ends the program at once and waits for its end.
    pub(crate) fn kill(self, cgroups: &Cgroups, program: &str) -> Result<()> {
        let limit = Duration::from_secs(10);
        let gone = progress::wait_until(limit, || match self.process(cgroups, program) {
            None => true,
            Some(process) => {
                cgroups::signal(process.pid, Signal::SIGKILL);
                false
            }
        });
        if gone {
            return Ok(());
        }
        Err(ClusterError::Late {
            what: format!("the end of {program} on {}", self.machine),
            seconds: limit.as_secs(),
            hint: "the process waits in the kernel".to_owned(),
        })
    }

    /// The end of the program's log.
    pub(crate) fn log_end(self) -> String {
        files::tail(&layout::log(self.machine, self.name), 5)
    }
}

/// Arguments of `nsenter` for a machine.
pub(crate) fn namespaces(cgroups: &Cgroups, machine: &str, inside: Inside) -> Result<Vec<String>> {
    if inside == Inside::Network {
        return Ok(vec![format!("--net={}", layout::namespace(machine))]);
    }
    let holder = Service { machine, name: "holder" }.process(cgroups, "sleep").ok_or(ClusterError::NotRunning)?;
    Ok(vec!["-t".to_owned(), holder.pid.to_string(), "-n".to_owned(), "-m".to_owned()])
}

pub(crate) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Words of a command line.
pub(crate) fn words(program: String, arguments: impl IntoIterator<Item = String>) -> Vec<String> {
    std::iter::once(program).chain(arguments).collect()
}
