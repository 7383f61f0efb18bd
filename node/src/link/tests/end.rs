//! One end of links: it listens and dials as a node does, and the test is its driver.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{
    super::{LinkContext, LinkDialler, LinkEvent, LinkService, LinkSettings, Queue},
    context_with,
};
use crate::{
    dev::{Authority, now_range},
    identity::Volume,
    member::Membership,
    testing::{leaf, membership, spiffe},
    tls::Profiles,
    transport::{Dialler, Limits, Listener, Security, Shield, TcpListener},
};
use axum::{
    extract::Request,
    middleware::{self, Next},
    response::Response,
};
use bytes::Bytes;
use peerwright_engine::{Address, Class, DownReason, LinkId, session::Carrier};
use peerwright_secure::PeerId;
use std::{
    net::{Ipv4Addr, SocketAddr},
    ops::Range,
    sync::Arc,
    time::Duration,
};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use tonic::service::Routes;

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct End {
    pub(super) address: SocketAddr,
    pub(super) membership: Arc<Membership>,
    pub(super) events: mpsc::Receiver<LinkEvent>,
    pub(super) context: LinkContext,
    pub(super) dialler: LinkDialler,
    end: CancellationToken,
    _end: DropGuard,
}

/// A link that is up, seen from one end.
pub(super) struct Link {
    pub(super) id: LinkId,
    pub(super) queue: Arc<Queue>,
    pub(super) peer: PeerId,
}

/// How an end differs from others.
#[derive(Default)]
pub(super) struct Options {
    pub(super) settings: LinkSettings,
    /// Speaks HTTP/1.1 only.
    pub(super) without_http2: bool,
    /// Takes the stream method's calls and never answers.
    pub(super) stalls_streams: bool,
    /// How long its first certificate is valid from now, seconds.
    pub(super) leaf_seconds: Option<u64>,
}

/// Everything as in production, only sooner.
pub(super) fn soon() -> LinkSettings {
    LinkSettings {
        hello_within: Duration::from_secs(5),
        resume_within: Duration::from_secs(5),
        poll_for: Duration::from_millis(300),
        ..LinkSettings::default()
    }
}

impl End {
    pub(super) async fn start(authority: &Arc<Authority>, node: &str, options: Options) -> Self {
        let membership = membership(authority, node, Volume::forgetful());
        authority.enroll(&membership).unwrap();
        if let Some(seconds) = options.leaf_seconds {
            let now = crate::tls::unix_now();
            certify(authority, &membership, node, now - 60..now + seconds);
        }
        let (context, events) = context_with(options.settings);
        let end = CancellationToken::new();
        let profiles = Profiles::new(
            membership.spiffe().trust_domain().to_owned(),
            membership.anchors().clone(),
            membership.bans().clone(),
            membership.leaf().clone(),
        )
        .unwrap();
        let mut inbound = profiles.members_inbound;
        if options.without_http2 {
            let config = Arc::make_mut(&mut inbound);
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
        }
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        let address = socket.local_addr().unwrap();
        let (bans, connections) = (membership.bans().clone(), membership.connections().clone());
        let router = LinkService::new(context.clone(), TaskTracker::new()).router(Routes::default());
        let listener = Listener {
            name: "peer",
            socket,
            security: Security::Members(inbound, Shield { bans: bans.clone(), connections: connections.clone() }),
            router: if options.stalls_streams { router.layer(middleware::from_fn(stall)) } else { router },
            limits: Limits {
                connections: 64,
                handshakes: 64,
                streams: 64,
                silence: Duration::from_secs(30),
                first_request: Duration::from_secs(30),
            },
            observer: Arc::new(|_, _| {}),
        };
        tokio::spawn(listener.serve(end.clone(), end.clone()));
        let dialler = LinkDialler::new(
            Dialler::new(TaskTracker::new(), end.clone()),
            profiles.members_outbound,
            membership.leaf().clone(),
            bans,
            connections,
            context.clone(),
        );
        Self { address, membership, events, context, dialler, end: end.clone(), _end: end.drop_guard() }
    }

    /// As if the process were killed.
    pub(super) fn die(&self) {
        self.end.cancel();
    }

