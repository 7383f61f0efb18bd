//! Files that come from Rust types: written, or checked to be current.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use peerwright_cluster::progress;

use crate::repository::{self, cargo, read, target_folder};

/// Folders whose YAML files and pages are all generated.
const FOLDERS: [&str; 3] = ["crds/yaml", "charts/peerwright-crds/templates", "docs/reference"];

/// Writes the files; with `check`, only says which are not current.
pub(crate) fn run(check: bool) -> Result<()> {
    let fresh = tempfile::tempdir()?;
    generate(fresh.path())?;
    let mut different = Vec::new();
    for folder in FOLDERS {
        let wanted = files(&fresh.path().join(folder))?;
        for name in &wanted {
            let new = std::fs::read(fresh.path().join(folder).join(name))?;
            let target = repository::path(folder).join(name);
            if std::fs::read(&target).ok().as_deref() != Some(&new) {
                different.push(format!("{folder}/{name}"));
                if !check {
                    std::fs::create_dir_all(repository::path(folder))?;
                    std::fs::write(&target, new).with_context(|| target.display().to_string())?;
                }
            }
        }
        for name in files(&repository::path(folder))?.iter().filter(|name| !wanted.contains(name)) {
            different.push(format!("{folder}/{name}"));
            if !check {
                std::fs::remove_file(repository::path(folder).join(name))?;
            }
        }
    }
    match (different.is_empty(), check) {
        (true, _) => progress::say("generated files are current"),
        (false, false) => progress::say(format!("written: {}", different.join(", "))),
        (false, true) => bail!("not current: {}; `cargo xtask generate` writes them", different.join(", ")),
    }
    Ok(())
}

/// Built as the tests are, so that dependencies are compiled once for both.
fn generate(folder: &Path) -> Result<()> {
    repository::show(cargo(&["build", "--workspace", "--example", "generated"]))?;
    let mut command = std::process::Command::new(target_folder()?.join("debug/examples/generated"));
    command.arg(folder);
    read(command).map(drop)
}

fn files(folder: &Path) -> Result<Vec<String>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        names.extend(
            entry?.file_name().into_string().ok().filter(|name| name.ends_with(".yaml") || name.ends_with(".md")),
        );
    }
    names.sort();
    Ok(names)
}
