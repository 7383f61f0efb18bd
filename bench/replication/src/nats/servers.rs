//! The servers and their configuration.

use crate::{
    programs,
    server::{self, As, Server},
};
use anyhow::{Context as _, Result};
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// One server with the stream, and servers with mirrors.
pub(super) struct Servers {
    program: PathBuf,
    folder: PathBuf,
    leaves: SocketAddr,
    source: Server,
    copies: Vec<Server>,
}

impl Servers {
    pub(super) fn start(folder: &Path, copies: u8) -> Result<Self> {
        let program = programs::nats_server().context("nats-server is not installed")?;
        let leaves = server::free_port()?;
        let connections = format!("leafnodes {{ listen: \"{leaves}\" }}");
        let source = start(&program, folder, "source", &connections)?;
        let mut servers = Self { program, folder: folder.to_owned(), leaves, source, copies: Vec::new() };
        for _ in 0..copies {
            servers.add_copy()?;
        }
        Ok(servers)
    }

    /// Starts one more server for a mirror.
    pub(super) fn add_copy(&mut self) -> Result<()> {
        let connections = format!("leafnodes {{ remotes: [ {{ urls: [ \"nats-leaf://{}\" ] }} ] }}", self.leaves);
        let name = format!("copy{}", self.copies.len());
        self.copies.push(start(&self.program, &self.folder, &name, &connections)?);
        Ok(())
    }

    /// Where clients of the source connect.
    pub(super) const fn source(&self) -> SocketAddr {
        self.source.address
    }

    /// Where clients of the copies connect.
    pub(super) fn copies(&self) -> Vec<SocketAddr> {
        self.copies.iter().map(|copy| copy.address).collect()
    }
}

/// A server whose JetStream has a domain of its own, by which others reach its streams. The limits on what waits for a
/// client are lifted: a slow reader is to be slow, not cut off.
fn start(program: &Path, folder: &Path, name: &str, connections: &str) -> Result<Server> {
    let address = server::free_port()?;
    let folder = folder.join(name);
    fs::create_dir_all(&folder)?;
    let configuration = format!(
        "server_name: {name}\nlisten: \"{address}\"\nmax_pending: 2147483648\nwrite_deadline: \"60s\"\n\
         jetstream {{ store_dir: \"{}\", domain: {name}, max_file_store: 68719476736 }}\n{connections}\n",
        folder.display()
    );
    let file = folder.join("server.conf");
    fs::write(&file, configuration)?;
    let mut command = server::command(program, As::Oneself);
    command.arg("--config").arg(&file);
    Server::start(command, address, &folder.join("server.log"))
}
