//! Traces for a collector that speaks OTLP over gRPC.
//!
//! ```text
//!  a dial ends, a heartbeat is sent, a link has caught up ─▶ one span each ─▶ batches ─▶ collector
//! ```
//!
//! Names are `peer.connection.connect`, `peer.heartbeat.send`, `peer.sync.full`, `peer.sync.incremental`. Without an
//! endpoint nothing is made. What the collector does not take is dropped and counted in the log by the exporter.

use crate::config::{Configuration, Endpoint};
use opentelemetry::{
    KeyValue,
    trace::{Span, SpanBuilder, SpanKind, Status, Tracer, TracerProvider},
};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{SdkTracer, SdkTracerProvider},
};
use peerwright_secure::PeerId;
use std::{
    fmt,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};
use thiserror::Error;

/// What instruments are called to the collector.
const SCOPE: &str = "peerwright";
/// What an ending node gives the collector to take the last batch.
const LAST_BATCH: Duration = Duration::from_secs(1);

/// Why traces cannot be exported.
#[derive(Debug, Error)]
#[error("traces cannot be exported to {endpoint}: {reason}")]
pub struct TracesError {
    endpoint: Endpoint,
    reason: String,
}

/// Where spans go; nowhere by default.
#[derive(Clone, Default)]
pub struct Traces {
    exporting: Option<Arc<Exporting>>,
}

struct Exporting {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Traces {
    /// As the configuration says. Within a runtime.
    pub fn of(configuration: &Configuration) -> Result<Self, TracesError> {
        let Some(endpoint) = &configuration.otlp_endpoint else { return Ok(Self::default()) };
        let exporter = SpanExporter::builder().with_tonic().with_endpoint(format!("http://{endpoint}")).build();
        let exporter =
            exporter.map_err(|error| TracesError { endpoint: endpoint.clone(), reason: error.to_string() })?;
        let attributes = [
            ("service.instance.id", &configuration.node_name),
            ("service.namespace", &configuration.namespace),
            ("peerwright.network", &configuration.network),
        ];
        let resource = Resource::builder_empty()
            .with_service_name("peerwright-node")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attributes(attributes.map(|(name, value)| KeyValue::new(name, value.clone())));
        let provider =
            SdkTracerProvider::builder().with_resource(resource.build()).with_batch_exporter(exporter).build();
        let tracer = provider.tracer(SCOPE);
        Ok(Self { exporting: Some(Arc::new(Exporting { provider, tracer })) })
    }

    /// A dial ended: with a link to a peer, or for the reason of a code.
    pub fn dialled(&self, began: SystemTime, address: SocketAddr, ended: Result<PeerId, &'static str>) {
        let about = || {
            let mut about = vec![
                KeyValue::new("network.peer.address", address.ip().to_string()),
                KeyValue::new("network.peer.port", i64::from(address.port())),
            ];
            about.extend(ended.ok().map(node_id));
            about
        };
        self.span("peer.connection.connect", SpanKind::Client, began, ended.err(), about);
    }

    /// A state heartbeat was sent.
    pub fn heartbeat(&self, peer: PeerId, sequence: u64) {
        let about = || vec![node_id(peer), KeyValue::new("sequence", i64::try_from(sequence).unwrap_or(i64::MAX))];
        self.span("peer.heartbeat.send", SpanKind::Producer, SystemTime::now(), None, about);
    }

    /// A link has caught up with its peer.
    pub fn synced(&self, peer: PeerId, took: Duration, sync: SyncType, messages: u64) {
        let began = SystemTime::now().checked_sub(took).unwrap_or(SystemTime::UNIX_EPOCH);
        let name = match sync {
            SyncType::Full => "peer.sync.full",
            SyncType::Incremental => "peer.sync.incremental",
        };
        let about = || {
            let messages = i64::try_from(messages).unwrap_or(i64::MAX);
            vec![node_id(peer), KeyValue::new("sync_type", sync.label()), KeyValue::new("messages", messages)]
        };
        self.span(name, SpanKind::Internal, began, None, about);
    }

    /// Sends what was not sent yet. Blocks.
    pub fn finish(&self) {
        if let Some(exporting) = &self.exporting
            && let Err(error) = exporting.provider.shutdown_with_timeout(LAST_BATCH)
        {
            tracing::debug!(%error, "the last traces were not taken");
        }
    }

    fn span(
        &self,
        name: &'static str,
        kind: SpanKind,
        began: SystemTime,
        failed: Option<&'static str>,
        about: impl FnOnce() -> Vec<KeyValue>,
    ) {
        let Some(exporting) = &self.exporting else { return };
        let ended = SystemTime::now();
        let took = ended.duration_since(began).unwrap_or_default();
        let mut attributes = about();
        attributes.push(KeyValue::new("success", failed.is_none()));
        attributes.push(KeyValue::new("duration_ms", took.as_secs_f64() * 1_000.0));
        attributes.extend(failed.map(|code| KeyValue::new("error.type", code)));
        let builder = SpanBuilder::from_name(name).with_kind(kind).with_start_time(began).with_attributes(attributes);
        let mut span = exporting.tracer.build(builder);
        if let Some(code) = failed {
            span.set_status(Status::error(code));
        }
        span.end_with_timestamp(ended);
    }
}

impl fmt::Debug for Traces {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Traces").field("exporting", &self.exporting.is_some()).finish()
    }
}

/// What a link had to catch up with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncType {
    /// All that the peer held when the link came up.
    Full,
    /// What came later.
    Incremental,
}

impl SyncType {
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Incremental => "incremental",
        }
    }
}

fn node_id(peer: PeerId) -> KeyValue {
    KeyValue::new("node_id", peer.to_string())
}