    pub(super) fn dial(&self, socket: SocketAddr) {
        let address = Address { host: "localhost".to_owned(), socket };
        tokio::spawn(self.dialler.clone().run(address));
    }

    pub(super) async fn event(&mut self) -> LinkEvent {
        timeout(PATIENCE, self.events.recv()).await.expect("an event in time").unwrap()
    }

    pub(super) async fn up(&mut self) -> Link {
        match self.event().await {
            LinkEvent::Up { link, queue, member, .. } => Link { id: link, queue, peer: member.peer_id },
            other => panic!("expected a link, got {other:?}"),
        }
    }

    /// The next event that is not a frame must be the link's end.
    pub(super) async fn down(&mut self) -> DownReason {
        loop {
            match self.event().await {
                LinkEvent::Down { reason, .. } => return reason,
                LinkEvent::Frame { .. } => {}
                other => panic!("expected the end of the link, got {other:?}"),
            }
        }
    }

    /// Takes frames that say the numbers of this range; anything else is a mistake.
    pub(super) async fn hear(&mut self, link: &Link, numbers: Range<u64>) {
        for number in numbers {
            match self.event().await {
                LinkEvent::Frame { link: of, payload } => {
                    assert_eq!((of, said(&payload)), (link.id, number));
                }
                other => panic!("expected frame {number}, got {other:?}"),
            }
        }
    }
}

async fn stall(request: Request, next: Next) -> Response {
    if request.uri().path().ends_with("/Open") {
        std::future::pending::<()>().await;
    }
    next.run(request).await
}

/// Gives a member another certificate.
pub(super) fn certify(authority: &Authority, membership: &Membership, node: &str, valid: Range<u64>) {
    membership.adopt_certificate(&leaf(authority, membership.key(), &spiffe(node), valid)).unwrap();
}

pub(super) fn renew(authority: &Authority, membership: &Membership, node: &str) {
    certify(authority, membership, node, now_range());
}

impl Link {
    /// Sends frames that say the numbers of this range.
    pub(super) fn say(&self, numbers: Range<u64>) {
        for number in numbers {
            self.queue.push(Class::Gossip, frame(number)).unwrap();
        }
    }

    pub(super) async fn carried_by(&self, carrier: Carrier) {
        let what = format!("{} carries the link", carrier.label());
        crate::testing::eventually(&what, async || self.queue.carrier() == carrier).await;
    }
}

/// Says a number, in up to 2 KiB, so that a connection dies in the middle of a frame now and then.
fn frame(number: u64) -> Bytes {
    let mut frame = number.to_be_bytes().to_vec();
    frame.resize(8 + usize::try_from(number % 9).unwrap() * 256, 0);
    frame.into()
}

fn said(payload: &Bytes) -> u64 {
    u64::from_be_bytes(payload[..8].try_into().unwrap())
}

/// Two ends and a link that the first has dialled.
pub(super) struct Pair {
    pub(super) dialler: End,
    pub(super) acceptor: End,
    pub(super) near: Link,
    pub(super) far: Link,
    /// How many frames each has said.
    pub(super) said: u64,
}

impl Pair {
    /// Dials the acceptor at `address`.
    pub(super) async fn linked(mut dialler: End, mut acceptor: End, address: SocketAddr) -> Self {
        dialler.dial(address);
        let (near, far) = (dialler.up().await, acceptor.up().await);
        assert_eq!(near.peer, acceptor.membership.peer_id());
        assert_eq!(far.peer, dialler.membership.peer_id());
        Self { dialler, acceptor, near, far, said: 0 }
    }

    /// Both say this many frames; `meanwhile` happens while they are on their way; both hear all, in order and once.
    pub(super) async fn talk(&mut self, count: u64, meanwhile: impl FnOnce()) {
        let numbers = self.said..self.said + count;
        self.said += count;
        self.near.say(numbers.clone());
        self.far.say(numbers.clone());
        meanwhile();
        let (dialler, acceptor) = (&mut self.dialler, &mut self.acceptor);
        tokio::join!(dialler.hear(&self.near, numbers.clone()), acceptor.hear(&self.far, numbers));
    }
}
