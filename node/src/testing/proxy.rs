//! A proxy between two nodes that passes bytes on, until it is told to do worse. It knows TCP and nothing above.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    time::sleep,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Passes TCP connections on to one address.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    target: Arc<Mutex<SocketAddr>>,
    /// Ends the connections that are open now.
    lives: Arc<Mutex<CancellationToken>>,
    welcome: watch::Sender<Welcome>,
    counts: watch::Receiver<Counts>,
    _end: DropGuard,
}

/// What becomes of new connections.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Welcome {
    PassedOn,
    /// They wait.
    Held,
    /// They are closed at once.
    ShutOut,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    shut_out: u64,
    too_old: u64,
}

impl Proxy {
    pub(crate) async fn to(target: SocketAddr) -> Self {
        Self::new(target, None).await
    }

    /// Ends each connection when it has lived this long.
    pub(crate) async fn that_kills_after(lifetime: Duration, target: SocketAddr) -> Self {
        Self::new(target, Some(lifetime)).await
    }

    async fn new(target: SocketAddr, lifetime: Option<Duration>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (target, lives) = (Arc::new(Mutex::new(target)), Arc::new(Mutex::new(CancellationToken::new())));
        let (end, welcome) = (CancellationToken::new(), watch::Sender::new(Welcome::PassedOn));
        let (counting, counts) = watch::channel(Counts::default());
        let door = Door {
            target: target.clone(),
            lives: lives.clone(),
            welcome: welcome.subscribe(),
            lifetime,
            counting,
            end: end.clone(),
        };
        tokio::spawn(end.clone().run_until_cancelled_owned(door.accept(listener)));
        Self { address, target, lives, welcome, counts, _end: end.drop_guard() }
    }

    /// Ends every connection, in the middle of whatever it carries.
    pub(crate) fn kill(&self) {
        std::mem::take(&mut *self.lives.lock().unwrap()).cancel();
    }

    /// Holds new connections back.
    pub(crate) fn hold(&self) {
        self.welcome.send_replace(Welcome::Held);
    }

    /// Closes new connections at once.
    pub(crate) fn shut_out(&self) {
        self.welcome.send_replace(Welcome::ShutOut);
    }

    /// Passes them on again.
    pub(crate) fn release(&self) {
        self.welcome.send_replace(Welcome::PassedOn);
    }

    /// Passes new connections on to another address.
    pub(crate) fn turn_to(&self, target: SocketAddr) {
        *self.target.lock().unwrap() = target;
    }

    /// How many connections were closed at once.
    pub(crate) fn shut_out_so_far(&self) -> u64 {
        self.counts.borrow().shut_out
    }

    /// How many connections were ended because of their age.
    pub(crate) fn killed_so_far(&self) -> u64 {
        self.counts.borrow().too_old
    }
}

struct Door {
    target: Arc<Mutex<SocketAddr>>,
    lives: Arc<Mutex<CancellationToken>>,
    welcome: watch::Receiver<Welcome>,
    lifetime: Option<Duration>,
    counting: watch::Sender<Counts>,
    end: CancellationToken,
}

impl Door {
    async fn accept(self, listener: TcpListener) {
        while let Ok((mut near, _)) = listener.accept().await {
            if *self.welcome.borrow() == Welcome::ShutOut {
                self.counting.send_modify(|counts| counts.shut_out += 1);
                continue;
            }
            let (life, end) = (self.lives.lock().unwrap().clone(), self.end.clone());
            let (mut welcome, target) = (self.welcome.clone(), self.target.clone());
            let passing = async move {
                welcome.wait_for(|welcome| *welcome == Welcome::PassedOn).await.ok()?;
                let target = *target.lock().unwrap();
                let mut far = TcpStream::connect(target).await.ok()?;
                copy_bidirectional(&mut near, &mut far).await.ok()
            };
            let (lifetime, counting) = (self.lifetime, self.counting.clone());
            let ageing = async move {
                match lifetime {
                    Some(lifetime) => sleep(lifetime).await,
                    None => std::future::pending().await,
                }
                counting.send_modify(|counts| counts.too_old += 1);
            };
            tokio::spawn(async move {
                tokio::select! {
                    () = life.cancelled() => {}
                    () = end.cancelled() => {}
                    () = ageing => {}
                    _ = passing => {}
                }
            });
        }
    }
}
