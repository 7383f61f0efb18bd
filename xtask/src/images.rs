//! The project's images: static release programs, put into images by the repository's one Dockerfile.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use peerwright_cluster::images::{Recipe, build};
use peerwright_cluster::{Cluster, progress};

use crate::repository::{self, cargo, read, show, target_folder};
use crate::session::Session;
use crate::target::{KIND_CLUSTER, Target};

/// Both programs; the images are named like them.
pub(crate) const PROGRAMS: [&str; 2] = ["peerwright-operator", "peerwright-node"];

/// Which images changed on the nodes of a running cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) operator: bool,
    pub(crate) node: bool,
}

/// Full name of a program's image.
pub(crate) fn reference(program: &str) -> String {
    format!("docker.io/peerwright/{program}:dev")
}

/// Builds both programs for an image without anything else in it; gives their folder.
pub(crate) fn build_programs() -> Result<PathBuf> {
    build_release(&PROGRAMS)
}

/// Builds static release programs, those for an image and others; gives their folder.
pub(crate) fn build_release(programs: &[&str]) -> Result<PathBuf> {
    progress::say(format!(
        "building {} (release); the first time takes about 9 minutes on 2 cores",
        programs.join(", ")
    ));
    let mut command = cargo(&["build"]);
    make_static(&mut command)?;
    command.args(programs.iter().map(|program| format!("--package={program}")));
    show(command)?;
    Ok(target_folder()?.join(triple()?).join("release"))
}

/// Release programs that need nothing beside them. Whoever asks cargo for them in this way shares what was compiled.
pub(crate) fn make_static(command: &mut Command) -> Result<()> {
    const STATIC: &str = "-C target-feature=+crt-static";
    let triple = triple()?;
    // With --target, the flags reach the programs but not build scripts and macros, which cannot be static. Cargo joins the
    // triple's own flags with those of .cargo/config.toml; RUSTFLAGS, where somebody has set it, takes the place of both.
    command.args(["--release", "--target", &triple]);
    match std::env::var("RUSTFLAGS") {
        Ok(flags) if !flags.is_empty() => command.env("RUSTFLAGS", format!("{flags} {STATIC}")),
        _ => {
            let of_triple = format!("CARGO_TARGET_{}_RUSTFLAGS", triple.to_uppercase().replace('-', "_"));
            command.env_remove("RUSTFLAGS").env(of_triple, STATIC)
        }
    };
    Ok(())
}

fn triple() -> Result<String> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", arch @ ("x86_64" | "aarch64")) => Ok(format!("{arch}-unknown-linux-gnu")),
        (os, arch) => bail!("images are built on Linux on x86_64 or aarch64, this is {os} on {arch}"),
    }
}

/// Brings the images to the nodes, where that is ours to do.
pub(crate) fn load(session: &Session, programs: &Path) -> Result<Changed> {
    match &session.target {
        Target::Context(_) => Ok(Changed::default()),
        Target::Kind => load_kind(programs),
        Target::Native => load_native(programs),
    }
}

fn load_native(programs: &Path) -> Result<Changed> {
    let cluster = Cluster::attach()?;
    let dockerfile = repository::path("Dockerfile");
    let load = |program: &str| -> Result<bool> {
        let archive = build(&Recipe {
            reference: &reference(program),
            dockerfile: &dockerfile,
            arguments: &[("PROGRAM", program)],
            files: &[(program, programs.join(program))],
        })?;
        let bytes = std::fs::metadata(&archive.file).with_context(|| archive.file.display().to_string())?.len();
        progress::say(format!("image of {program}: {}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10));
        Ok(cluster.load_image(&archive)?)
    };
    let [operator, node] = PROGRAMS;
    Ok(Changed { operator: load(operator)?, node: load(node)? })
}

fn load_kind(programs: &Path) -> Result<Changed> {
    let mut changed = [false; 2];
    for (program, changed) in PROGRAMS.iter().zip(&mut changed) {
        let reference = reference(program);
        let before = image_id(&reference);
        let context = tempfile::tempdir()?;
        for file in PROGRAMS {
            std::fs::copy(programs.join(file), context.path().join(file)).with_context(|| file.to_owned())?;
        }
        let mut command = Command::new("docker");
        command.args(["build", "--quiet", "--build-arg", &format!("PROGRAM={program}"), "--tag", &reference, "--file"]);
        command.arg(repository::path("Dockerfile")).arg(context.path());
        read(command)?;
        *changed = image_id(&reference) != before;
        let mut command = Command::new("kind");
        command.args(["load", "docker-image", "--name", KIND_CLUSTER, &reference]);
        read(command)?;
    }
    let [operator, node] = changed;
    Ok(Changed { operator, node })
}

fn image_id(reference: &str) -> Option<String> {
    let mut command = Command::new("docker");
    command.args(["image", "inspect", "--format", "{{.Id}}", reference]);
    read(command).ok()
}
