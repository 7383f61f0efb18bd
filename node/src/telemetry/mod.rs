//! What the process tells about itself: metrics, traces and log.
//!
//! ```text
//!  events, refusals, durations ─▶ counted where they happen     ┐
//!  engine's figures, snapshot  ─▶ observed when somebody scrapes ├─▶ /metrics
//!  certificate, readiness      ─▶ told when they change          ┘
//! ```
//!
//! Every label has few values: routes, codes, directions; never a register or an address, and a peer in one metric alone,
//! whose series are bounded.

mod blueprints;
mod figures;
mod hubs;
mod log;
mod named;
mod outbox;
mod peers;
mod sealing;
mod traces;

pub use log::{LogError, start_log};
pub use traces::{SyncType, Traces, TracesError};

use crate::{api::View, limits::Limited, probes::Readiness, registers::Registers};
use blueprints::BlueprintMetrics;
use figures::{Figures, Observed};
use hubs::HubMetrics;
use named::Named;
use outbox::OutboxMetrics;
use peers::Peers;
use peerwright_engine::{Event, session::Carrier};
use peerwright_sealing::GroupStatus;
use peerwright_snapshot::Snapshot;
use peerwright_store::{Appended, StoreError};
use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::Registry,
};
use sealing::SealingFigures;
use std::{fmt, sync::Arc, time::Duration};

/// Names the port for members, whoever dials it.
pub(crate) const PEER_PORT: &str = "peer";

/// Counts by one label, whose values are words of the program.
type Counted = Family<[(&'static str, &'static str); 1], Counter>;

