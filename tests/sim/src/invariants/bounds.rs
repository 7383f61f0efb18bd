//! What the engine shows of its queues and tables is within their bounds.

use super::{Broken, holds};
use peerwright_engine::{Config, Statistics, bounds};

/// The gauges of one engine.
pub(crate) fn respected(statistics: &Statistics, config: &Config) -> Result<(), Broken> {
    let links = statistics.links;
    let rows: [(&str, u64, usize); 14] = [
        ("links", links.inbound + links.outbound, config.connections.outbound + config.connections.inbound),
        ("addresses", links.addresses, bounds::MAX_ADDRESSES),
        ("addresses that were named", links.addresses_new, table(bounds::NEW_BUCKETS)),
        ("addresses that were tried", links.addresses_tried, table(bounds::TRIED_BUCKETS)),
        ("nodes at hand", links.passive, config.overlay.passive),
        ("dials", links.dialling, bounds::MAX_DIALS),
        ("queued transactions", statistics.submit.queued, bounds::MAX_QUEUED_TRANSACTIONS),
        ("queued bytes", statistics.submit.queued_bytes, bounds::MAX_QUEUED_BYTES),
        ("seen origins", statistics.gossip.origins, bounds::MAX_SEEN_ORIGINS),
        ("verifying", statistics.gossip.verifying, bounds::MAX_VERIFYING),
        ("bodies being fetched", statistics.sync.fetching_bodies, bounds::MAX_FETCHES),
        ("advertised registers", statistics.advertisements.told, bounds::MAX_ADVERTISEMENTS_OF_A_PEER),
        ("advertisements of peers", statistics.advertisements.heard, bounds::MAX_ADVERTISEMENTS_HEARD),
        (
            "messages for the store",
            statistics.store.queued,
            bounds::MAX_RECEIVED_QUEUE + bounds::MAX_QUEUED_TRANSACTIONS,
        ),
    ];
    let beyond = rows.into_iter().find(|(_, value, bound)| *value > *bound as u64);
    holds("bounds", beyond.is_none(), || format!("beyond its bound: {beyond:?}"))
}

/// How much a table of addresses holds.
fn table(buckets: u64) -> usize {
    usize::try_from(buckets * bounds::TABLE_SLOTS).unwrap_or(0)
}
