//! The operator's real process, run beside a light cluster with the rights of its ServiceAccount.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::{Answer, Light, OPERATOR_NAMESPACE, Seen, eventually, program, repository};

/// A running operator; killed when dropped.
#[derive(Debug)]
pub struct Operator {
    name: String,
    child: Child,
    nodes: SocketAddr,
    probes: SocketAddr,
    log: PathBuf,
}

/// How an operator is started.
#[derive(Clone, Debug)]
pub struct OperatorOptions {
    /// Namespace of its ServiceAccount, Lease and Secrets.
    pub namespace: String,
    /// Namespaces that it watches; empty for all.
    pub watch_namespaces: Vec<String>,
}

impl Default for OperatorOptions {
    fn default() -> Self {
        Self { namespace: OPERATOR_NAMESPACE.to_owned(), watch_namespaces: Vec::new() }
    }
}

impl Operator {
    /// Starts one as the pod `name`, and waits until it is ready.
    ///
    /// # Errors
    /// If it ends, or is not ready within 30 s.
    pub fn ready(light: &Light, name: &str) -> Result<Self> {
        let mut operator = Self::start(light, name, &OperatorOptions::default())?;
        operator.wait_until_ready()?;
        Ok(operator)
    }

    /// Starts one as the pod `name`.
    ///
    /// # Errors
    /// If it cannot be built or started.
    pub fn start(light: &Light, name: &str, options: &OperatorOptions) -> Result<Self> {
        let log = light.cluster.folder().join(format!("{name}.log"));
        let file = File::create(&log).with_context(|| log.display().to_string())?;
        let [nodes, probes] = [free_address()?, free_address()?];
        let child = Command::new(operator_program()?)
            .args(["--namespace", &options.namespace, "--pod-name", name])
            .args(["--node-image", "docker.io/peerwright/peerwright-node:dev"])
            .args(["--watch-namespaces", &options.watch_namespaces.join(",")])
            .args(["--listen-nodes", &nodes.to_string(), "--listen-probes", &probes.to_string()])
            .env("KUBECONFIG", kubeconfig(light, &options.namespace)?)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .context("the operator cannot be started")?;
        Ok(Self { name: name.to_owned(), child, nodes, probes, log })
    }

    /// Waits until `/readyz` says so.
    ///
    /// # Errors
    /// If the operator ends, or 30 s pass.
    pub fn wait_until_ready(&mut self) -> Result<()> {
        eventually(Duration::from_secs(30), &format!("readiness of {}", self.name), || {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended ({status}): {}", self.name, self.log_end());
            }
            let (status, body) = self.get("/readyz").unwrap_or_default();
            Ok(Seen::when(status == 200, format!("{status} {body}; its log: {}", self.log_end())))
        })
    }

    /// Status and body of a page on the probe port.
    ///
    /// # Errors
    /// If nothing answers there.
    pub fn get(&self, path: &str) -> Result<(u16, String)> {
        let mut stream = TcpStream::connect_timeout(&self.probes, Duration::from_secs(2))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: operator\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no HTTP status")?;
        Ok((status, body.to_owned()))
    }

    /// Sends it a `CertifyRequest`, given as JSON, by the real grpcurl, which trusts the authority in the file `root`. The
    /// answer has what came as metadata, too.
    ///
    /// # Errors
    /// If grpcurl cannot be started; that the call was refused is part of the answer.
    pub fn certify(&self, light: &Light, root: &Path, request: &Value) -> Result<Answer> {
        let mut command = Command::new(light.cluster.programs().join("grpcurl"));
        command.args(["-v", "-max-time", "30", "-authority", "peerwright-operator.peerwright-system.svc"]);
        command.arg("-cacert").arg(root).arg("-import-path").arg(repository("proto/proto"));
        command.args(["-proto", "peerwright/v1/operator.proto", "-d", "@"]);
        command.args([&self.nodes.to_string(), "peerwright.v1.Operator/Certify"]);
        program::run(command, Some(&request.to_string()))
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// If it is gone already.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop).map_err(Into::into)
    }

    /// Asks it to end, as Kubernetes does, and waits until it did, without an error.
    ///
    /// # Errors
    /// If it takes more than 15 s or ends with an error.
    pub fn stop(mut self) -> Result<()> {
        kill(Pid::from_raw(i32::try_from(self.child.id())?), Signal::SIGTERM)?;
        let status = eventually(Duration::from_secs(15), &format!("the end of {}", self.name), || {
            Ok(self.child.try_wait()?.map_or_else(|| Seen::NotYet("it runs".to_owned()), Seen::There))
        })?;
        ensure!(status.success(), "{} ended with {status}: {}", self.name, self.log_end());
        Ok(())
    }

    /// What it was not allowed to do, by its log: rights that the chart should give it, or calls that it should not make.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn forbidden(&self) -> Result<Vec<String>> {
        let text = std::fs::read_to_string(&self.log).with_context(|| self.log.display().to_string())?;
        Ok(text.lines().filter(|line| line.to_lowercase().contains("forbidden")).map(str::to_owned).collect())
    }

    /// The last lines of its log.
    pub fn log_end(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(15).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A kubeconfig with a token of the ServiceAccount that the chart made: what the chart does not allow is refused here
/// as it would be in a pod.
fn kubeconfig(light: &Light, namespace: &str) -> Result<PathBuf> {
    let account = ["create", "token", "peerwright-operator", "-n", namespace, "--duration=2h"];
    let token = light.kubectl.run(&account)?.accepted()?;
    let mut config = light.kubectl.json(&["config", "view", "--raw"])?;
    for user in config["users"].as_array_mut().into_iter().flatten() {
        user["user"] = json!({ "token": token.trim() });
    }
    let path = light.cluster.folder().join(format!("{namespace}.kubeconfig"));
    std::fs::write(&path, config.to_string()).with_context(|| path.display().to_string())?;
    Ok(path)
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// The operator, built from what is in the tree now. Built as part of the whole workspace, so that its dependencies are
/// the ones that the tests already compiled.
fn operator_program() -> Result<&'static Path> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    built.as_deref().map_err(|error| anyhow!("{error}"))
}

fn build() -> Result<PathBuf> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--quiet", "--workspace", "--bins"]).current_dir(repository("."));
    program::run(command, None)?.accepted()?;
    // Tests are in target/debug/deps, programs in target/debug.
    let folder = std::env::current_exe()?;
    let folder = folder.parent().and_then(Path::parent).context("the folder of the tests")?;
    Ok(folder.join("peerwright-operator"))
}
