//! Probes are processes: each has its memory and its CPU time to itself, and a network namespace in which nothing but its
//! own loopback is.

use crate::probe::{Outcome, Plan};
use anyhow::{Context as _, Result, bail};
use std::{
    env,
    io::Read as _,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Beside what it measures, a probe may take so long.
const OVERHEAD: Duration = Duration::from_secs(120);
/// How often an unfinished probe is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// In the namespace: loopback up, then what is to run.
const ENTER: &str = "ip link set lo up && exec \"$0\" \"$@\"";

/// Where probes run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a namespace: what its loopback carries is the probe's.
    Apart,
    /// On the host's loopback, which others use as well: bytes are not counted.
    Shared,
}

impl Place {
    /// A namespace if this machine lets us make one.
    pub(crate) fn find() -> Self {
        let mut command = apart("true");
        let made = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if made.is_ok_and(|status| status.success()) { Self::Apart } else { Self::Shared }
    }

    /// Runs a probe to its end.
    pub(crate) fn run(self, plan: &Plan) -> Result<Outcome> {
        let program = env::current_exe().context("this program has no path")?;
        let program = program.to_str().context("this program's path is no text")?;
        let mut command = match self {
            Self::Apart => apart(program),
            Self::Shared => Command::new(program),
        };
        command.arg("probe").args(["--side", plan.side.name()]);
        for (option, value) in [
            ("--nodes", plan.nodes.to_string()),
            ("--rate", plan.rate.to_string()),
            ("--seconds", plan.seconds.to_string()),
            ("--payload", plan.payload.to_string()),
            ("--burst", plan.burst.to_string()),
            ("--threads", plan.threads.to_string()),
        ] {
            command.args([option, &value]);
        }
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("a probe does not start")?;
        let ended = finish(&mut child, Duration::from_secs_f64(plan.seconds * 2.0) + OVERHEAD);
        if ended.is_err() {
            // It may have ended by itself meanwhile.
            drop(child.kill());
            drop(child.wait());
        }
        let line = ended?;
        serde_json::from_str(line.trim()).with_context(|| format!("a probe said {line:?}"))
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
    Ok(line)
}
