//! Links that peers open: the gRPC service.

use super::{HELLO_TIMEOUT, LinkContext, LinkEvent, Queue, hello, queue::Outgoing, session::Session};
use crate::transport::ConnectionInfo;
use futures::{Stream, StreamExt};
use peerwright_proto::v1::{LinkMessage, link_server::Link};
use std::{pin::Pin, sync::Arc};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

/// Answers Hello and hands the link to the driver.
#[derive(Debug, Clone)]
pub struct LinkService {
    /// What links report to.
    pub context: LinkContext,
    /// Owns the links' readers.
    pub tasks: TaskTracker,
}

#[tonic::async_trait]
impl Link for LinkService {
    type OpenStream = Pin<Box<dyn Stream<Item = Result<LinkMessage, Status>> + Send>>;

    async fn open(&self, request: Request<Streaming<LinkMessage>>) -> Result<Response<Self::OpenStream>, Status> {
        let info = request.extensions().get::<ConnectionInfo>().cloned();
        let info = info.ok_or_else(|| Status::internal("a link without a connection"))?;
        let member = info.member.ok_or_else(|| Status::unauthenticated("a link needs a member's certificate"))?;
        let mut incoming = request.into_inner();
        let first = timeout(HELLO_TIMEOUT, incoming.message())
            .await
            .map_err(|_| Status::deadline_exceeded("no Hello in time"))??;
        let (session, incarnation) = hello::read(first, None)
            .map_err(|refused| Status::failed_precondition(format!("{}: {refused}", refused.code())))?;
        let link = self.context.new_link();
        let queue = Arc::new(Queue::default());
        let up = LinkEvent::Up {
            link,
            queue: queue.clone(),
            peer: member.peer_id,
            node: member.spiffe.node().to_owned(),
            incarnation,
            outbound: false,
            address: info.remote,
        };
        self.context.events.send(up).await.map_err(|_| Status::unavailable("draining"))?;
        let answer = Outgoing::new(hello::message(&session, self.context.incarnation), queue.clone());
        let context = self.context.clone();
        let session = Session { link, queue, incoming, cut: info.cut };
        self.tasks.spawn(async move { session.run(&context).await });
        Ok(Response::new(Box::pin(answer.map(Ok))))
    }
}
