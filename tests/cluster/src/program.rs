//! Runs other programs to their end and turns what went wrong into one error.

use std::ffi::OsStr;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::{ClusterError, Result};

/// Folders that system programs are in, also where the caller's `PATH` leaves out the `sbin` ones.
pub(crate) const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A command for a system program, not started yet.
pub(crate) fn command<S: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(program);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:{SYSTEM_PATH}")).args(arguments).stdin(Stdio::null());
    command
}

/// Runs a program and gives what it printed.
pub(crate) fn run<S: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = S>) -> Result<String> {
    finish(command(program, arguments), None)
}

/// Whether a program can be started and ends well.
pub(crate) fn succeeds<S: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = S>) -> bool {
    run(program, arguments).is_ok()
}

/// Runs a prepared command, giving it `input` if there is any, and gives what it printed.
pub(crate) fn finish(mut command: Command, input: Option<&str>) -> Result<String> {
    let line = line(&command);
    let failed = |source| ClusterError::Start { line: line.clone(), source };
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    if input.is_some() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.spawn().map_err(failed)?;
    if let (Some(text), Some(mut stdin)) = (input, child.stdin.take()) {
        // A program that ends without reading says why in its status; the broken pipe adds nothing.
        let _ = stdin.write_all(text.as_bytes());
    }
    let output = child.wait_with_output().map_err(failed)?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(printed);
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let output_text = if complaint.trim().is_empty() { printed.trim() } else { complaint.trim() };
    Err(ClusterError::Program { line, status: output.status, output: last(output_text, 2000).to_owned() })
}

/// A command as one would type it.
pub(crate) fn line(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}

/// The file of a program on the path, the system folders included.
pub(crate) fn find(program: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{path}:{SYSTEM_PATH}")
        .split(':')
        .filter(|folder| !folder.is_empty())
        .map(|folder| std::path::Path::new(folder).join(program))
        .find(|file| file.is_file())
}

fn last(text: &str, count: usize) -> &str {
    let start = (text.len().saturating_sub(count)..=text.len()).find(|at| text.is_char_boundary(*at));
    start.and_then(|at| text.get(at..)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_program_is_told_with_its_line_and_its_complaint() {
        let error = run("sh", ["-c", "echo wrong thing >&2; exit 3"]).unwrap_err().to_string();
        assert!(error.contains("sh -c") && error.contains("wrong thing") && error.contains('3'), "{error}");
    }

    #[test]
    fn input_reaches_the_program() {
        assert_eq!(finish(command("cat", [""; 0]), Some("hello")).unwrap(), "hello");
    }

    #[test]
    fn the_end_of_a_long_complaint_is_kept_on_a_character_boundary() {
        assert_eq!(last("aé", 1), "aé".get(3..).unwrap());
        assert_eq!(last("abc", 2), "bc");
        assert_eq!(last("", 2), "");
    }
}
