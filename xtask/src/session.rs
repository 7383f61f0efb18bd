//! What `up` has made, remembered for the other commands, and kubectl and helm for it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use peerwright_cluster::{Binaries, Cluster, binaries};
use serde::{Deserialize, Serialize};

use crate::repository::{read, succeeds};
use crate::target::Target;

/// What `up` put into a cluster that it did not make, and that `down` takes out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Made {
    /// Custom resource definitions.
    Definitions,
    /// The operator's namespace.
    Namespace,
    /// The operator.
    Operator,
    /// The demo network and its ServiceAccount.
    Demo,
}

/// A started `up`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) target: Target,
    kubeconfig: PathBuf,
    #[serde(default)]
    pub(crate) made: Vec<Made>,
}

impl Session {
    /// A session that has made nothing yet.
    pub(crate) fn new(target: Target, kubeconfig: PathBuf) -> Self {
        Self { target, kubeconfig, made: Vec::new() }
    }

    /// The session that the last `up` has begun, if there is one and its cluster is not gone.
    pub(crate) fn find() -> Option<Self> {
        let session: Self = serde_json::from_str(&std::fs::read_to_string(file()).ok()?).ok()?;
        (session.target != Target::Native || Cluster::exists()).then_some(session)
    }

    /// The session, or a line that there is none.
    pub(crate) fn current() -> Result<Self> {
        Self::find().context("nothing is up; `cargo xtask up` starts it")
    }

    /// Remembers it.
    pub(crate) fn save(&self) -> Result<()> {
        let file = file();
        std::fs::create_dir_all(folder()).with_context(|| folder().display().to_string())?;
        std::fs::write(&file, serde_json::to_string_pretty(self)?).with_context(|| file.display().to_string())
    }

    /// Remembers that this was made here; what was there before is not.
    pub(crate) fn note(&mut self, made: Made) -> Result<()> {
        if !self.made.contains(&made) {
            self.made.push(made);
        }
        self.save()
    }

    /// Forgets it.
    pub(crate) fn forget() {
        for name in ["up.json", "context.kubeconfig", "kind.kubeconfig"] {
            // What is not there needs no removal.
            let _ = std::fs::remove_file(folder().join(name));
        }
    }

    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Folder of the programs that were built for the session; none where the user's own are used.
    pub(crate) fn programs(&self) -> Result<Option<PathBuf>> {
        let own = self.target != Target::Native
            && succeeds("kubectl", &["version", "--client"])
            && succeeds("helm", &["version"]);
        if own {
            return Ok(None);
        }
        Ok(Some(Binaries::ensure(binaries::CLIENTS)?.folder().to_owned()))
    }

    /// `PATH` with those programs first.
    pub(crate) fn path(&self) -> Result<String> {
        let path = std::env::var("PATH").unwrap_or_default();
        Ok(self.programs()?.map_or(path.clone(), |folder| format!("{}:{path}", folder.display())))
    }

    /// Runs kubectl; gives what it printed.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        read(self.command("kubectl", arguments)?)
    }

    /// Runs helm; gives what it printed.
    pub(crate) fn helm(&self, arguments: &[&str]) -> Result<String> {
        read(self.command("helm", arguments)?)
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Result<Command> {
        let program = self.programs()?.map_or_else(|| PathBuf::from(program), |folder| folder.join(program));
        let mut command = Command::new(program);
        command.args(arguments).env("KUBECONFIG", &self.kubeconfig).current_dir(crate::repository::path("."));
        Ok(command)
    }
}

/// Folder for what is remembered.
pub(crate) fn folder() -> PathBuf {
    binaries::cache()
}

fn file() -> PathBuf {
    folder().join("up.json")
}

/// The session that `up` is to use: what was begun, unless something else is asked for.
pub(crate) fn target_for(asked: Option<Target>) -> Result<Target> {
    match (Session::find(), asked) {
        (Some(begun), Some(asked)) if begun.target != asked => {
            bail!("`up` runs in {}; `cargo xtask down` ends that before it can run in {asked}", begun.target)
        }
        (Some(begun), _) => Ok(begun.target),
        (None, Some(asked)) => Ok(asked),
        (None, None) => Ok(Target::that_fits()),
    }
}
