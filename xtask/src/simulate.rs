//! `sim`: the network simulator is a program of its own, built for speed.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use peerwright_cluster::progress;

use crate::images;
use crate::repository::{cargo, read, show, target_folder};

const SIMULATOR: &str = "peerwright-sim";

/// Runs of one trace in every profile.
const TRACED: [&[&str]; 3] = [
    &["--scenario", "swarm", "--nodes", "12", "--seed", "7", "--minutes", "2"],
    &["--scenario", "forger", "--nodes", "12", "--seed", "1", "--minutes", "1"],
    &["--scenario", "spreading-lossy", "--nodes", "200", "--seed", "1", "--minutes", "0.5", "--threads", "1"],
];

/// Seeds of CI, and how long to go on with further ones.
const SEEDS: [&str; 8] = ["--nodes", "30", "--minutes", "5", "--seeds", "1000", "--within", "480"];

/// The large network of CI.
const LARGE: [&str; 6] = ["--scenario", "large", "--nodes", "1000", "--minutes", "0.5"];

/// What has to come out of networks as large as these, and not of larger ones alone.
const GOALS: [&[&str]; 12] = [
    &["--scenario", "upgrade", "--nodes", "9", "--minutes", "3"],
    &["--scenario", "partition", "--nodes", "12"],
    &["--scenario", "forger", "--nodes", "30"],
    &["--scenario", "replayer", "--nodes", "30"],
    &["--scenario", "sybil", "--nodes", "40"],
    &["--scenario", "eclipse", "--nodes", "60"],
    &["--scenario", "traps", "--nodes", "40", "--minutes", "3"],
    &["--scenario", "lookups", "--nodes", "120", "--minutes", "0.2"],
    &["--scenario", "clone", "--nodes", "30", "--minutes", "2"],
    &["--scenario", "equivocator", "--nodes", "30", "--minutes", "2"],
    &["--scenario", "aftermath", "--nodes", "5", "--minutes", "0.2"],
    &["--scenario", "spreading", "--nodes", "1000"],
];

/// glibc puts the hosts of a large network on huge pages: a fifth of the time is saved. Elsewhere it means nothing.
const MALLOC: (&str, &str) = ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");

/// One simulation, or many seeds of one.
pub(crate) fn run(options: &[String]) -> Result<()> {
    let release = images::build_release(&[SIMULATOR])?;
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    show(simulator(&release, &options))
}

/// What CI asks of the simulator.
pub(crate) fn prove() -> Result<()> {
    // Built for the tests beside it, with the features that they are built with.
    show(cargo(&["test", "--workspace", "--no-run", "--test", "determinism"]))?;
    let debug = target_folder()?.join("debug");
    // Together with the programs for images: with the same features, so that what they have in common is compiled once.
    let release = images::build_release(&[&images::PROGRAMS[..], &[SIMULATOR]].concat())?;
    for options in TRACED {
        let (slow, fast) = (trace(&debug, options)?, trace(&release, options)?);
        ensure!(slow == fast, "`{}`: trace {slow} in debug, {fast} in release", options.join(" "));
        progress::say(format!("trace {slow} in debug and release: {}", options.join(" ")));
    }
    for options in GOALS {
        show(simulator(&release, options))?;
    }
    show(simulator(&release, &SEEDS))?;
    show(simulator(&release, &LARGE))
}

fn simulator(folder: &Path, options: &[&str]) -> Command {
    let mut command = Command::new(folder.join(SIMULATOR));
    command.args(options).env(MALLOC.0, MALLOC.1);
    command
}

/// The fingerprint that a run prints. Goals are not met by networks as small as these, and that is not asked.
fn trace(folder: &Path, options: &[&str]) -> Result<String> {
    let mut command = simulator(folder, options);
    command.arg("--goals-aside");
    let printed = read(command)?;
    let behind = printed.rsplit("trace ").next().and_then(|text| text.split(';').next());
    behind.map(str::to_owned).context("the simulator printed no trace")
}
