//! Our settings in the library's words.

use crate::SealingSettings;
use openraft::{Config, SnapshotPolicy};
use std::{sync::Arc, time::Duration};

/// How long the leader waits for a sealer that fetches what a snapshot names, and sends it nothing else meanwhile. Then it asks
/// again, and the fetching goes on where it was: a request that was lost costs no more than this.
const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(30);
/// Most entries in one request; their bytes are bounded by the log's reader.
const REQUEST_ENTRIES: u64 = 256;

pub(crate) fn config(settings: &SealingSettings) -> Arc<Config> {
    let kept = u64::from(settings.log_entries_kept);
    let leader_timeout = milliseconds(settings.leader_timeout);
    // A follower stands by its leader for the larger of the two, and then draws how long it waits to be elected.
    let patience = leader_timeout / 2..leader_timeout;
    #[cfg(test)]
    let patience = crate::tests::chance::drawn_patience(patience);
    Arc::new(Config {
        cluster_name: "sealing".to_owned(),
        heartbeat_interval: milliseconds(settings.heartbeat_interval),
        election_timeout_min: patience.start,
        election_timeout_max: patience.end,
        install_snapshot_timeout: milliseconds(SNAPSHOT_TIMEOUT),
        max_payload_entries: REQUEST_ENTRIES,
        replication_lag_threshold: kept,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(kept),
        max_in_snapshot_log_to_keep: kept,
        // A sealer asks the others before it stands (`group/candidacy.rs`).
        enable_elect: false,
        ..Config::default()
    })
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
