//! The one task that stores certified dockets: in the order of each register, as many at once as there are.

use crate::core::{Core, extension};
use peerwright_store::{Extension, StoreError};
use std::sync::Arc;

/// Bytes of dockets that are stored in one database transaction; a longer docket goes alone.
const GROUP_BYTES: usize = 16 << 20;

/// Stores until it is cancelled, or the store fails.
pub(crate) async fn run(core: Arc<Core>) {
    let cancelled = core.durable.cancelled.clone();
    loop {
        let stored = tokio::select! {
            biased;
            () = cancelled.cancelled() => return,
            stored = round(&core) => stored,
        };
        match stored {
            Ok(true) => {}
            Ok(false) => tokio::select! {
                biased;
                () = cancelled.cancelled() => return,
                () = core.certified.notified() => {}
            },
            Err(StoreError::Closed) if cancelled.is_cancelled() => return,
            Err(error) => return core.fail(format!("certified dockets cannot be stored: {error}")),
        }
    }
}

/// Stores what has its certificate; whether there was anything.
async fn round(core: &Core) -> Result<bool, StoreError> {
    let _writing = core.writing.lock().await;
    let (fronts, settled) = core.registers(|registers| {
        let fronts = registers.certified_fronts(GROUP_BYTES);
        let indexes = fronts.values().flatten().map(|certified| certified.index);
        let settled = registers.settle(indexes);
        (fronts, settled)
    });
    if fronts.is_empty() {
        return Ok(false);
    }
    let extensions: Vec<Extension> = fronts
        .iter()
        .filter_map(|(register, front)| {
            let checkpoint = front.last()?.checkpoint.clone();
            let dockets = front.iter().map(|certified| (certified.docket.clone(), certified.transactions.clone()));
            Some(extension(*register, dockets, checkpoint))
        })
        .collect();
    core.store_dockets(extensions, &settled).await?;
    core.registers(|registers| {
        for (register, front) in &fronts {
            if let Some(last) = front.last() {
                registers.record(*register, last.docket.header.number);
            }
        }
        registers.set_stored(settled);
    });
    for certified in fronts.into_values().flatten() {
        core.tail.push(certified.docket);
    }
    core.recorded.send_modify(|count| *count += 1);
    Ok(true)
}
