//! A wire between a store and its server that can be cut at a commit.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    task::JoinSet,
};

/// What happens to a commit.
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

/// What happens to the next commits, one after the other.
type Cuts = Arc<Mutex<VecDeque<Cut>>>;

/// A proxy on loopback; ends when dropped.
pub(super) struct Proxy {
    pub(super) port: u16,
    next: Cuts,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// In front of the server whose socket this is.
    pub(super) async fn before(socket: PathBuf) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let next = Cuts::default();
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

    /// Cuts the next commit, or the one behind those that are to be cut already.
    pub(super) fn cut(&self, cut: Cut) {
        self.next.lock().unwrap().push_back(cut);
    }

    /// Whether all cuts were made.
    pub(super) fn was_cut(&self) -> bool {
        self.next.lock().unwrap().is_empty()
    }
}

async fn carry(mut client: TcpStream, mut server: UnixStream, next: Cuts) {
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Some(bytes) = read.ok().filter(|count| *count > 0).and_then(|count| asked.get(..count)) else { return };
                // The client sends a commit by itself, as a whole message.
                let is_commit = bytes.windows(7).any(|window| window == b"COMMIT\0");
                let cut = is_commit.then(|| next.lock().unwrap().pop_front()).flatten().unwrap_or(Cut::Never);
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
