//! `test`: everything that proves the project, in order. Stops at the first step that fails; a cluster that a step started
//! is ended either way.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::ValueEnum;
use peerwright_cluster::{Binaries, Cluster, binaries, packages, progress};
use serde_json::Value;

use crate::ahead::Ahead;
use crate::repository::{self, cargo, metadata, show};
use crate::session::Session;
use crate::target::Target;
use crate::{again, demo, deny, generate, simulate, up};

/// Test targets that need a cluster; each has a step of its own.
const CLUSTER_TESTS: [&str; 2] = ["light", "whole"];

/// No program of unit tests takes as long, nor does either suite: more than twice what the longest needs on two busy processors.
const UNIT_WITHIN: Duration = Duration::from_secs(15 * 60);
const SUITE_WITHIN: Duration = Duration::from_secs(40 * 60);

/// Modules of the whole suite that disturb nothing outside their own namespaces: most of their time is waiting, so two of
/// their tests run at once.
const APART: [&str; 8] =
    ["bans::", "database::", "hubs::", "lifecycle::", "malice::", "strangers::", "subscriptions::", "transactions::"];

/// A step of the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// Formatting
    Fmt,
    /// Lints, warnings refused
    Clippy,
    /// Generated files are current
    Generated,
    /// Every test that needs no cluster
    Unit,
    /// The network simulator: one trace in every profile, many seeds, 1,000 nodes
    Sim,
    /// Lint of both charts
    Charts,
    /// Tests on etcd, API server and controller-manager
    Light,
    /// Licences, refused and doubled crates
    Deny,
    /// Tests on a whole cluster with the operator and the demo network
    Whole,
}

/// Runs the steps, or those named.
pub(crate) fn run(only: &[Step]) -> Result<()> {
    let (mut times, mut flaky): (Vec<(Step, Duration)>, Vec<String>) = (Vec::new(), Vec::new());
    // A single step asks for what it needs itself.
    if only.is_empty() {
        // What no step can build is missed now, and not an hour later.
        Cluster::require()?;
        packages::ensure_database()?;
    }
    let _ahead = only.is_empty().then(Ahead::begin).transpose()?;
    for step in Step::value_variants().iter().filter(|step| only.is_empty() || only.contains(step)) {
        progress::say(format!("== {}", name(*step)));
        let began = Instant::now();
        let ended = step.run();
        times.push((*step, began.elapsed()));
        if ended.is_err() {
            summarize(&times, "FAILED");
        }
        flaky.extend(ended.with_context(|| format!("step `{}`", name(*step)))?);
    }
    summarize(&times, "ok");
    for test in flaky {
        progress::say(format!("  FLAKY: {test} failed once, and passed alone"));
    }
    Ok(())
}

impl Step {
    /// Gives the tests that failed at first and then passed.
    fn run(self) -> Result<Vec<String>> {
        let done = match self {
            Self::Unit => return unit_tests(),
            Self::Light => return light_tests(),
            Self::Whole => return whole_tests(),
            Self::Fmt => show(cargo(&["fmt", "--all", "--check"])),
            Self::Clippy => show(cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])),
            Self::Generated => generate::run(true),
            Self::Deny => deny::check(),
            Self::Charts => lint_charts(),
            Self::Sim => simulate::prove(),
        };
        done.map(|()| Vec::new())
    }
}

