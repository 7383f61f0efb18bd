//! Runs a program to its end and keeps all that it said.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// How a program ended and what it said.
#[derive(Clone, Debug)]
pub struct Answer {
    line: String,
    succeeded: bool,
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub complaint: String,
}

impl Answer {
    /// What it printed, if it ended well.
    ///
    /// # Errors
    /// If it did not.
    pub fn accepted(self) -> Result<String> {
        if self.succeeded {
            return Ok(self.output);
        }
        bail!("`{}` failed: {}{}", self.line, self.output, self.complaint)
    }

    /// Why it ended badly.
    ///
    /// # Errors
    /// If it ended well.
    pub fn refused(self) -> Result<String> {
        if self.succeeded {
            bail!("`{}` was to be refused and was not: {}", self.line, self.output);
        }
        Ok(self.complaint)
    }
}

/// Runs a program, with `input` on its standard input if there is any.
pub(crate) fn run(mut command: Command, input: Option<&str>) -> Result<Answer> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{line}` cannot be started"))?;
    if let (Some(text), Some(mut stdin)) = (input, child.stdin.take()) {
        // A program that ends without reading says why in its status; the broken pipe adds nothing.
        let _ = stdin.write_all(text.as_bytes());
    }
    let output = child.wait_with_output().with_context(|| format!("`{line}` cannot be awaited"))?;
    Ok(Answer {
        line,
        succeeded: output.status.success(),
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
        complaint: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
