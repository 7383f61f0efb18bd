//! The servers and their settings.

use super::session::Session;
use crate::{
    programs,
    server::{self, As, Server},
};
use anyhow::{Context as _, Result};
use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// Beside the defaults: what a server for this work is given. No checkpoint falls into a run, a subscription that is enabled
/// again begins at once instead of after 5 s, and `fsync` and `synchronous_commit` stay on.
const SETTINGS: &str = "\
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
wal_level = logical
shared_buffers = 512MB
max_wal_size = 8GB
checkpoint_timeout = 30min
max_connections = 120
logical_decoding_work_mem = 256MB
wal_retrieve_retry_interval = 100ms
";

/// One server with the table, and servers with copies.
pub(super) struct Servers {
    pub(super) source: Postgres,
    copies: Vec<Cluster>,
    running: Vec<Postgres>,
}

/// A running server.
pub(crate) struct Postgres {
    programs: PathBuf,
    server: Server,
}

/// A data folder, initialised.
pub(super) struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
}

impl Servers {
    /// Initialises all, and starts the source.
    pub(super) fn prepare(folder: &Path, copies: u8) -> Result<Self> {
        let source = Cluster::make(&folder.join("source"))?.start()?;
        let copies = (0..copies).map(|number| Cluster::make(&folder.join(format!("copy{number}"))));
        Ok(Self { source, copies: copies.collect::<Result<_>>()?, running: Vec::new() })
    }

    /// Starts a copy's server.
    pub(super) fn start_copy(&mut self, number: u8) -> Result<&Postgres> {
        let started = self.copies.get(usize::from(number)).context("no such copy")?.start()?;
        self.running.push(started);
        self.running.last().context("no copy runs")
    }
}

impl Postgres {
    pub(super) fn session(&self) -> Result<Session> {
        Session::connect(&self.programs.join("psql"), self.server.address)
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Its database, as a node is told of it.
    pub(crate) fn url(&self) -> String {
        format!("postgres://bench@{}/postgres", self.server.address)
    }

    /// Where its programs are.
    pub(super) fn programs(&self) -> &Path {
        &self.programs
    }
}

impl Cluster {
    /// A data folder, which is made.
    pub(super) fn make(folder: &Path) -> Result<Self> {
        let programs = programs::postgres().context("postgresql is not installed")?;
        let mut command = server::command(&programs.join("initdb"), user());
        command.args(["--no-locale", "--encoding=UTF8", "--auth=trust", "--username=bench", "--no-sync", "--pgdata"]);
        server::run(command.arg(folder))?;
        OpenOptions::new().append(true).open(folder.join("postgresql.conf"))?.write_all(SETTINGS.as_bytes())?;
        Ok(Self { programs, folder: folder.to_owned() })
    }

    /// Starts its server.
    pub(super) fn start(&self) -> Result<Postgres> {
        let address = server::free_port()?;
        let mut command = server::command(&self.programs.join("postgres"), user());
        command.arg("-D").arg(&self.folder).args(["-p", &address.port().to_string()]);
        let server = Server::start(command, address, &self.folder.with_extension("log"))?;
        Ok(Postgres { programs: self.programs.clone(), server })
    }
}

/// PostgreSQL does not run as root.
fn user() -> As {
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if is_root { As::Nobody } else { As::Oneself }
}
