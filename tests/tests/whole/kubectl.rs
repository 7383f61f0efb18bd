//! The real kubectl of the session that runs the suite, and waiting with a deadline, as a test that fails by panicking.

use std::{
    io::{BufRead, BufReader, Lines},
    process::{Child, ChildStdout},
    sync::LazyLock,
    time::Duration,
};

use peerwright_tests::{Kubectl, Seen, eventually};
use serde_json::Value;

static KUBECTL: LazyLock<Kubectl> = LazyLock::new(|| Kubectl::of_the_session().unwrap());

/// Runs kubectl; gives what it printed, or what it complained of.
pub(crate) fn try_kubectl(arguments: &[&str]) -> Result<String, String> {
    let answer = KUBECTL.run(arguments).unwrap();
    answer.accepted().map(|output| output.trim().to_owned()).map_err(|error| error.to_string())
}

/// Runs kubectl, which must succeed.
pub(crate) fn kubectl(arguments: &[&str]) -> String {
    try_kubectl(arguments).unwrap_or_else(|error| panic!("{error}"))
}

/// `kubectl VERB -f -` with a manifest, which must succeed.
pub(crate) fn send(arguments: &[&str], manifest: &Value) -> String {
    KUBECTL.send(arguments, manifest).unwrap().accepted().unwrap().trim().to_owned()
}

/// A kubectl that watches, ended when this is dropped.
pub(crate) struct Watching(Child);

impl Drop for Watching {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// What kubectl sees, and every change of that: a process for all of them, where looking again and again would take one
/// each time.
pub(crate) fn watch(arguments: &[&str]) -> (Lines<BufReader<ChildStdout>>, Watching) {
    let mut kubectl = KUBECTL.watch(arguments).unwrap();
    (BufReader::new(kubectl.stdout.take().unwrap()).lines(), Watching(kubectl))
}

/// Looks until `look` finds something; fails with what was seen last.
pub(crate) fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Result<T, String>) -> T {
    eventually(limit, what, || Ok(look().map_or_else(Seen::NotYet, Seen::There))).unwrap()
}

/// As [`wait_for`], for a condition.
pub(crate) fn wait_until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    wait_for(what, limit, || if holds() { Ok(()) } else { Err("no".to_owned()) });
}