/// The process' metrics.
pub struct Telemetry {
    registry: Registry,
    /// Without the prefix.
    known_elsewhere: Registry,
    named: Named,
    traces: Traces,
    figures: Arc<Figures>,
    ready: Gauge,
    settings_not_taken: Gauge,
    handshakes_refused: Family<[(&'static str, &'static str); 3], Counter>,
    links_closed: Counted,
    links_lost: Counted,
    dials_failed: Counted,
    dropped: Counted,
    breaker_changes: Family<[(&'static str, &'static str); 3], Counter>,
    carrier_changes: Family<[(&'static str, &'static str); 2], Counter>,
    bans_applied: Counter,
    bans_ended: Counted,
    offences: Counted,
    bans_automatic: Counted,
    bans_withheld: Counted,
    score_changes: Counted,
    rate_limited: Family<[(&'static str, &'static str); 2], Counter>,
    transactions_stored: Counter,
    transactions_refused: Counted,
    messages_let_go: Counter,
    dockets_committed: Counter,
    sources_left: Counted,
    forks: Counter,
    dockets_corrupt: Counter,
    dockets_repaired: Counter,
    sealing: SealingFigures,
    outbox: OutboxMetrics,
    blueprints: BlueprintMetrics,
    hubs: HubMetrics,
    append_seconds: Histogram,
    propagation_seconds: Histogram,
    store_failures: Counted,
    operator_answers: Family<[(&'static str, &'static str); 2], Counter>,
    rest_requests: Family<RestLabels, Counter>,
    rest_seconds: Histogram,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

impl Telemetry {
    /// Metrics of a process that has done nothing yet, and where its traces go.
    #[must_use]
    pub fn new(traces: Traces) -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("peerwright"),
            known_elsewhere: Registry::default(),
            named: Named::default(),
            traces,
            figures: Arc::default(),
            ready: Gauge::default(),
            settings_not_taken: Gauge::default(),
            handshakes_refused: Family::default(),
            links_closed: Family::default(),
            links_lost: Family::default(),
            dials_failed: Family::default(),
            dropped: Family::default(),
            breaker_changes: Family::default(),
            carrier_changes: Family::default(),
            bans_applied: Counter::default(),
            bans_ended: Family::default(),
            offences: Family::default(),
            bans_automatic: Family::default(),
            bans_withheld: Family::default(),
            score_changes: Family::default(),
            rate_limited: Family::default(),
            transactions_stored: Counter::default(),
            transactions_refused: Family::default(),
            messages_let_go: Counter::default(),
            dockets_committed: Counter::default(),
            sources_left: Family::default(),
            forks: Counter::default(),
            dockets_corrupt: Counter::default(),
            dockets_repaired: Counter::default(),
            sealing: SealingFigures::default(),
            outbox: OutboxMetrics::default(),
            blueprints: BlueprintMetrics::default(),
            hubs: HubMetrics::default(),
            append_seconds: durations(),
            propagation_seconds: durations(),
            store_failures: Family::default(),
            operator_answers: Family::default(),
            rest_requests: Family::default(),
            rest_seconds: durations(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("build", "The program", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        registry.register("ready", "Whether this node may serve", self.ready.clone());
        registry.register(
            "settings_not_taken",
            "Settings of the snapshot in force that this node does not go by",
            self.settings_not_taken.clone(),
        );
        registry.register(
            "handshakes_refused",
            "Connections refused before they were used, by port, by who dialled and why",
            self.handshakes_refused.clone(),
        );
        registry.register("links_closed", "Links that this node closed, by reason", self.links_closed.clone());
        registry.register("links_lost", "Links that ended otherwise, by reason", self.links_lost.clone());
        registry.register("dials_failed", "Dials that came to nothing, by reason", self.dials_failed.clone());
        registry.register("dropped", "What a bound or rule made this node drop", self.dropped.clone());
        registry.register(
            "breaker_changes",
            "Breakers that changed, by what they guard (peer, or the carrier), the state they are in since, and why",
            self.breaker_changes.clone(),
        );
        registry.register(
            "carrier_changes",
            "Changes of the carrier to a peer, by the carrier that is used since, and why",
            self.carrier_changes.clone(),
        );
        registry.register(
            "bans_applied",
            "Bans that began to hold here, whoever ordered them",
            self.bans_applied.clone(),
        );
        registry.register("bans_ended", "Bans that hold no longer, by how they ended", self.bans_ended.clone());
        registry.register("offences", "What peers did that no peer should, by kind", self.offences.clone());
        registry.register(
            "bans_automatic",
            "Bans that this node made by itself, by what was done last",
            self.bans_automatic.clone(),
        );
        registry.register(
            "bans_withheld",
            "Bans that were earned and not made, by what protects",
            self.bans_withheld.clone(),
        );
        registry.register(
            "score_changes",
            "Changes of a peer's score by more than a point, by what moved it last",
            self.score_changes.clone(),
        );
        registry.register(
            "rate_limited",
            "Calls refused because their identity has used its allowance, by profile and by what is used up",
            self.rate_limited.clone(),
        );
        registry.register(
            "transactions_stored",
            "Transactions made durable here for the first time, whoever accepted them",
            self.transactions_stored.clone(),
        );
        registry.register(
            "transactions_refused",
            "Transactions handed in here and not taken, by code",
            self.transactions_refused.clone(),
        );
        registry.register(
            "messages_let_go",
            "Messages that left the store because dockets hold what they carried",
            self.messages_let_go.clone(),
        );
        registry.register(
            "dockets_committed",
            "Dockets whose certificate came to stand on this node",
            self.dockets_committed.clone(),
        );
        registry.register(
            "sources_left",
            "Sources of registers that this node went on from, by reason",
            self.sources_left.clone(),
        );
        registry.register(
            "register_forks",
            "Registers found to have two certified dockets with one number",
            self.forks.clone(),
        );
        registry.register(
            "dockets_corrupt",
            "Dockets found to be other on the disk than they were stored",
            self.dockets_corrupt.clone(),
        );
        registry.register(
            "dockets_repaired",
            "Dockets of those that were fetched from another node and written again",
            self.dockets_repaired.clone(),
        );
        self.sealing.register(registry);
        self.outbox.register(registry);
        self.hubs.register(registry);
        self.blueprints.register(registry);
        registry.register(
            "store_append_seconds",
            "Time from the order to append messages until they are durable",
            self.append_seconds.clone(),
        );
        registry.register("store_failures", "Writes that the store did not do, by code", self.store_failures.clone());
        registry.register(
            "operator_answers",
            "What came of calls to the operator, and of the snapshots it sent",
            self.operator_answers.clone(),
        );
        registry.register("rest_requests", "REST requests answered", self.rest_requests.clone());
        registry.register("rest_seconds", "Time from a REST request's head to its answer", self.rest_seconds.clone());
        registry.register(
            "gossip_propagation_seconds",
            "Time from the origin's seal on a message of another node until it is durable here, by both clocks",
            self.propagation_seconds.clone(),
        );
        registry.register_collector(Box::new(Arc::clone(&self.figures)));
        self.named.register(&mut self.known_elsewhere);
    }

    /// The metrics as text, in the OpenMetrics format.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        let written = text::encode_registry(&mut text, &self.known_elsewhere)
            .and_then(|()| text::encode(&mut text, &self.registry));
        if written.is_err() {
            tracing::error!("the metrics could not be written");
        }
        text
    }

