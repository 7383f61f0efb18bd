//! A rival's server: a process that ends with whoever started it.

use anyhow::{Context as _, Result, bail};
use std::{
    ffi::OsStr,
    fs::File,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A server listens within this time.
const LISTENING: Duration = Duration::from_secs(30);
/// A server ends within this time, or is killed.
const ENDING: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(10);

/// A running server; dropped, it is ended.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

/// How a program is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum As {
    /// As it is.
    Oneself,
    /// As somebody who is not root, in a user namespace in which our files are theirs.
    Nobody,
}

/// A command of a program that is killed when this process ends. It must be started by the main thread.
pub(crate) fn command(program: &Path, user: As) -> Command {
    let mut command = match user {
        As::Oneself => Command::new("setpriv"),
        As::Nobody => {
            let mut command = Command::new("unshare");
            command.args(["--user", "--map-user=1000", "--map-group=1000", "--", "setpriv"]);
            command
        }
    };
    // The last before the program: a change of user would forget it.
    command.args(["--pdeathsig", "KILL", "--"]).arg(program).stdin(Stdio::null());
    command
}

/// A port of loopback that is free.
pub(crate) fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

impl Server {
    /// Starts a server whose words go to a file, and waits until it listens.
    pub(crate) fn start(mut command: Command, address: SocketAddr, log: &Path) -> Result<Self> {
        let words = File::create(log)?;
        command.stdout(words.try_clone()?).stderr(words);
        let child = command.spawn().with_context(|| format!("{:?} does not start", command.get_program()))?;
        let mut server = Self { child, address };
        let deadline = Instant::now() + LISTENING;
        while TcpStream::connect(address).is_err() {
            if server.child.try_wait()?.is_some() || Instant::now() > deadline {
                let said = std::fs::read_to_string(log).unwrap_or_default();
                bail!("a server does not listen on {address}: {}", said.trim());
            }
            thread::sleep(LOOK);
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // In order, so that it leaves no shared memory behind; it may have ended already.
        drop(run(Command::new("sh").args(["-c", &format!("kill -INT {}", self.child.id())])));
        let deadline = Instant::now() + ENDING;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(LOOK);
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs a program to its end, and gives what it printed.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("{:?} cannot be started", command.get_program()))?;
    if !output.status.success() {
        let words: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!("{:?} {} failed: {}", command.get_program(), words.join(" "), said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
