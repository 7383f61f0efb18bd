//! A group on the stores that nodes have, in real time.

use super::{cluster::Cluster, full::Volume};
use crate::Outcome;
use peerwright_store::Sqlite;
use std::sync::Arc;

#[tokio::test]
async fn a_group_on_sqlite_seals_stops_and_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let mut volumes = Vec::new();
    for node in 0..3 {
        let path = directory.path().join(format!("{node}.sqlite"));
        volumes.push(Volume::over(Arc::new(Sqlite::open(&path, "network").await.unwrap())));
    }
    let mut cluster = Cluster::over(volumes).await;
    cluster.settings.log_entries_kept = 8;
    cluster.restart_all().await;
    cluster.initialise(0..3).await;
    let register = cluster.register(1).await;
    let transactions = cluster.transactions(register, 0..40);
    for transaction in transactions[..30].chunks(1) {
        cluster.seal(register, transaction).await;
    }
    cluster.restart_all().await;
    assert_eq!(cluster.seal(register, &transactions[..30]).await, vec![Outcome::AlreadySealed; 30]);
    cluster.seal(register, &transactions[30..]).await;
    let (_, ids) = cluster.agreed(&[0, 1, 2], register).await;
    assert_eq!(ids.len(), 40);
}