    /// A connection was refused: `port` is the name of this node's port, or `peer` for another node's that it dialled.
    pub fn handshake_refused(&self, port: &'static str, direction: &'static str, reason: &'static str) {
        let labels = [("port", port), ("direction", direction), ("reason", reason)];
        self.handshakes_refused.get_or_create(&labels).inc();
    }

    /// The engine told of something.
    pub fn event(&self, event: &Event) {
        match event {
            Event::LinkClosed { reason, .. } => count(&self.links_closed, "reason", reason.label()),
            Event::LinkLost { reason, .. } => count(&self.links_lost, "reason", reason.label()),
            Event::DialFailed { reason, .. } => count(&self.dials_failed, "reason", reason.label()),
            Event::Dropped { what } => count(&self.dropped, "what", what),
            Event::BreakerChanged { carrier, change, .. } => {
                let guards = carrier.map_or("peer", Carrier::label);
                let labels = [("guards", guards), ("state", change.to.label()), ("reason", change.reason)];
                self.breaker_changes.get_or_create(&labels).inc();
            }
            Event::CarrierChanged { step, .. } => {
                let labels = [("carrier", step.to.label()), ("reason", step.reason.label())];
                self.carrier_changes.get_or_create(&labels).inc();
            }
            Event::PeerBanned { .. } => drop(self.bans_applied.inc()),
            Event::PeerUnbanned { expired, .. } => {
                count(&self.bans_ended, "how", if *expired { "expired" } else { "lifted" });
            }
            Event::Misbehaved { kind, .. } => count(&self.offences, "kind", kind.label()),
            Event::AutoBanned { ban } => count(&self.bans_automatic, "kind", ban.reason.label()),
            Event::BanWithheld { reason, .. } => count(&self.bans_withheld, "reason", reason.label()),
            Event::ScoreChanged { cause, .. } => count(&self.score_changes, "cause", cause),
            Event::HeartbeatSent { peer, sequence } => self.traces.heartbeat(*peer, *sequence),
            Event::HeartbeatRejected { peer, reason } => self.named.heartbeat_rejected(*peer, *reason),
            Event::CaughtUp { peer, messages, took, first } => {
                let sync = if *first { SyncType::Full } else { SyncType::Incremental };
                self.named.synced(*took, sync);
                self.traces.synced(*peer, *took, sync, *messages);
            }
            _ => {}
        }
    }

    /// The store has answered an append.
    pub fn appended(&self, took: Duration, answer: &Result<Vec<Appended>, StoreError>) {
        self.append_seconds.observe(took.as_secs_f64());
        match answer {
            Ok(outcomes) => {
                let stored = outcomes.iter().map(|outcome| match outcome {
                    Appended::Stored { transactions } => u64::from(*transactions),
                    Appended::Duplicate | Appended::Conflicting => 0,
                });
                self.transactions_stored.inc_by(stored.sum());
            }
            Err(error) => self.store_failed(error),
        }
    }

    /// A message of another node is durable, this long after its origin sealed it.
    pub fn propagated(&self, took: Duration) {
        self.propagation_seconds.observe(took.as_secs_f64());
    }

    /// The store refused or failed another write.
    pub fn store_failed(&self, error: &StoreError) {
        count(&self.store_failures, "code", error.code());
    }

    /// A call was refused because its identity has used its allowance.
    pub fn rate_limited(&self, limited: Limited) {
        let labels = [("profile", limited.profile.label()), ("measure", limited.measure.label())];
        self.rate_limited.get_or_create(&labels).inc();
    }

    /// A transaction that was handed in was not taken.
    pub fn transaction_refused(&self, code: &'static str) {
        count(&self.transactions_refused, "code", code);
    }

    /// So many further dockets have their certificates here.
    pub fn dockets_committed(&self, count: u64) {
        self.dockets_committed.inc_by(count);
    }

    /// A register is followed from another source from now on.
    pub fn source_left(&self, reason: &'static str) {
        count(&self.sources_left, "reason", reason);
    }

