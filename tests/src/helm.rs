//! The real helm, on the charts of the repository.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde::Deserialize as _;
use serde_json::Value;

use crate::{
    program::{self, Answer},
    repository,
};

/// helm, for a cluster or for none.
#[derive(Clone, Debug)]
pub struct Helm {
    program: PathBuf,
    kubeconfig: Option<PathBuf>,
}

impl Helm {
    /// The helm in the file `program`; without a kubeconfig it can only show what it would do.
    pub fn new(program: PathBuf, kubeconfig: Option<PathBuf>) -> Self {
        Self { program, kubeconfig }
    }

    /// Runs it in the folder of the charts.
    ///
    /// # Errors
    /// If it cannot be started; that it ended badly is part of the answer.
    pub fn run(&self, arguments: &[&str]) -> Result<Answer> {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(repository("charts"));
        if let Some(kubeconfig) = &self.kubeconfig {
            command.env("KUBECONFIG", kubeconfig);
        }
        program::run(command, None)
    }

    /// What a chart would make, object by object.
    ///
    /// # Errors
    /// If helm refuses, or prints what is not YAML.
    pub fn template(&self, chart: &str, namespace: &str, values: &[&str]) -> Result<Vec<Value>> {
        let mut arguments = vec!["template", "peerwright", chart, "--namespace", namespace];
        arguments.extend(values.iter().flat_map(|value| ["--set", value]));
        let text = self.run(&arguments)?.accepted()?;
        let documents = serde_yaml::Deserializer::from_str(&text).map(Value::deserialize);
        let objects: Vec<Value> =
            documents.collect::<Result<_, _>>().with_context(|| format!("helm template {chart}"))?;
        Ok(objects.into_iter().filter(|object| !object.is_null()).collect())
    }
}
