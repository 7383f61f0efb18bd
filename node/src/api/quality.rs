//! What this node thinks of its peers.

use super::{ApiState, View, error::ApiError, time};
use axum::{Json, extract::State};
use peerwright_engine::{Rating, ScoreView};
use serde::Serialize;
use std::time::Duration;

/// What is thought of one peer, and why.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct QualityRow {
    peer: String,
    /// 0 to 100, as everything in `factors`.
    score: u8,
    rating: &'static str,
    factors: Factors,
    /// Of the last hundred round trips; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_millis: Option<Latency>,
    /// Of the last hundred requests; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    answered_percent: Option<u8>,
    successes: u32,
    failures: u32,
    delivered_bytes: u64,
    updated: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
struct Factors {
    reliability: u8,
    performance: u8,
    behaviour: u8,
}

#[derive(Debug, Clone, Serialize)]
struct Latency {
    min: f64,
    average: f64,
    max: f64,
}

impl QualityRow {
    pub(super) fn of(score: &ScoreView, view: &View, wall: u64) -> Self {
        let shown = |round_trip: Option<Duration>| round_trip.map(|round_trip| round_trip.as_secs_f64() * 1_000.0);
        let latency = || {
            Some(Latency {
                min: shown(score.shortest_round_trip)?,
                average: shown(score.mean_round_trip)?,
                max: shown(score.longest_round_trip)?,
            })
        };
        Self {
            peer: score.peer.to_string(),
            score: score.score,
            rating: score.rating.label(),
            factors: Factors {
                reliability: score.reliability,
                performance: score.performance,
                behaviour: score.behaviour,
            },
            latency_millis: latency(),
            answered_percent: score.answered_percent,
            successes: score.successes,
            failures: score.failures,
            delivered_bytes: score.delivered_bytes,
            updated: time::rfc3339(wall.saturating_sub(view.now.0.saturating_sub(score.last_seen.0))),
        }
    }
}

/// `GET /api/peers/quality`, by peer id.
pub(super) async fn list(State(state): State<ApiState>) -> Result<Json<Vec<QualityRow>>, ApiError> {
    let (view, wall) = (state.node.view().await?, time::now_micros());
    Ok(Json(view.scores.iter().map(|score| QualityRow::of(score, &view, wall)).collect()))
}

/// How many peers have which rating.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct QualityFigures {
    tracked: usize,
    excellent: usize,
    good: usize,
    fair: usize,
    poor: usize,
    very_poor: usize,
    /// 0 when no peer is tracked.
    average_score: f64,
}

impl QualityFigures {
    pub(super) fn of(scores: &[ScoreView]) -> Self {
        let rated = |rating: Rating| scores.iter().filter(|score| score.rating == rating).count();
        let sum: u32 = scores.iter().map(|score| u32::from(score.score)).sum();
        let tracked = u32::try_from(scores.len()).unwrap_or(u32::MAX);
        Self {
            tracked: scores.len(),
            excellent: rated(Rating::Excellent),
            good: rated(Rating::Good),
            fair: rated(Rating::Fair),
            poor: rated(Rating::Poor),
            very_poor: rated(Rating::VeryPoor),
            average_score: f64::from(sum) / f64::from(tracked.max(1)),
        }
    }
}