    /// A register was found to have two histories.
    pub fn fork_found(&self) {
        self.forks.inc();
    }

    /// So many messages left the store because dockets hold what they carried.
    pub fn messages_let_go(&self, messages: u64) {
        self.messages_let_go.inc_by(messages);
    }

    /// The disk has changed a docket.
    pub fn docket_corrupt(&self) {
        self.dockets_corrupt.inc();
    }

    /// A docket that the disk had changed is whole again.
    pub fn docket_repaired(&self) {
        self.dockets_repaired.inc();
    }

    /// The sealing group as it is now; `None` while this node does not seal.
    pub fn observe_sealing(&self, status: Option<&GroupStatus>) {
        self.sealing.observe(status);
    }

    /// So many transactions were handed straight to the sealers: `sealed`, `taken`, `refused` or `failed`.
    pub fn handed_in(&self, outcome: &'static str, count: usize) {
        self.outbox.handed_in(outcome, count);
    }

    /// A transaction became a dead letter: `refused` or `expired`.
    pub fn dead_letter(&self, why: &'static str) {
        self.outbox.died(why);
    }

    /// Dockets come no longer from the hub that was active, and why.
    pub fn hub_left(&self, reason: &'static str) {
        self.hubs.left(reason);
    }

    /// Changes of blueprints were told to somebody who follows them.
    pub fn blueprint_changes_told(&self, changes: u64) {
        self.blueprints.told(changes);
    }

    /// A hub advises this node something.
    pub fn hub_advised(&self, advice: &'static str) {
        self.hubs.advised(advice);
    }

    /// What waits in the outbox, who follows, whom dockets come from, and the blueprints, as they are now.
    pub fn observe_registers(&self, registers: &Registers) {
        self.outbox.observe(registers.outbox_figures(), registers.followers.count());
        self.hubs.observe(&registers.hubs());
        self.blueprints.observe(registers.blueprint_figures());
    }

    /// The operator answered a call, or could not be asked: `call` is `certify`, `watch` or `snapshot`.
    pub fn operator_answered(&self, call: &'static str, answer: &'static str) {
        self.operator_answers.get_or_create(&[("call", call), ("answer", answer)]).inc();
    }

    /// A REST request was answered. `route` is the route's pattern, not the path.
    pub fn rest(&self, method: &'static str, route: &str, status: u16, took: Duration) {
        self.rest_requests.get_or_create(&RestLabels { method, route: route.to_owned(), status }).inc();
        self.rest_seconds.observe(took.as_secs_f64());
    }

    /// This node's certificate ends at this unix second.
    pub fn certificate_ends(&self, not_after: i64) {
        self.figures.update(|observed| Observed { certificate_not_after: Some(not_after), ..observed });
    }

    /// Readiness, as it is now.
    pub fn observe_readiness(&self, readiness: Readiness) {
        self.ready.set(readiness.is_ready().into());
    }

    /// How many settings of the snapshot in force this node does not go by.
    pub fn settings_not_taken(&self, number: usize) {
        self.settings_not_taken.set(i64::try_from(number).unwrap_or(i64::MAX));
    }

    /// The engine's figures and the store's commits, as they are now.
    pub fn observe(&self, view: &View, commits: u64) {
        self.named.observe(&view.statistics, self.ready.get() == 1);
        let peers = Some(Peers::of(view));
        let (statistics, breakers) = (Some(view.statistics), Some(view.breakers));
        self.figures.update(|observed| Observed { statistics, peers, breakers, commits, ..observed });
    }

    /// Where traces go.
    #[must_use]
    pub fn traces(&self) -> &Traces {
        &self.traces
    }

    /// The snapshot in force now.
    pub fn observe_snapshot(&self, snapshot: Option<&Snapshot>) {
        self.figures.update(|observed| Observed { snapshot: snapshot.map(Snapshot::version), ..observed });
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self::new(Traces::default())
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Telemetry").finish_non_exhaustive()
    }
}

/// From a quarter of a millisecond to four seconds.
fn durations() -> Histogram {
    Histogram::new((0..15).map(|step| 0.000_25 * f64::from(1u32 << step)))
}

fn count(counted: &Counted, label: &'static str, value: &'static str) {
    counted.get_or_create(&[(label, value)]).inc();
}

#[cfg(test)]
mod tests;
