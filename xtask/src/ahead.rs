//! What the last steps of the proof need, built beside the first ones: upstream programs, cargo-deny, the images' programs. At
//! the lowest priority, so that it takes what the others leave, which on two cores is a good part of each build's end.
//!
//! A step that needs something asks for it as ever: what is there it takes, what is being built it waits for, and what
//! failed it tries again and says why.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use peerwright_cluster::{Binaries, binaries};

use crate::{deny, images, repository};

/// The builds under way. Dropped, they end.
pub(crate) struct Ahead(Child);

impl Ahead {
    /// Begins; what is printed goes to a file in the target folder.
    pub(crate) fn begin() -> Result<Self> {
        let folder = repository::target_folder()?;
        let log = File::create(folder.join("ahead.log")).context("ahead.log in the target folder")?;
        let mut command = Command::new("nice");
        command.args(["-n", "19"]).arg(std::env::current_exe()?).arg("build-ahead").stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log).process_group(0);
        Ok(Self(command.spawn().context("`nice` cannot be started")?))
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        if let (Ok(None), Ok(group)) = (self.0.try_wait(), i32::try_from(self.0.id())) {
            // Nothing is lost with it but what it had begun.
            let _ = killpg(Pid::from_raw(group), Signal::SIGTERM);
        }
        let _ = self.0.wait();
    }
}

/// Builds everything, in the order in which the steps ask for it.
pub(crate) fn build() -> Result<()> {
    for wanted in [binaries::CLIENTS, binaries::LIGHT, &binaries::whole()] {
        Binaries::ensure(wanted)?;
    }
    deny::ensure()?;
    images::build_programs().map(drop)
}
