//! Counts what this program asks of the API server, whoever in it asks: writes by resource, and when each watch last
//! proved to be alive.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Instant,
};

use http::{Method, Request, Response};
use kube::client::Body;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};
use tower::{Layer, Service};

use super::paths::resource_of;

/// What is counted of the API server.
#[derive(Clone, Debug, Default)]
pub struct ApiMetrics {
    /// Requests that change something, by verb, resource and answer.
    pub writes: Family<WriteLabels, Counter>,
    /// Watches that failed and were begun anew.
    pub watch_errors: Family<WatchLabels, Counter>,
    last_signs: Arc<Mutex<BTreeMap<String, Instant>>>,
}

/// Labels of a counted write.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct WriteLabels {
    /// HTTP method.
    pub verb: String,
    /// Resource and subresource.
    pub resource: String,
    /// HTTP status, or `none` when no answer came.
    pub code: String,
}

/// Labels of a watch.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct WatchLabels {
    /// The resource that is watched.
    pub resource: String,
}

impl ApiMetrics {
    /// Notes that the watch of a resource works: it began, or it delivered.
    pub fn watch_is_alive(&self, resource: &str) {
        let mut signs = self.last_signs.lock().unwrap_or_else(PoisonError::into_inner);
        match signs.get_mut(resource) {
            Some(at) => *at = Instant::now(),
            None => {
                signs.insert(resource.to_owned(), Instant::now());
            }
        }
    }

    /// Seconds since each watch last began or delivered. A healthy one begins anew within five minutes.
    #[must_use]
    pub fn watch_ages(&self) -> Vec<(String, f64)> {
        let signs = self.last_signs.lock().unwrap_or_else(PoisonError::into_inner);
        signs.iter().map(|(resource, at)| (resource.clone(), at.elapsed().as_secs_f64())).collect()
    }
}

/// Puts the counting in front of a client.
#[derive(Clone, Debug)]
pub struct ObserveLayer {
    metrics: ApiMetrics,
}

impl ObserveLayer {
    /// Counts into `metrics`.
    #[must_use]
    pub fn new(metrics: ApiMetrics) -> Self {
        Self { metrics }
    }
}

impl<S> Layer<S> for ObserveLayer {
    type Service = Observe<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Observe { inner, metrics: self.metrics.clone() }
    }
}

/// A client's service with the counting in front.
#[derive(Clone, Debug)]
pub struct Observe<S> {
    inner: S,
    metrics: ApiMetrics,
}

enum Interest {
    Write { verb: String, resource: String },
    Watch { resource: String },
    None,
}

impl Interest {
    fn of(request: &Request<Body>) -> Self {
        let resource = || resource_of(request.uri().path());
        match request.method() {
            &Method::POST | &Method::PUT | &Method::PATCH | &Method::DELETE => {
                Self::Write { verb: request.method().to_string(), resource: resource() }
            }
            _ if request.uri().query().is_some_and(|query| query.contains("watch=true")) => {
                Self::Watch { resource: resource() }
            }
            _ => Self::None,
        }
    }
}

impl<S, B> Service<Request<Body>> for Observe<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let interest = Interest::of(&request);
        let metrics = self.metrics.clone();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            let status = answer.as_ref().ok().map(Response::status);
            match interest {
                Interest::Write { verb, resource } => {
                    let code = status.map_or_else(|| "none".to_owned(), |status| status.as_u16().to_string());
                    metrics.writes.get_or_create(&WriteLabels { verb, resource, code }).inc();
                }
                Interest::Watch { resource } if status.is_some_and(|status| status.is_success()) => {
                    metrics.watch_is_alive(&resource);
                }
                Interest::Watch { .. } | Interest::None => {}
            }
            answer
        })
    }
}
