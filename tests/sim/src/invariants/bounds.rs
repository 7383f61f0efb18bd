//! What the engine shows of its queues and tables is within their bounds.

use super::{Broken, holds};
use peerwright_engine::{Config, Statistics, bounds};

/// The gauges of one engine.
pub(crate) fn respected(statistics: &Statistics, config: &Config) -> Result<(), Broken> {
    let links = statistics.links;
    let rows: [(&str, u64, usize); 9] = [
        ("links", links.inbound + links.outbound, config.outbound_links + config.inbound_links),
        ("addresses", links.addresses, bounds::MAX_ADDRESSES),
        ("dials", links.dialling, bounds::MAX_DIALS),
        ("queued transactions", statistics.submit.queued, bounds::MAX_QUEUED_TRANSACTIONS),
        ("queued bytes", statistics.submit.queued_bytes, bounds::MAX_QUEUED_BYTES),
        ("seen origins", statistics.gossip.origins, bounds::MAX_SEEN_ORIGINS),
        ("verifying", statistics.gossip.verifying, bounds::MAX_VERIFYING),
        ("bodies being fetched", statistics.sync.fetching_bodies, bounds::MAX_FETCHES),
        (
            "messages for the store",
            statistics.store.queued,
            bounds::MAX_RECEIVED_QUEUE + bounds::MAX_QUEUED_TRANSACTIONS,
        ),
    ];
    let beyond = rows.into_iter().find(|(_, value, bound)| *value > *bound as u64);
    holds("bounds", beyond.is_none(), || format!("beyond its bound: {beyond:?}"))
}
