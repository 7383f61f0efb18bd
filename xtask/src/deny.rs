//! `deny`: licences, refused and doubled crates, and where crates come from. cargo-deny says; where it is not installed it
//! is built once, into the cache.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use peerwright_cluster::{binaries, progress};

use crate::repository::{self, cargo, read, show, succeeds};

const PROGRAM: &str = "cargo-deny";
/// The version that is built here. Whoever has installed one has chosen another.
const VERSION: &str = "0.20.2";

/// Checks what needs no network.
pub(crate) fn check() -> Result<()> {
    let mut command = Command::new(ensure()?);
    command.args(["--workspace", "check", "bans", "licenses", "sources"]).current_dir(repository::path("."));
    show(command)?;
    progress::say("advisories are not checked here: `cargo deny check advisories` does, and fetches their database");
    Ok(())
}

/// The program; installed, found in the cache, or built into it.
pub(crate) fn ensure() -> Result<PathBuf> {
    if succeeds(PROGRAM, &["--version"]) {
        return Ok(PROGRAM.into());
    }
    let folder = binaries::cache().join(format!("{PROGRAM}-{VERSION}"));
    let program = folder.join("bin").join(PROGRAM);
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let lock_file = folder.join(".lock");
    let lock = std::fs::File::create(&lock_file).with_context(|| lock_file.display().to_string())?;
    lock.lock().with_context(|| lock_file.display().to_string())?;
    if !program.exists() {
        build(&folder).context("cargo-deny cannot be built; `cargo install cargo-deny` may say why")?;
    }
    Ok(program)
}

/// Without optimisation: it runs for seconds, and nobody waits for the compiler.
fn build(folder: &Path) -> Result<()> {
    progress::say(format!("building {PROGRAM} {VERSION}; this once, about 3 minutes on 2 cores"));
    let objects = tempfile::tempdir_in(folder)?;
    let mut command = cargo(&["install", PROGRAM, "--version", VERSION, "--locked", "--debug", "--no-track", "--root"]);
    command.arg(folder).arg("--target-dir").arg(objects.path());
    command.env("CARGO_PROFILE_DEV_DEBUG", "0");
    read(command).map(drop)
}
