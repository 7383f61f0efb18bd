//! Probes are processes: each has its memory and its CPU time to itself, and a network namespace in which nothing but its
//! own loopback is.
//!
//! ```text
//!  bench ── this program again: probe ... ─▶ unshare ─▶ loopback up ─▶ probe ── one line ─▶ bench
//! ```

use anyhow::{Context as _, Result, bail};
use std::{
    env,
    io::Read as _,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How often an unfinished probe is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// In the namespace: loopback up, then what is to run.
const ENTER: &str = "ip link set lo up && exec \"$0\" \"$@\"";

/// Where probes run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a namespace: what its loopback carries is the probe's.
    Apart,
    /// On the host's loopback, which others use as well: bytes are not counted.
    Shared,
}

impl Place {
    /// A namespace if this machine lets us make one.
    #[must_use]
    pub fn find() -> Self {
        let mut command = apart("true");
        let made = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if made.is_ok_and(|status| status.success()) { Self::Apart } else { Self::Shared }
    }

    /// Runs this program's hidden command `probe` to its end, and gives the line that it printed. One that takes longer
    /// than `limit` is ended.
    pub fn run(self, options: &[(&str, String)], limit: Duration) -> Result<String> {
        let program = env::current_exe().context("this program has no path")?;
        let program = program.to_str().context("this program's path is no text")?;
        let mut command = match self {
            Self::Apart => apart(program),
            Self::Shared => Command::new(program),
        };
        command.arg("probe");
        for (option, value) in options {
            command.args([option, value.as_str()]);
        }
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("a probe does not start")?;
        let ended = finish(&mut child, limit);
        if ended.is_err() {
            // It may have ended by itself meanwhile.
            drop(child.kill());
            drop(child.wait());
        }
        ended
    }
}

fn apart(program: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net", "--", "sh", "-c", ENTER, program]);
    command
}

/// Waits for the end, and gives what was printed: a line, which the pipe holds.
fn finish(child: &mut Child, limit: Duration) -> Result<String> {
    let deadline = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > deadline {
            bail!("a probe took longer than {} s", limit.as_secs());
        }
        thread::sleep(LOOK);
    };
    if !status.success() {
        bail!("a probe failed ({status})");
    }
    let mut line = String::new();
    child.stdout.take().context("a probe has no output")?.read_to_string(&mut line)?;
    Ok(line.trim().to_owned())
}
