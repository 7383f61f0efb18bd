//! Answers that are given before the request's body was read to its end.
//!
//! On HTTP/2 such an answer is followed by a reset of the stream, and clients in wide use (curl before 8.0) then forget
//! the answer that they have just received. So the stream stays open for a moment: until the client has sent its body,
//! which is thrown away as far as it is small, or has had the time to read the answer.

use super::sizes::SMALL_BODY_BYTES;
use axum::{
    body::{Body, Bytes, HttpBody},
    http::{HeaderValue, Version, header},
    response::Response,
};
use hyper::body::{Frame, SizeHint};
use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::Sleep;

const LINGER: Duration = Duration::from_millis(500);

/// A request's body, of which the gate keeps hold while the handler reads it.
#[derive(Clone)]
pub(super) struct SharedBody(Arc<Mutex<Body>>);

impl SharedBody {
    pub(super) fn new(body: Body) -> Self {
        Self(Arc::new(Mutex::new(body)))
    }

    fn lock(&self) -> MutexGuard<'_, Body> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpBody for SharedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut *self.lock()).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.lock().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.lock().size_hint()
    }
}

/// Keeps the stream of an HTTP/2 request open behind an answer that came before the end of its body.
pub(super) fn linger(version: Version, request: SharedBody, response: Response) -> Response {
    if version != Version::HTTP_2 || request.is_end_stream() {
        return response;
    }
    let (mut parts, answer) = response.into_parts();
    // Tells the client that it has the whole answer before the stream ends.
    if let Some(length) = answer.size_hint().exact() {
        parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    let lingering = Lingering { answer, request, discardable: SMALL_BODY_BYTES, until: None };
    Response::from_parts(parts, Body::new(lingering))
}

struct Lingering {
    answer: Body,
    request: SharedBody,
    /// Bytes of the request that are still thrown away; at 0 the client is no longer read from.
    discardable: usize,
    /// Set when the answer is out.
    until: Option<Pin<Box<Sleep>>>,
}

impl HttpBody for Lingering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.until.is_none() {
            match Pin::new(&mut self.answer).poll_frame(context) {
                Poll::Ready(None) => self.until = Some(Box::pin(tokio::time::sleep(LINGER))),
                other => return other,
            }
        }
        while self.discardable > 0 {
            match Pin::new(&mut self.request).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    let length = frame.data_ref().map_or(0, Bytes::len);
                    self.discardable = self.discardable.saturating_sub(length);
                }
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(None),
                Poll::Pending => break,
            }
        }
        match &mut self.until {
            Some(until) => until.as_mut().poll(context).map(|()| None),
            None => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.answer.size_hint()
    }
}
