//! kubectl of a cluster: run, with input, and with its answer as JSON.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::{ClusterError, Result, program, progress};

/// kubectl with the administrator's kubeconfig.
#[derive(Clone, Debug)]
pub(crate) struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
}

impl Kubectl {
    pub(crate) fn new(program: PathBuf, kubeconfig: PathBuf) -> Self {
        Self { program, kubeconfig }
    }

    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    pub(crate) fn run(&self, arguments: &[&str], input: Option<&str>) -> Result<String> {
        let mut command = program::command(&self.program.to_string_lossy(), arguments);
        command.env("KUBECONFIG", &self.kubeconfig);
        program::finish(command, input)
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Result<Value> {
        let mut all = arguments.to_vec();
        all.extend(["-o", "json"]);
        let text = self.run(&all, None)?;
        serde_json::from_str(&text)
            .map_err(|source| ClusterError::Document { what: format!("kubectl {}", all.join(" ")), source })
    }

    /// Waits until the API server says that it is ready.
    pub(crate) fn wait_until_ready(&self, limit: Duration) -> bool {
        progress::wait_until(limit, || self.is_ready())
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.run(&["get", "--raw", "/readyz", "--request-timeout=3s"], None).is_ok()
    }
}
