//! What the tests on a real cluster share: the real kubectl and helm, manifests to send, and a light cluster with the
//! charts installed, and the operator's process beside it.

#![expect(clippy::indexing_slicing, reason = "a JSON value answers null for what it lacks")]

#[cfg(test)]
mod acceptance;
mod audit;
mod helm;
mod kubectl;
mod light;
pub mod manifests;
mod operator;
mod program;
mod schema;
mod wait;

pub use audit::{Write, writes};
pub use helm::Helm;
pub use kubectl::Kubectl;
pub use light::{Light, OPERATOR_NAMESPACE, light};
pub use operator::{Operator, OperatorOptions};
pub use program::Answer;
pub use schema::{SchemaRule, SpecNumber, rules, spec_numbers};
pub use wait::{Seen, eventually};

use std::path::{Path, PathBuf};

/// A file or folder of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}