fn name(step: Step) -> String {
    step.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// Time of every step; the last one ended as `last` says.
fn summarize(times: &[(Step, Duration)], last: &str) {
    progress::say("== time of each step");
    for (place, (step, time)) in times.iter().enumerate() {
        let result = if place + 1 == times.len() { last } else { "ok" };
        progress::say(format!("  {:<10} {:>6.1} s  {result}", name(*step), time.as_secs_f64()));
    }
}

fn lint_charts() -> Result<()> {
    let mut command = Command::new(Binaries::ensure(binaries::CLIENTS)?.path("helm"));
    command
        .args(["lint", "--strict", "charts/peerwright-crds", "charts/peerwright"])
        .current_dir(repository::path("."));
    show(command)
}

/// Always the whole workspace: a package on its own would ask for other features, and dependencies be compiled again.
fn unit_tests() -> Result<Vec<String>> {
    packages::ensure_database()?;
    let targets = test_targets()?;
    let tests = |arguments: &[&str]| {
        let mut command = cargo(&["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--examples"]);
        command.args(again::within(UNIT_WITHIN));
        for test in targets.iter().filter(|name| !CLUSTER_TESTS.contains(&name.as_str())) {
            command.args(["--test", test]);
        }
        command.arg("--").args(arguments);
        command
    };
    let flaky = again::run(tests, &[])?;
    show(cargo(&["test", "--workspace", "--doc"]))?;
    Ok(flaky)
}

fn light_tests() -> Result<Vec<String>> {
    Binaries::ensure(binaries::LIGHT)?;
    again::run(|arguments| cluster_tests("light", arguments), &[])
}

fn cluster_tests(suite: &str, arguments: &[&str]) -> Command {
    let mut command = cargo(&["test", "--workspace", "--test", suite]);
    command.args(again::within(SUITE_WITHIN)).arg("--").args(arguments);
    command
}

/// The tests attach to the cluster; those that disturb it run one at a time.
fn whole_tests() -> Result<Vec<String>> {
    packages::ensure_database()?;
    show(cargo(&["test", "--workspace", "--test", "whole", "--no-run"]))?;
    let was_up = Cluster::exists();
    let ended = up::start(Some(Target::Native), 3).and_then(|session| run_whole(&session));
    if was_up {
        progress::say("the cluster was up before and stays");
        return ended;
    }
    match (ended, up::down()) {
        (Ok(flaky), down) => {
            down?;
            let left = Cluster::remains()?;
            ensure!(left.is_empty(), "`down` has left {}", left.join(", "));
            Ok(flaky)
        }
        (Err(failure), Ok(())) => Err(failure),
        (Err(failure), Err(down)) => bail!("{failure:#}; and `down` failed too: {down:#}"),
    }
}

fn run_whole(session: &Session) -> Result<Vec<String>> {
    let path = session.path()?;
    let tests = |arguments: &[&str]| {
        let mut command = cluster_tests("whole", arguments);
        command.env("KUBECONFIG", session.kubeconfig()).env("PATH", &path);
        command
    };
    let disturbing: Vec<&str> = APART.iter().flat_map(|module| ["--skip", module]).collect();
    let mut flaky = Vec::new();
    for (threads, which) in [("--test-threads=2", &APART[..]), ("--test-threads=1", &disturbing)] {
        flaky.extend(again::run(tests, &[&[threads, "--show-output"], which].concat())?);
    }
    progress::say("what `up` prints to try is tried");
    demo::try_it(session)?;
    let before = demo::what_stays(session)?;
    up::start(Some(Target::Native), 3)?;
    let after = demo::what_stays(session)?;
    ensure!(before == after, "a second `up` has changed something:\n{before}became\n{after}");
    Ok(flaky)
}

/// Names of the workspace's integration tests.
fn test_targets() -> Result<Vec<String>> {
    let metadata = metadata()?;
    let list = |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut names = Vec::new();
    for target in list(&metadata, "packages").iter().flat_map(|package| list(package, "targets")) {
        if list(&target, "kind").contains(&Value::from("test")) {
            names.extend(target.get("name").and_then(Value::as_str).map(str::to_owned));
        }
    }
    names.sort();
    names.dedup();
    // A step that finds no tests would prove nothing.
    if names.iter().any(|name| CLUSTER_TESTS.contains(&name.as_str())) {
        return Ok(names);
    }
    bail!("the workspace has no test named {}", CLUSTER_TESTS.join(" or "))
}
