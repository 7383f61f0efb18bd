//! The repository, and programs that are run in it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result, bail};

/// A file or folder of the repository.
pub(crate) fn path(relative: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    root.join(relative)
}

/// cargo in the repository, without what the cargo that runs this has set for this program alone: build scripts would
/// take it for a change.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(path("."));
    for (name, _) in std::env::vars_os() {
        let own = name.to_str().is_some_and(|name| {
            name == "CARGO"
                || ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"]
                    .iter()
                    .any(|start| name.starts_with(start))
        });
        if own {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a program that shows its output itself.
pub(crate) fn show(mut command: Command) -> Result<()> {
    let line = line(&command);
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("`{line}` cannot be started"))?;
    judge(&line, status)
}

/// How a program that was called like this has ended.
pub(crate) fn judge(line: &str, status: ExitStatus) -> Result<()> {
    if status.success() { Ok(()) } else { bail!("`{line}` failed ({status})") }
}

/// Runs a program and gives what it printed; its complaints are part of the error.
pub(crate) fn read(mut command: Command) -> Result<String> {
    let line = line(&command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("`{line}` cannot be started"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    bail!("`{line}` failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim())
}

/// Whether a program can be started and ends well.
pub(crate) fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let status =
        Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// cargo's target folder.
pub(crate) fn target_folder() -> Result<PathBuf> {
    Ok(PathBuf::from(
        metadata()?
            .get("target_directory")
            .and_then(serde_json::Value::as_str)
            .context("cargo metadata names no target folder")?,
    ))
}

/// What cargo knows of the workspace's own packages.
pub(crate) fn metadata() -> Result<serde_json::Value> {
    let text = read(cargo(&["metadata", "--no-deps", "--format-version=1"]))?;
    serde_json::from_str(&text).context("cargo metadata is no JSON")
}

/// A program as it is called.
pub(crate) fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
