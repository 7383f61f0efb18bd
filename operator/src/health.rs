//! Port 8080: `/livez`, `/readyz`, `/metrics`.
//!
//! Alive means that this process answers, whatever the API server does: a control plane that is away must not restart
//! every operator. Ready means that every part said so; else the answer says which part waits, and for what.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// What each part of the process waits for.
#[derive(Clone, Debug, Default)]
pub struct Health {
    waits: Arc<Mutex<BTreeMap<&'static str, Option<String>>>>,
}

impl Health {
    /// Parts that are all waiting to start.
    #[must_use]
    pub fn starting(parts: &[&'static str]) -> Self {
        let health = Self::default();
        for part in parts {
            health.set(part, Some("starting".to_owned()));
        }
        health
    }

    /// Says what a part waits for; nothing when it is ready. True when that is news.
    pub fn set(&self, part: &'static str, waits_for: Option<String>) -> bool {
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        waits.insert(part, waits_for.clone()) != Some(waits_for)
    }

    /// What is waited for, a line each; `None` when everything is ready.
    #[must_use]
    pub fn waits(&self) -> Option<String> {
        let waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = waits.iter().filter_map(|(part, waits)| waits.as_ref().map(|waits| format!("{part}: {waits}")));
        let lines: Vec<String> = lines.collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}

/// Serves until `stop` is cancelled.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    health: Health,
    metrics: Metrics,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz).with_state(health))
        .route("/metrics", get(scrape).with_state(metrics));
    axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned()).await
}

async fn readyz(State(health): State<Health>) -> impl IntoResponse {
    match health.waits() {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(waits) => (StatusCode::SERVICE_UNAVAILABLE, format!("{waits}\n")),
    }
}

async fn scrape(State(metrics): State<Metrics>) -> impl IntoResponse {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match metrics.encode() {
        Ok(text) => (StatusCode::OK, [("content-type", content_type)], text),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, [("content-type", "text/plain")], String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_that_waits_is_named() {
        let health = Health::starting(&["caches", "definitions"]);
        health.set("caches", None);
        health.set("definitions", Some("peerbans.peerwright.dev is missing".to_owned()));
        assert_eq!(health.waits().as_deref(), Some("definitions: peerbans.peerwright.dev is missing"));
        assert!(!health.set("definitions", Some("peerbans.peerwright.dev is missing".to_owned())), "that is no news");
        assert!(health.set("definitions", None));
        assert_eq!(health.waits(), None);
    }
}
