//! `bench`: ours beside others of the kind. The benches are a workspace of their own, so that nothing else compiles what
//! they compare with.

use anyhow::Result;
use clap::ValueEnum;

use crate::repository::{cargo, path, show, target_folder};

/// What can be asked of the benches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Bench {
    /// 50 nodes in one process beside 50 hosts of libp2p-gossipsub
    Gossip,
    /// Membership and failure detection beside foca, simulated
    Membership,
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
        Bench::Check => {
            show(all(&["fmt", "--check"]))?;
            let mut clippy = built(&["clippy", "--workspace", "--all-targets"]);
            clippy.args(["--", "--deny", "warnings"]);
            show(clippy)?;
            return show(built(&["test", "--workspace"]));
        }
    };
    let mut command = built(&["run", "--quiet", "--release", "--package", package]);
    command.arg("--").arg("--output").arg(target.join("bench")).args(options);
    show(command)
}
