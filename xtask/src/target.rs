//! Where `up` runs: a cluster of the user's, kind, or one made here without Docker.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use peerwright_cluster::{Cluster, Options, progress};
use serde::{Deserialize, Serialize};

use crate::repository::{self, read, show, succeeds};

/// Name of the kind cluster.
pub(crate) const KIND_CLUSTER: &str = "peerwright";

/// A place to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Target {
    /// This context of the user's kubeconfig.
    Context(String),
    /// A kind cluster. Not exercised by CI, whose machine has no Docker engine.
    Kind,
    /// A cluster of `peerwright-cluster`.
    Native,
}

impl std::fmt::Display for Target {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Context(name) => write!(formatter, "the context {name}"),
            Self::Kind => write!(formatter, "kind"),
            Self::Native => write!(formatter, "a native cluster"),
        }
    }
}

impl Target {
    /// What fits this machine.
    pub(crate) fn that_fits() -> Self {
        if !succeeds("docker", &["info"]) {
            return Self::Native;
        }
        if succeeds("kind", &["version"]) {
            return Self::Kind;
        }
        progress::say("Docker answers but there is no `kind` program: using a native cluster");
        Self::Native
    }

    /// Installs and builds what the start needs, so that what is missing is said first.
    pub(crate) fn prepare(&self) -> Result<()> {
        match self {
            Self::Context(_) => Ok(()),
            Self::Kind if !succeeds("docker", &["info"]) => {
                bail!("no Docker engine answers (`docker info`): start it, or use --native")
            }
            Self::Kind if !succeeds("kind", &["version"]) => {
                bail!("no `kind` program: see https://kind.sigs.k8s.io, or use --native")
            }
            Self::Kind => Ok(()),
            Self::Native => Ok(Cluster::prepare()?),
        }
    }

    /// Starts it, if it does not run; gives the kubeconfig.
    pub(crate) fn start(&self, nodes: u8, folder: &Path) -> Result<PathBuf> {
        match self {
            Self::Context(name) => write_context(name, folder),
            Self::Kind => start_kind(folder),
            Self::Native => Ok(Cluster::whole(Options { nodes, ..Options::default() })?.kubeconfig().to_owned()),
        }
    }

    /// Ends a cluster that [`Target::start`] made.
    pub(crate) fn end(&self) -> Result<()> {
        match self {
            Self::Context(_) => Ok(()),
            Self::Kind => {
                let mut command = Command::new("kind");
                command.args(["delete", "cluster", "--name", KIND_CLUSTER]);
                show(command)
            }
            Self::Native => Ok(Cluster::down()?),
        }
    }
}

/// A kubeconfig with this one context, so that whatever the user switches to later does not matter.
fn write_context(name: &str, folder: &Path) -> Result<PathBuf> {
    let mut command = Command::new("kubectl");
    command.args(["config", "view", "--minify", "--flatten", "--context", name]);
    let text = read(command).with_context(|| format!("the context {name} is not in your kubeconfig"))?;
    let file = folder.join("context.kubeconfig");
    write_private(&file, &text)?;
    Ok(file)
}

fn start_kind(folder: &Path) -> Result<PathBuf> {
    let file = folder.join("kind.kubeconfig");
    let mut list = Command::new("kind");
    list.args(["get", "clusters"]);
    let mut command = Command::new("kind");
    if read(list)?.lines().any(|name| name == KIND_CLUSTER) {
        command.args(["export", "kubeconfig", "--name", KIND_CLUSTER]);
    } else {
        command.args(["create", "cluster", "--name", KIND_CLUSTER, "--wait", "2m", "--config"]);
        command.arg(repository::path("kind-config.yaml"));
    }
    command.arg("--kubeconfig").arg(&file);
    show(command)?;
    Ok(file)
}

/// Writes a file that only its owner can read.
fn write_private(file: &Path, text: &str) -> Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let opened = options.write(true).create(true).truncate(true).mode(0o600).open(file);
    opened.and_then(|mut open| open.write_all(text.as_bytes())).with_context(|| file.display().to_string())
}
