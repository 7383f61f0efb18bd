//! The real kubectl, as its user meets it.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::program::{self, Answer};

/// kubectl with one kubeconfig.
#[derive(Clone, Debug)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
}

impl Kubectl {
    /// The kubectl in the file `program`.
    pub fn new(program: PathBuf, kubeconfig: PathBuf) -> Self {
        Self { program, kubeconfig }
    }

    /// The kubectl on the `PATH` with the kubeconfig that `KUBECONFIG` names, as `cargo xtask test` sets them.
    ///
    /// # Errors
    /// `KUBECONFIG` is not set.
    pub fn of_the_session() -> Result<Self> {
        let kubeconfig = std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty());
        let kubeconfig = kubeconfig.context("KUBECONFIG is not set: export KUBECONFIG=$(cargo xtask kubeconfig)")?;
        Ok(Self::new(PathBuf::from("kubectl"), PathBuf::from(kubeconfig)))
    }

    /// Runs it.
    ///
    /// # Errors
    /// If it cannot be started; that it ended badly is part of the answer.
    pub fn run(&self, arguments: &[&str]) -> Result<Answer> {
        program::run(self.command(arguments), None)
    }

    /// Runs it with a manifest on its standard input.
    ///
    /// # Errors
    /// As [`Kubectl::run`].
    pub fn send(&self, arguments: &[&str], manifest: &Value) -> Result<Answer> {
        program::run(self.command(arguments), Some(&manifest.to_string()))
    }

    /// Starts one that prints what it sees, and every change of that, until it is killed.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn watch(&self, arguments: &[&str]) -> Result<Child> {
        let mut command = self.command(arguments);
        command.arg("--watch").stdin(Stdio::null()).stdout(Stdio::piped());
        command.spawn().context("kubectl cannot be started")
    }

    /// What it prints, which is to be JSON.
    ///
    /// # Errors
    /// If it ends badly or prints something else.
    pub fn json(&self, arguments: &[&str]) -> Result<Value> {
        let all: Vec<&str> = arguments.iter().copied().chain(["-o", "json"]).collect();
        serde_json::from_str(&self.run(&all)?.accepted()?).with_context(|| format!("kubectl {}", all.join(" ")))
    }

    /// Whether `user` may do something; the words of the question are those of `kubectl auth can-i`.
    ///
    /// # Errors
    /// If the answer is neither yes nor no.
    pub fn can_i(&self, user: &str, question: &[&str]) -> Result<bool> {
        let user = format!("--as={user}");
        let all: Vec<&str> = ["auth", "can-i", user.as_str()].iter().chain(question).copied().collect();
        let answer = self.run(&all)?;
        match answer.output.trim().split(' ').next() {
            Some("yes") => Ok(true),
            Some("no") => Ok(false),
            _ => Err(answer.accepted().err().unwrap_or_else(|| anyhow::anyhow!("kubectl auth can-i said nothing"))),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).env("KUBECONFIG", &self.kubeconfig);
        command
    }
}
