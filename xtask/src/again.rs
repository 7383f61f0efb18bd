//! Runs of test programs. Tests on real sockets, disks and clusters meet what the machine does meanwhile, so the few that
//! fail run once more, one at a time. What passes then is told as flaky, by name and with what it said when it failed; what
//! fails again has failed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use peerwright_cluster::progress;

use crate::repository::{judge, line, show};

/// So many tests of one run may be flaky; more of them are no accident.
const FLAKY_AT_MOST: usize = 3;

/// Runs the tests that `with` gives the command for, from the arguments for the test programs. Gives the names of those
/// that failed at first.
pub(crate) fn run(with: impl Fn(&[&str]) -> Command, arguments: &[&str]) -> Result<Vec<String>> {
    let mut report = Report::default();
    let Err(failure) = follow(with(arguments), &mut report) else { return Ok(Vec::new()) };
    let Some(failed) = report.worth_another_run() else { return Err(failure) };
    progress::say(format!("once more, one at a time: {}", failed.join(", ")));
    let mut alone = vec!["--test-threads=1", "--exact"];
    alone.extend(failed.iter().map(String::as_str));
    show(with(&alone))?;
    Ok(failed)
}

/// Shows what a command prints, and reads along.
fn follow(mut command: Command, report: &mut Report) -> Result<()> {
    let line = line(&command);
    let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = started.with_context(|| format!("`{line}` cannot be started"))?;
    if let Some(output) = child.stdout.take() {
        for printed in BufReader::new(output).split(b'\n') {
            let printed = printed.with_context(|| format!("what `{line}` prints cannot be read"))?;
            let printed = String::from_utf8_lossy(&printed);
            writeln!(std::io::stdout(), "{printed}")?;
            report.take(&printed);
        }
    }
    judge(&line, child.wait()?)
}

/// What test programs have printed.
#[derive(Debug, Default)]
struct Report {
    began: usize,
    ended: usize,
    /// What follows are the failures of a program.
    tells_failures: bool,
    failed: Vec<String>,
}

impl Report {
    fn take(&mut self, printed: &str) {
        if printed.starts_with("running ") && (printed.ends_with(" tests") || printed.ends_with(" test")) {
            self.began += 1;
        } else if printed.starts_with("test result: ") {
            self.ended += 1;
            self.tells_failures = false;
        } else if printed == "failures:" {
            self.tells_failures = true;
        } else if self.tells_failures
            && let Some(name) = printed.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----"))
        {
            self.failed.push(name.to_owned());
        }
    }

    /// The failures, if every program came to its end and only a few of their tests failed.
    fn worth_another_run(self) -> Option<Vec<String>> {
        let few = (1..=FLAKY_AT_MOST).contains(&self.failed.len());
        (few && self.began == self.ended).then_some(self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::Report;

    fn of(printed: &str) -> Option<Vec<String>> {
        let mut report = Report::default();
        printed.lines().for_each(|line| report.take(line));
        report.worth_another_run()
    }

    const PASSED: &str =
        "running 1 test\ntest a ... ok\n\nsuccesses:\n\n---- a stdout ----\nx\n\ntest result: ok. 1 passed\n";

    fn failed(tests: usize) -> String {
        let heads: String = (0..tests).map(|test| format!("---- t{test} stdout ----\npanicked\n\n")).collect();
        format!("running 9 tests\n\nfailures:\n\n{heads}\nfailures:\n    t0\n\ntest result: FAILED. 8 passed\n")
    }

    #[test]
    fn a_few_failures_are_worth_another_run() {
        assert_eq!(of(&format!("{PASSED}{}{PASSED}", failed(2))), Some(vec!["t0".to_owned(), "t1".to_owned()]));
        assert_eq!(of(&failed(3)).map(|names| names.len()), Some(3));
    }

    #[test]
    fn many_failures_a_crash_and_no_test_at_all_are_failures() {
        assert_eq!(of(&failed(4)), None);
        assert_eq!(of(&format!("{}running 3 tests\ntest a ... ok\n", failed(1))), None);
        assert_eq!(of("error: could not compile"), None);
    }
}
