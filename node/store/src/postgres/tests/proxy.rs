//! A wire between a store and its server that can be cut at a commit.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    task::JoinSet,
};

/// What happens to the next commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// It passes.
    Never,
    /// The server never gets it.
    Before,
    /// The server gets it, and its answer is lost with the connection.
    After,
    /// The server gets it while the connection is cut.
    Meanwhile,
}

/// A proxy on loopback; ends when dropped.
pub(super) struct Proxy {
    pub(super) port: u16,
    next: Arc<Mutex<Cut>>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// In front of the server whose socket this is.
    pub(super) async fn before(socket: PathBuf) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let next = Arc::new(Mutex::new(Cut::Never));
        let mut tasks = JoinSet::new();
        let cut = Arc::clone(&next);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&socket).await.unwrap();
                connections.spawn(carry(client, server, Arc::clone(&cut)));
            }
        });
        Self { port, next, _tasks: tasks }
    }

    /// Cuts the next commit, once.
    pub(super) fn cut(&self, cut: Cut) {
        *self.next.lock().unwrap() = cut;
    }

    /// Whether the cut was made.
    pub(super) fn was_cut(&self) -> bool {
        *self.next.lock().unwrap() == Cut::Never
    }
}

async fn carry(mut client: TcpStream, mut server: UnixStream, next: Arc<Mutex<Cut>>) {
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Some(bytes) = read.ok().filter(|count| *count > 0).and_then(|count| asked.get(..count)) else { return };
                // The client sends a commit by itself, as a whole message.
                let is_commit = bytes.windows(7).any(|window| window == b"COMMIT\0");
                let cut = if is_commit { std::mem::replace(&mut *next.lock().unwrap(), Cut::Never) } else { Cut::Never };
                if cut == Cut::Before || server.write_all(bytes).await.is_err() || cut == Cut::Meanwhile {
                    return;
                }
                if cut == Cut::After {
                    drop(server.read(&mut answered).await);
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Some(bytes) = read.ok().filter(|count| *count > 0).and_then(|count| answered.get(..count)) else { return };
                if client.write_all(bytes).await.is_err() {
                    return;
                }
            }
        }
    }
}
