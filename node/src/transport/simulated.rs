//! Sockets of the tests: the system's, or those of a simulated network where a test runs on one.
//!
//! Production code has the names of the same types from tokio, see the module above.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Whether this is a host of a simulated network.
fn is_simulated() -> bool {
    turmoil::sim_elapsed().is_some()
}

/// Listens.
pub enum TcpListener {
    System(tokio::net::TcpListener),
    Simulated(turmoil::net::TcpListener),
}

impl std::fmt::Debug for TcpListener {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("TcpListener").field(&self.local_addr()).finish()
    }
}

impl TcpListener {
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        if is_simulated() {
            return turmoil::net::TcpListener::bind(address).await.map(Self::Simulated);
        }
        tokio::net::TcpListener::bind(address).await.map(Self::System)
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::System(listener) => listener.local_addr(),
            Self::Simulated(listener) => listener.local_addr(),
        }
    }

    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match self {
            Self::System(listener) => {
                listener.accept().await.map(|(stream, remote)| (TcpStream::System(stream), remote))
            }
            Self::Simulated(listener) => {
                listener.accept().await.map(|(stream, remote)| (TcpStream::Simulated(stream), remote))
            }
        }
    }
}

/// A connection.
#[derive(Debug)]
pub enum TcpStream {
    System(tokio::net::TcpStream),
    Simulated(turmoil::net::TcpStream),
}

impl TcpStream {
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        if is_simulated() {
            return turmoil::net::TcpStream::connect(address).await.map(Self::Simulated);
        }
        tokio::net::TcpStream::connect(address).await.map(Self::System)
    }

    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        match self {
            Self::System(stream) => stream.set_nodelay(nodelay),
            Self::Simulated(stream) => stream.set_nodelay(nodelay),
        }
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::System(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Simulated(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::System(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Simulated(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::System(stream) => Pin::new(stream).poll_write_vectored(context, bytes),
            Self::Simulated(stream) => Pin::new(stream).poll_write_vectored(context, bytes),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::System(stream) => stream.is_write_vectored(),
            Self::Simulated(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::System(stream) => Pin::new(stream).poll_flush(context),
            Self::Simulated(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::System(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Simulated(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
