//! Waiting for a store that is busy or full: consensus goes on from where it stood once there is room again.

use peerwright_store::{Pending, StoreError};
use std::time::Duration;

/// Pause after a queue had no room.
const BUSY_PAUSE: Duration = Duration::from_millis(10);
/// Pause after the volume had no room. A leader that waits shows no heartbeat, so that another takes over.
const FULL_PAUSE: Duration = Duration::from_millis(500);

/// Asks again until the store has answered, or has failed for good.
pub(crate) async fn durable<'s, T>(ask: impl Fn() -> Pending<'s, T>) -> Result<T, StoreError> {
    loop {
        match ask().await {
            Err(StoreError::Busy) => tokio::time::sleep(BUSY_PAUSE).await,
            Err(StoreError::DiskFull) => tokio::time::sleep(FULL_PAUSE).await,
            answer => return answer,
        }
    }
}
