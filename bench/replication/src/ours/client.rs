//! A caller of REST: one connection, one request at a time.

use anyhow::{Context as _, Result, bail};
use peerwright_node::dev::Authority;
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs::default_provider, pki_types::ServerName},
};

/// The most that an answer may have.
const MOST_ANSWER: usize = 1 << 20;

/// An open connection.
pub(super) struct Client {
    stream: BufReader<TlsStream<TcpStream>>,
}

/// Trusts the network's authority.
pub(super) fn config(authority: &Authority) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.network_root().to_vec().into())?;
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions()?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

impl Client {
    pub(super) async fn connect(address: SocketAddr, config: Arc<ClientConfig>) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let stream = TlsConnector::from(config).connect(ServerName::try_from("localhost")?, stream).await?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Posts JSON; the status of the answer, whose body is read and forgotten.
    pub(super) async fn post(&mut self, path: &str, body: &[u8]) -> Result<u16> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.stream.write_all(&[head.as_bytes(), body].concat()).await?;
        self.stream.flush().await?;
        let mut line = String::new();
        self.stream.read_line(&mut line).await?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.with_context(|| format!("no answer of HTTP: {line:?}"))?;
        let mut length = None;
        loop {
            line.clear();
            self.stream.read_line(&mut line).await?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse::<usize>().ok();
            }
        }
        match length {
            Some(length) if length <= MOST_ANSWER => {
                let mut answer = vec![0; length];
                self.stream.read_exact(&mut answer).await?;
                Ok(status)
            }
            length => bail!("an answer of {length:?} bytes"),
        }
    }
}
