//! What a scrape shows.

use super::Telemetry;
use crate::{api::View, probes::Readiness};
use peerwright_engine::{
    BanView, CloseReason, Event, HeartbeatFault, LinkId, Micros, Misbehaviour, Rating, ScoreView, Statistics,
    WithheldReason,
};
use peerwright_secure::PeerId;
use peerwright_snapshot::{Content, Snapshot};
use peerwright_store::{Appended, StoreError};
use std::time::Duration;

fn view(statistics: Statistics) -> View {
    View { statistics, ..View::default() }
}

#[track_caller]
fn assert_line(metrics: &str, line: &str) {
    assert!(metrics.lines().any(|found| found == line), "{line} is missing in\n{metrics}");
}

#[test]
fn figures_of_the_engine_appear_once_they_were_observed() {
    let telemetry = Telemetry::default();
    assert!(!telemetry.encode().contains("peerwright_links_established"));
    let mut statistics = Statistics::default();
    statistics.links.inbound = 2;
    statistics.links.bytes_sent = 77;
    statistics.gossip.duplicates = 5;
    telemetry.observe(&view(statistics), 3);
    let metrics = telemetry.encode();
    assert_line(&metrics, "peerwright_links{direction=\"inbound\"} 2");
    assert_line(&metrics, "peerwright_links{direction=\"outbound\"} 0");
    assert_line(&metrics, "peerwright_frame_bytes_total{direction=\"out\"} 77");
    assert_line(&metrics, "peerwright_gossip_received_total{outcome=\"duplicate\"} 5");
    assert_line(&metrics, "peerwright_links_established_total 0");
    assert_line(&metrics, "peerwright_store_commits_total 3");
    assert_line(&metrics, "# EOF");
}

#[test]
fn what_happened_is_counted_by_its_reason() {
    let telemetry = Telemetry::default();
    let peer = PeerId::from_bytes([1; 32]);
    telemetry.event(&Event::LinkClosed { peer, link: LinkId(1), reason: CloseReason::Banned });
    telemetry.handshake_refused("peer", "inbound", "expired");
    telemetry.transaction_refused("too_large");
    telemetry.rest("GET", "/api/peers", 200, Duration::from_millis(1));
    telemetry.appended(
        Duration::from_millis(2),
        &Ok(vec![Appended::Stored { transactions: 4 }, Appended::Duplicate, Appended::Stored { transactions: 1 }]),
    );
    telemetry.appended(Duration::from_millis(2), &Err(StoreError::DiskFull));
    let metrics = telemetry.encode();
    assert_line(&metrics, "peerwright_links_closed_total{reason=\"banned\"} 1");
    assert_line(
        &metrics,
        "peerwright_handshakes_refused_total{port=\"peer\",direction=\"inbound\",reason=\"expired\"} 1",
    );
    assert_line(&metrics, "peerwright_transactions_refused_total{code=\"too_large\"} 1");
    assert_line(&metrics, "peerwright_rest_requests_total{method=\"GET\",route=\"/api/peers\",status=\"200\"} 1");
    assert_line(&metrics, "peerwright_transactions_stored_total 5");
    assert_line(&metrics, "peerwright_store_failures_total{code=\"store_disk_full\"} 1");
    assert_line(&metrics, "peerwright_store_append_seconds_count 2");
}

#[test]
fn bans_offences_and_scores_are_counted() {
    let telemetry = Telemetry::default();
    let peer = PeerId::from_bytes([1; 32]);
    telemetry.event(&Event::Misbehaved { peer, kind: Misbehaviour::Spam, times: 6 });
    telemetry.event(&Event::BanWithheld { peer, kind: Misbehaviour::Spam, reason: WithheldReason::Seed });
    telemetry.event(&Event::PeerUnbanned { subject: peer.into(), expired: true });
    telemetry.event(&Event::ScoreChanged { peer, score: 30, rating: Rating::Poor, cause: "spam" });
    let score = ScoreView {
        peer,
        score: 30,
        rating: Rating::Poor,
        reliability: 50,
        performance: 50,
        behaviour: 0,
        shortest_round_trip: None,
        mean_round_trip: None,
        longest_round_trip: None,
        answered_percent: None,
        successes: 0,
        failures: 1,
        delivered_bytes: 0,
        last_seen: Micros(0),
    };
    let ban = |number| BanView {
        subject: PeerId::from_bytes([number; 32]).into(),
        expires_at: None,
        by_policy: true,
        by_node: false,
        automatic: false,
    };
    telemetry.observe(&View { scores: vec![score], bans: vec![ban(1), ban(2)], ..View::default() }, 0);
    let metrics = telemetry.encode();
    assert_line(&metrics, "peerwright_offences_total{kind=\"spam\"} 1");
    assert_line(&metrics, "peerwright_bans_withheld_total{reason=\"seed\"} 1");
    assert_line(&metrics, "peerwright_bans_ended_total{how=\"expired\"} 1");
    assert_line(&metrics, "peerwright_score_changes_total{cause=\"spam\"} 1");
    assert_line(&metrics, "peerwright_peers{state=\"known\"} 2");
    assert_line(&metrics, "peerwright_peers{state=\"banned\"} 2");
    assert_line(&metrics, "peerwright_peers_rated{rating=\"poor\"} 1");
}

