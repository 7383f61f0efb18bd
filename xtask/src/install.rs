//! The charts in a cluster: definitions and operator, in the namespace `peerwright-system`.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use peerwright_cluster::progress;
use sha2::{Digest as _, Sha256};

use crate::images::Changed;
use crate::repository;
use crate::session::{Made, Session};

/// The operator's namespace.
pub(crate) const NAMESPACE: &str = "peerwright-system";
/// On the namespace: what was installed last. An unchanged chart is not installed again.
const ANNOTATION: &str = "peerwright.dev/installed-charts";
const DEFINITIONS: &str = "peerwright-crds";
const OPERATOR: &str = "peerwright";
const KINDS: [&str; 4] = [
    "crd/peernetworks.peerwright.dev",
    "crd/registersubscriptions.peerwright.dev",
    "crd/peerbans.peerwright.dev",
    "crd/peeroperations.peerwright.dev",
];

/// Installs or upgrades both charts and waits for the operator.
pub(crate) fn install(session: &mut Session, changed: Changed) -> Result<()> {
    make_namespace(session)?;
    let digest = digest()?;
    let ours = ["--namespace", NAMESPACE];
    let operator_was_there = session.helm(&[&["status", OPERATOR][..], &ours].concat()).is_ok();
    let path = format!("jsonpath={{.metadata.annotations['{}']}}", ANNOTATION.replace('.', "\\."));
    let installed = session.kubectl(&["get", "namespace", NAMESPACE, "-o", &path])?;
    if installed != digest || !operator_was_there {
        if session.kubectl(&[&["get"][..], &KINDS].concat()).is_err() {
            session.note(Made::Definitions)?;
        }
        upgrade(session, DEFINITIONS)?;
        session.kubectl(&[&["wait", "--for=condition=Established", "--timeout=60s"][..], &KINDS].concat())?;
        if !operator_was_there {
            session.note(Made::Operator)?;
        }
        upgrade(session, OPERATOR)?;
        session.kubectl(&["annotate", "--overwrite", "namespace", NAMESPACE, &format!("{ANNOTATION}={digest}")])?;
        progress::say("charts installed");
    }
    let deployment = "deployment/peerwright-operator";
    if changed.operator && operator_was_there {
        session.kubectl(&[&["rollout", "restart", deployment][..], &ours].concat())?;
        progress::say("the operator's image changed: its pods restart");
    }
    session.kubectl(&[&["rollout", "status", deployment, "--timeout=180s"][..], &ours].concat())?;
    progress::say("the operator is ready");
    Ok(())
}

/// Removes what [`install`] made.
pub(crate) fn remove(session: &Session) -> Result<()> {
    let ours = ["--namespace", NAMESPACE];
    if session.made.contains(&Made::Operator) {
        session.helm(&[&["uninstall", OPERATOR, "--ignore-not-found", "--wait"][..], &ours].concat())?;
    }
    if session.made.contains(&Made::Definitions) {
        if networks_are_left(session) {
            progress::say("there are other networks: the definitions stay");
        } else {
            session.helm(&[&["uninstall", DEFINITIONS, "--ignore-not-found"][..], &ours].concat())?;
            session.kubectl(&[&["delete", "--ignore-not-found"][..], &KINDS].concat())?;
        }
    }
    if session.made.contains(&Made::Namespace) {
        session.kubectl(&["delete", "namespace", NAMESPACE, "--ignore-not-found"])?;
    }
    Ok(())
}

fn networks_are_left(session: &Session) -> bool {
    session
        .kubectl(&["get", "peernetworks.peerwright.dev", "--all-namespaces", "-o", "name"])
        .is_ok_and(|names| !names.is_empty())
}

fn make_namespace(session: &mut Session) -> Result<()> {
    if session.kubectl(&["get", "namespace", NAMESPACE]).is_ok() {
        return Ok(());
    }
    session.note(Made::Namespace)?;
    session.kubectl(&["create", "namespace", NAMESPACE])?;
    session.kubectl(&["label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted"]).map(drop)
}

fn upgrade(session: &Session, chart: &str) -> Result<()> {
    let folder = format!("charts/{chart}");
    session.helm(&["upgrade", "--install", chart, &folder, "--namespace", NAMESPACE]).map(drop)
}

/// Digest of both charts' files.
fn digest() -> Result<String> {
    let mut files = Vec::new();
    for chart in [DEFINITIONS, OPERATOR] {
        collect(repository::path("charts").join(chart), &mut files)?;
    }
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        hash.update(file.to_string_lossy().as_bytes());
        hash.update(std::fs::read(&file).with_context(|| file.display().to_string())?);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn collect(folder: PathBuf, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect(entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}
