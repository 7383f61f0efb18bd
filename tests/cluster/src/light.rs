//! The light cluster: etcd, API server and controller-manager on loopback, in a temporary folder. No nodes, so pods stay
//! Pending; everything else is real. Needs no root; several may run at once; ends when dropped, and also when the process
//! that holds it is killed.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::control_plane::{self, API_SERVER, CONTROLLER_MANAGER, ControlPlane, ETCD};
use crate::kubectl::Kubectl;
use crate::{Binaries, ClusterError, Result, binaries, files, program, progress};

/// Reads process ids until its input ends, which it does with the process that holds the cluster, however that ends; then
/// ends them and removes the folder.
const GUARD: &str = r#"pids=
while read -r pid; do pids="$pids $pid"; done
for pid in $pids; do kill -KILL "$pid" 2>/dev/null; done
rm -rf "$1""#;

/// How often the start is tried: another process may take a port between its choice and its use.
const ATTEMPTS: usize = 3;

/// A running light cluster.
#[derive(Debug)]
pub struct LightCluster {
    kubectl: Kubectl,
    plan: ControlPlane,
    binaries: Binaries,
    programs: Vec<Child>,
    guard: Child,
    to_guard: Option<ChildStdin>,
    // After the programs: they write into it.
    folder: TempDir,
}

impl LightCluster {
    /// Starts one; gives it when the API server is ready.
    ///
    /// # Errors
    /// What the machine lacks, or why a program ended.
    pub fn start() -> Result<Self> {
        let binaries = Binaries::ensure(binaries::LIGHT)?;
        let mut last = ClusterError::NotRunning;
        for _ in 0..ATTEMPTS {
            match Self::attempt(binaries.clone()) {
                Ok(cluster) => return Ok(cluster),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The administrator's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        self.kubectl.kubeconfig()
    }

    /// The API server's audit log: one JSON document a line, of every write.
    #[must_use]
    pub fn audit_log(&self) -> &Path {
        &self.plan.audit_log
    }

    /// A folder that lives as long as the cluster.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder with kubectl.
    #[must_use]
    pub fn programs(&self) -> &Path {
        self.binaries.folder()
    }

    /// Runs kubectl; gives what it printed.
    ///
    /// # Errors
    /// What kubectl complained about.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.kubectl.run(arguments, None)
    }

    /// Runs kubectl with something to read.
    ///
    /// # Errors
    /// What kubectl complained about.
    pub fn kubectl_with_input(&self, arguments: &[&str], input: &str) -> Result<String> {
        self.kubectl.run(arguments, Some(input))
    }

    /// Runs kubectl with `-o json`.
    ///
    /// # Errors
    /// What kubectl complained about.
    pub fn kubectl_json(&self, arguments: &[&str]) -> Result<serde_json::Value> {
        self.kubectl.json(arguments)
    }

    fn attempt(binaries: Binaries) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("peerwright-light-")
            .tempdir()
            .map_err(ClusterError::file(&std::env::temp_dir()))?;
        let plan = control_plane::within(folder.path(), free_ports()?);
        plan.prepare()?;
        let mut guard =
            spawn(program::command("sh", ["-c", GUARD, "sh", &folder.path().to_string_lossy()]).stdin(Stdio::piped()))?;
        let kubectl = Kubectl::new(binaries.path("kubectl"), plan.configuration.join("admin.kubeconfig"));
        let to_guard = guard.stdin.take();
        let mut cluster = Self { kubectl, plan, binaries, programs: Vec::new(), guard, to_guard, folder };
        cluster.launch(ETCD, cluster.plan.etcd())?;
        cluster.launch(API_SERVER, cluster.plan.api_server("127.0.0.1"))?;
        cluster.wait_until_ready()?;
        cluster.launch(CONTROLLER_MANAGER, cluster.plan.controller_manager(0))?;
        cluster.wait_for_default_account()?;
        Ok(cluster)
    }

    fn launch(&mut self, name: &str, arguments: Vec<String>) -> Result<()> {
        let log = self.log(name);
        let file = std::fs::File::create(&log).map_err(ClusterError::file(&log))?;
        let other = file.try_clone().map_err(ClusterError::file(&log))?;
        let child = spawn(program::command(&self.binaries.text(name), arguments).stdout(file).stderr(other))?;
        if let Some(guard) = &mut self.to_guard {
            let told = std::io::Write::write_all(guard, format!("{}\n", child.id()).as_bytes());
            told.map_err(|source| ClusterError::Start { line: "the guard of a light cluster".to_owned(), source })?;
        }
        self.programs.push(child);
        Ok(())
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let limit = Duration::from_secs(60);
        let mut ended = false;
        let kubectl = self.kubectl.clone();
        let programs = &mut self.programs;
        let ready = progress::wait_until(limit, || {
            ended = programs.iter_mut().any(|child| !matches!(child.try_wait(), Ok(None)));
            ended || kubectl.is_ready()
        });
        if ready && !ended {
            return Ok(());
        }
        Err(ClusterError::Late {
            what: "the start of etcd and API server".to_owned(),
            seconds: limit.as_secs(),
            hint: format!(
                "their logs end: {} {}",
                files::tail(&self.log(ETCD), 3),
                files::tail(&self.log(API_SERVER), 3)
            ),
        })
    }

    /// Once the controller-manager has made it, the controllers work.
    fn wait_for_default_account(&self) -> Result<()> {
        let limit = Duration::from_secs(60);
        if progress::wait_until(limit, || {
            self.kubectl(&["--namespace", "default", "get", "serviceaccount", "default"]).is_ok()
        }) {
            return Ok(());
        }
        Err(ClusterError::Late {
            what: "the start of the controller-manager".to_owned(),
            seconds: limit.as_secs(),
            hint: format!("its log ends: {}", files::tail(&self.log(CONTROLLER_MANAGER), 3)),
        })
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.log"))
    }
}

impl Drop for LightCluster {
    fn drop(&mut self) {
        for child in self.programs.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
        drop(self.to_guard.take());
        let _ = self.guard.wait();
    }
}

fn spawn(command: &mut Command) -> Result<Child> {
    command.spawn().map_err(|source| ClusterError::Start { line: program::line(command), source })
}

/// Three different free ports.
fn free_ports() -> Result<[u16; 3]> {
    let failed = |source| ClusterError::Start { line: "a listener on loopback".to_owned(), source };
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed);
    let held = [bind()?, bind()?, bind()?];
    let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port()).map_err(failed);
    let [one, two, three] = &held;
    Ok([port(one)?, port(two)?, port(three)?])
}
