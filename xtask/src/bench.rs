//! `bench`: ours beside others of the kind. The benches are a workspace of their own, so that nothing else compiles what
//! they compare with.

use anyhow::Result;
use clap::ValueEnum;
use peerwright_cluster::{packages, progress};

use crate::images;
use crate::repository::{cargo, path, show, target_folder};

/// What can be asked of the benches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Bench {
    /// 50 nodes in one process beside 50 hosts of libp2p-gossipsub
    Gossip,
    /// Membership and failure detection beside foca, simulated
    Membership,
    /// Replicas, catch-up, lag and submission beside NATS JetStream, PostgreSQL and SQLite
    Replication,
    /// Format, lints and tests of the benches' own code
    Check,
}

/// Measures, or checks; options are the bench's own.
pub(crate) fn run(bench: Bench, options: &[String]) -> Result<()> {
    let manifest = path("bench/Cargo.toml").display().to_string();
    let target = target_folder()?;
    let all = |command: &[&str]| {
        let mut command = cargo(command);
        command.args(["--manifest-path", &manifest]);
        command
    };
    let built = |command: &[&str]| {
        let mut command = all(command);
        command.arg("--target-dir").arg(&target);
        command
    };
    let package = match bench {
        Bench::Gossip => "peerwright-bench-gossip",
        Bench::Membership => "peerwright-bench-membership",
        Bench::Replication => {
            find_rivals();
            "peerwright-bench-replication"
        }
        Bench::Check => {
            show(all(&["fmt", "--all", "--check"]))?;
            let mut clippy = built(&["clippy", "--workspace", "--all-targets"]);
            clippy.args(["--", "--deny", "warnings"]);
            show(clippy)?;
            return show(built(&["test", "--workspace"]));
        }
    };
    let mut command = built(&["run", "--package", package]);
    images::make_static(&mut command)?;
    command.arg("--").arg("--output").arg(target.join("bench")).args(options);
    show(command)
}

/// Installs the servers that the bench compares with, one by one. Without one of them it leaves that column empty.
fn find_rivals() {
    let nats = if packages::has_program("nats-server") { Ok(()) } else { packages::install(&["nats-server"]) };
    for there in [nats, packages::ensure_database()] {
        if let Err(missing) = there {
            progress::say(format!("not compared with: {missing}"));
        }
    }
}