#[test]
fn snapshot_certificate_and_readiness_follow_what_was_told() {
    let telemetry = Telemetry::default();
    assert!(!telemetry.encode().contains("certificate_seconds_left"));
    let snapshot = Snapshot { network_uid: "uid".to_owned(), epoch: 2, revision: 9, content: Content::default() };
    telemetry.observe_snapshot(Some(&snapshot));
    telemetry.observe_readiness(Readiness::Ready { alone: true });
    telemetry.certificate_ends(0);
    let metrics = telemetry.encode();
    assert_line(&metrics, "peerwright_snapshot_epoch 2");
    assert_line(&metrics, "peerwright_snapshot_revision 9");
    assert_line(&metrics, "peerwright_ready 1");
    assert!(metrics.contains("peerwright_certificate_seconds_left -"));
}

#[test]
fn names_that_dashboards_know_stand_without_a_prefix() {
    let telemetry = Telemetry::default();
    let mut statistics = Statistics::default();
    telemetry.observe(&view(statistics), 0);
    assert_line(&telemetry.encode(), "peer_connection_status 0");
    telemetry.observe_readiness(Readiness::Ready { alone: true });
    telemetry.observe(&view(statistics), 0);
    assert_line(&telemetry.encode(), "peer_connection_status 2");

    statistics.links.inbound = 1;
    statistics.links.round_trips.count = 3;
    statistics.links.round_trips.sum_micros = 9_000_500;
    statistics.links.round_trips.classes[1] = 1;
    statistics.links.round_trips.classes[14] = 1;
    telemetry.observe(&view(statistics), 0);
    let took = Duration::from_millis(3);
    let peer = PeerId::from_bytes([1; 32]);
    telemetry.event(&Event::CaughtUp { peer, messages: 1, took, first: true });
    telemetry.event(&Event::CaughtUp { peer, messages: 2, took, first: false });
    telemetry.propagated(took);
    let metrics = telemetry.encode();
    assert_line(&metrics, "peer_connection_status 1");
    assert_line(&metrics, "peer_heartbeat_latency_milliseconds_count 3");
    assert_line(&metrics, "peer_heartbeat_latency_milliseconds_sum 9000.5");
    assert_line(&metrics, "peer_heartbeat_latency_milliseconds_bucket{le=\"0.25\"} 0");
    assert_line(&metrics, "peer_heartbeat_latency_milliseconds_bucket{le=\"0.5\"} 1");
    assert_line(&metrics, "peer_heartbeat_latency_milliseconds_bucket{le=\"4096.0\"} 2");
    assert_line(&metrics, "peer_heartbeat_latency_milliseconds_bucket{le=\"+Inf\"} 3");
    assert_line(&metrics, "peer_sync_duration_seconds_count{sync_type=\"full\"} 1");
    assert_line(&metrics, "peer_sync_duration_seconds_count{sync_type=\"incremental\"} 1");
    assert_line(&metrics, "peerwright_gossip_propagation_seconds_count 1");
    assert_eq!(metrics.matches("# EOF").count(), 1);
}

#[test]
fn rejected_heartbeats_tell_sixty_four_peers_apart() {
    let telemetry = Telemetry::default();
    for number in 0..66 {
        let peer = PeerId::from_bytes([number; 32]);
        telemetry.event(&Event::HeartbeatRejected { peer, reason: HeartbeatFault::Unasked });
    }
    telemetry.event(&Event::HeartbeatRejected { peer: PeerId::from_bytes([0; 32]), reason: HeartbeatFault::Unasked });
    let metrics = telemetry.encode();
    let first = "00".repeat(32);
    assert_line(&metrics, &format!("peer_heartbeat_rejections_total{{peer_id=\"{first}\",reason=\"unasked\"}} 2"));
    assert_line(&metrics, "peer_heartbeat_rejections_total{peer_id=\"other\",reason=\"unasked\"} 2");
    assert_eq!(metrics.matches("peer_heartbeat_rejections_total{").count(), 65);
}
