//! The real kubectl, and waiting with a deadline.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// How often a condition is looked at while a test waits for it.
const POLL: Duration = Duration::from_millis(50);

/// Runs kubectl; gives what it printed, or what it complained of.
pub(crate) fn try_kubectl(arguments: &[&str], input: Option<&str>) -> Result<String, String> {
    let mut child = Command::new("kubectl")
        .args(arguments)
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kubectl is on the PATH");
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        stdin.write_all(input.as_bytes()).unwrap();
    }
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    if status.success() {
        Ok(String::from_utf8(stdout).unwrap().trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&stderr).trim().to_owned())
    }
}

/// Runs kubectl, which must succeed.
pub(crate) fn kubectl(arguments: &[&str]) -> String {
    try_kubectl(arguments, None).unwrap_or_else(|error| panic!("kubectl {arguments:?}: {error}"))
}

/// `kubectl VERB -f -` with a manifest, which must succeed.
pub(crate) fn kubectl_with(arguments: &[&str], manifest: &str) -> String {
    try_kubectl(arguments, Some(manifest)).unwrap_or_else(|error| panic!("kubectl {arguments:?}: {error}\n{manifest}"))
}

/// Looks until `look` finds something; fails with what was seen last.
pub(crate) fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) if start.elapsed() > limit => panic!("{what}: not within {limit:?}; last seen: {seen}"),
            Err(_) => sleep(POLL),
        }
    }
}

/// As [`wait_for`], for a condition.
pub(crate) fn wait_until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    wait_for(what, limit, || if holds() { Ok(()) } else { Err("no".to_owned()) });
}
