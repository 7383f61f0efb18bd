//! Runs of test programs. Tests on real sockets, disks and clusters meet what the machine does meanwhile, so the few that
//! fail run once more, one at a time. What passes then is told as flaky, by name and with what it said when it failed; what
//! fails again has failed. A program that does not come to its end is ended, and which of its tests hang counts as failed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use peerwright_cluster::progress;

use crate::repository::{judge, line, show};

/// So many tests of one run may be flaky; more of them are no accident.
const FLAKY_AT_MOST: usize = 3;

/// Options with which cargo ends each test program after so long, and goes on with the next one.
pub(crate) fn within(bound: Duration) -> [String; 2] {
    let runner: Vec<String> = runner(bound).iter().map(|word| format!("'{word}'")).collect();
    ["--config".to_owned(), format!("target.'cfg(unix)'.runner = [{}]", runner.join(", "))]
}

/// What ends a program after so long, with those that it has started.
fn runner(bound: Duration) -> [String; 3] {
    ["timeout".to_owned(), "--verbose".to_owned(), bound.as_secs().to_string()]
}

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
    /// Of the program that runs: how many of its tests have not told their result yet.
    open: Option<usize>,
    /// And which of them have run for a minute.
    slow: Vec<String>,
    /// A program has ended before its time, and not for the sake of tests that are known.
    crashed: bool,
    /// What follows are the failures of a program.
    tells_failures: bool,
    failed: Vec<String>,
}

impl Report {
    fn take(&mut self, printed: &str) {
        if let Some(tests) = announced(printed) {
            self.close();
            self.open = Some(tests);
        } else if printed.starts_with("test result: ") {
            self.open = None;
            self.tells_failures = false;
        } else if printed == "failures:" {
            self.tells_failures = true;
        } else if self.tells_failures {
            let name = printed.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----"));
            self.failed.extend(name.map(str::to_owned));
        } else if let (Some(open), Some(told)) = (&mut self.open, printed.strip_prefix("test ")) {
            if let Some(name) = told.strip_suffix(" has been running for over 60 seconds") {
                self.slow.push(name.to_owned());
            } else if let Some((name, _)) = told.split_once(" ... ") {
                *open = open.saturating_sub(1);
                self.slow.retain(|slow| slow != name);
            }
        }
    }

    /// The program that ran is gone. What had run for long has failed, if nothing else is missing.
    fn close(&mut self) {
        let slow = std::mem::take(&mut self.slow);
        match self.open.take() {
            Some(open) if open == slow.len() && open > 0 => self.failed.extend(slow),
            Some(_) => self.crashed = true,
            None => {}
        }
    }

    /// The failures, if every program came to its end or is known to have hung, and only a few of their tests failed.
    fn worth_another_run(mut self) -> Option<Vec<String>> {
        self.close();
        let few = (1..=FLAKY_AT_MOST).contains(&self.failed.len());
        (few && !self.crashed).then_some(self.failed)
    }
}

/// How many tests a program says that it begins with.
fn announced(printed: &str) -> Option<usize> {
    let count = printed.strip_prefix("running ")?;
    count.strip_suffix(" tests").or_else(|| count.strip_suffix(" test"))?.parse().ok()
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
    fn what_hangs_is_worth_another_run_and_what_had_not_begun_is_not() {
        let hung = "running 2 tests\ntest a has been running for over 60 seconds\ntest b ... ok\n";
        assert_eq!(of(&format!("{hung}{PASSED}")), Some(vec!["a".to_owned()]));
        assert_eq!(of(&format!("{PASSED}{hung}")), Some(vec!["a".to_owned()]));
        assert_eq!(of(&hung.replace('2', "3")), None);
        let slow = format!("{hung}test a ... ok\n\ntest result: ok. 2 passed\n");
        assert_eq!(of(&format!("{slow}{}", failed(1))), Some(vec!["t0".to_owned()]));
    }

    #[test]
    fn a_program_that_hangs_is_ended() -> anyhow::Result<()> {
        let runner = super::runner(std::time::Duration::from_secs(1));
        let status = std::process::Command::new(&runner[0]).args(&runner[1..]).args(["sleep", "60"]).status()?;
        assert_eq!(status.code(), Some(124));
        Ok(())
    }

    #[test]
    fn many_failures_a_crash_and_no_test_at_all_are_failures() {
        assert_eq!(of(&failed(4)), None);
        assert_eq!(of(&format!("{}running 3 tests\ntest a ... ok\n", failed(1))), None);
        assert_eq!(of("error: could not compile"), None);
    }
}
