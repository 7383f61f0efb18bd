//! A session of psql that stays: a question in, its answer out.

use crate::server::{self, As};
use anyhow::{Context as _, Result, ensure};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Printed behind every answer.
const END: &str = "-- answered --";
/// A server that has just started takes sessions within this time.
const TAKING: Duration = Duration::from_secs(20);

/// One session; it ends with its input.
pub(super) struct Session {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Session {
    pub(super) fn connect(psql: &Path, address: SocketAddr) -> Result<Self> {
        let deadline = Instant::now() + TAKING;
        loop {
            let mut session = Self::begin(psql, address)?;
            match session.ask("SELECT 1") {
                Ok(_) => return Ok(session),
                // It listens before it takes sessions.
                Err(_) if Instant::now() < deadline => thread::sleep(Duration::from_millis(20)),
                Err(error) => return Err(error),
            }
        }
    }

    fn begin(psql: &Path, address: SocketAddr) -> Result<Self> {
        let mut command = server::command(psql, As::Oneself);
        command.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]);
        command.args(["--host=127.0.0.1", "--username=bench", "--dbname=postgres"]);
        command.arg(format!("--port={}", address.port()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("psql does not start")?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("psql has no output")?);
        Ok(Self { child, input, output })
    }

    /// Runs a statement; what it prints.
    pub(super) fn ask(&mut self, statement: &str) -> Result<String> {
        self.say(&format!("{statement};\n\\echo '{END}'\n"))?;
        self.answer().with_context(|| format!("psql: {statement}"))
    }

    /// Copies rows, in text format, in one commit.
    pub(super) fn copy_in(&mut self, statement: &str, rows: &str) -> Result<()> {
        self.say(&format!("{statement};\n{rows}\\.\n\\echo '{END}'\n"))?;
        self.answer().with_context(|| format!("psql: {statement}")).map(drop)
    }

    fn say(&mut self, text: &str) -> Result<()> {
        let input = self.input.as_mut().context("the session has ended")?;
        input.write_all(text.as_bytes())?;
        Ok(input.flush()?)
    }

    fn answer(&mut self) -> Result<String> {
        let mut answer = String::new();
        loop {
            let mut line = String::new();
            ensure!(self.output.read_line(&mut line)? > 0, "the statement failed");
            if line.trim_end() == END {
                return Ok(answer.trim_end().to_owned());
            }
            answer.push_str(&line);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.input.take());
        drop(self.child.wait());
    }
}
