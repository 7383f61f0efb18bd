use std::time::SystemTime;

use peerwright_crds::{PeerNetworkStatus, PolicyStatus};
use peerwright_snapshot::SettingId;

use super::*;
use crate::identity::{fake_api::FakeApi, fixtures::network};

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
const SNAPSHOT: &str = "/api/v1/namespaces/default/configmaps/demo-snapshot";

/// One replica over an API server that several may share.
struct Replica {
    api: FakeApi,
    feeds: Arc<SnapshotFeeds>,
    publisher: Publisher,
}

impl Replica {
    fn new(api: &FakeApi, root: &Arc<InstallRoot>, leads_for: Duration) -> Self {
        let (client, leadership) = (api.client(), Leadership::held_for(leads_for));
        let members = Arc::new(Members::new(client.clone(), "peerwright-system", leadership.clone()));
        let feeds = Arc::new(SnapshotFeeds::default());
        let publisher = Publisher::new(client, root.clone(), members, feeds.clone(), leadership);
        Self { api: api.clone(), feeds, publisher }
    }

    fn observed(&self) -> Option<String> {
        Some(self.api.get(SNAPSHOT)?["metadata"]["resourceVersion"].as_str().expect("a version").to_owned())
    }

    async fn publish(&self, heartbeat: u32) -> Result<Publication, PublishError> {
        self.publish_knowing(heartbeat, None, &network("demo", 3)).await
    }

    async fn publish_knowing(
        &self,
        heartbeat: u32,
        acknowledged: Option<Version>,
        network: &PeerNetwork,
    ) -> Result<Publication, PublishError> {
        let mut content = Content::default();
        content.settings.set(SettingId::HeartbeatInterval, heartbeat.into());
        let observed = self.observed();
        self.publisher.publish(Request { network, content, observed: observed.as_deref(), acknowledged }).await
    }

    async fn version(&self, heartbeat: u32) -> (u64, u64) {
        let publication = self.publish(heartbeat).await.expect("published");
        let version = publication.published().version();
        (version.epoch, version.revision)
    }
}

fn root() -> Arc<InstallRoot> {
    Arc::new(InstallRoot::generate(SystemTime::now()).expect("a root"))
}

const LONG: Duration = Duration::from_secs(3600);

async fn second() {
    tokio::time::sleep(Duration::from_millis(1100)).await;
}

#[tokio::test(start_paused = true)]
async fn first_snapshot_is_committed_owned_and_streamed() {
    let (api, root) = (FakeApi::default(), root());
    let replica = Replica::new(&api, &root, LONG);

    assert_eq!(replica.version(30).await, (1, 1));

    let stored = api.get(SNAPSHOT).expect("committed");
    assert_eq!(stored["metadata"]["ownerReferences"][0]["uid"], "demo-uid");
    assert_eq!(stored["metadata"]["labels"]["peerwright.dev/network"], "demo");
    let streamed = replica.feeds.current("demo-uid").expect("streamed");
    let now = u64::try_from(crate::identity::unix_now()).expect("after 1970");
    let signed = peerwright_snapshot::SignedSnapshot::decode(&streamed.bytes).expect("readable");
    assert_eq!(signed.verify(root.root_der(), "demo-uid", now).as_ref(), Ok(&streamed.snapshot));
    assert_eq!(signed.digest(), streamed.digest);
}

#[tokio::test(start_paused = true)]
async fn revision_rises_only_with_the_content() {
    let (api, root) = (FakeApi::default(), root());
    let replica = Replica::new(&api, &root, LONG);
    replica.version(30).await;
    second().await;
    api.calls();

    assert_eq!(replica.version(30).await, (1, 1));
    assert_eq!(api.calls(), Vec::<String>::new(), "unchanged content costs no call");
    assert_eq!(replica.version(31).await, (1, 2));
}

#[tokio::test(start_paused = true)]
async fn restarted_operator_writes_nothing() {
    let (api, root) = (FakeApi::default(), root());
    Replica::new(&api, &root, LONG).version(30).await;
    api.calls();

    let restarted = Replica::new(&api, &root, LONG);
    assert_eq!(restarted.version(30).await, (1, 1));

    assert!(api.calls().iter().all(|call| call.starts_with("GET")));
    assert!(restarted.feeds.current("demo-uid").is_some(), "nodes are served again");
}

#[tokio::test(start_paused = true)]
async fn bursts_are_coalesced_to_one_write_a_second() {
    let (api, root) = (FakeApi::default(), root());
    let replica = Replica::new(&api, &root, LONG);
    replica.version(30).await;

    let deferred = replica.publish(31).await.expect("deferred");

    let Publication::Deferred { published, retry_in } = deferred else { panic!("{deferred:?}") };
    assert_eq!(published.version(), Version { epoch: 1, revision: 1 });
    tokio::time::sleep(retry_in).await;
    assert_eq!(replica.version(32).await, (1, 2));
}

#[tokio::test(start_paused = true)]
async fn deleted_or_damaged_config_map_begins_a_new_epoch() {
    let (api, root) = (FakeApi::default(), root());
    let replica = Replica::new(&api, &root, LONG);
    replica.version(30).await;
    second().await;

    api.remove(SNAPSHOT);
    assert_eq!(replica.version(30).await, (2, 1));
    second().await;

    let mut damaged = api.get(SNAPSHOT).expect("committed");
    damaged["binaryData"]["snapshot.bin"] = "AAAA".into();
    api.put(CONFIG_MAPS, damaged);
    assert_eq!(replica.version(30).await, (3, 1));

    api.remove(SNAPSHOT);
    assert_eq!(Replica::new(&api, &root, LONG).version(30).await, (4, 1), "the epoch outlives ConfigMap and process");
}

#[tokio::test(start_paused = true)]
async fn lost_records_go_on_behind_what_the_nodes_have() {
    let (api, root) = (FakeApi::default(), root());
    let replica = Replica::new(&api, &root, LONG);

    let acknowledged = Some(Version { epoch: 5, revision: 9 });
    let publication = replica.publish_knowing(30, acknowledged, &network("demo", 3)).await.expect("published");

    assert_eq!(publication.published().version(), Version { epoch: 6, revision: 1 });
}

#[tokio::test(start_paused = true)]
async fn older_snapshot_put_back_by_hand_is_replaced_by_a_newer_revision() {
    let (api, root) = (FakeApi::default(), root());
    let replica = Replica::new(&api, &root, LONG);
    replica.version(30).await;
    let backup = api.get(SNAPSHOT).expect("committed");
    second().await;
    replica.version(31).await;
    second().await;

    api.put(CONFIG_MAPS, backup.clone());
    assert_eq!(replica.version(31).await, (1, 3), "by the replica that published");
    second().await;

    api.put(CONFIG_MAPS, backup.clone());
    let restarted = Replica::new(&api, &root, LONG);
    let acknowledged = Some(Version { epoch: 1, revision: 3 });
    let told = restarted.publish_knowing(30, acknowledged, &network("demo", 3)).await.expect("published");
    assert_eq!(told.published().version(), Version { epoch: 1, revision: 4 }, "by one whom a node told");

    api.put(CONFIG_MAPS, backup);
    let mut recorded = network("demo", 3);
    let policy = PolicyStatus { epoch: Some(1), revision: Some(4), ..PolicyStatus::default() };
    recorded.status = Some(PeerNetworkStatus { policy: Some(policy), ..PeerNetworkStatus::default() });
    let read = Replica::new(&api, &root, LONG).publish_knowing(30, None, &recorded).await.expect("published");
    assert_eq!(read.published().version(), Version { epoch: 1, revision: 5 }, "by one that reads the status");
}

#[tokio::test(start_paused = true)]
async fn overtaken_leader_stops_publishing() {
    let (api, root) = (FakeApi::default(), root());
    let old = Replica::new(&api, &root, LONG);
    old.version(30).await;
    second().await;
    let new = Replica::new(&api, &root, LONG);
    assert_eq!(new.version(31).await, (1, 2));

    for _ in 0..2 {
        let refused = old.publish(32).await;
        assert!(matches!(refused, Err(PublishError::StaleLeader)), "{refused:?}");
    }

    assert_eq!(old.feeds.current("demo-uid").expect("what it had").version(), Version { epoch: 1, revision: 1 });
    assert_eq!(new.version(31).await, (1, 2));
}

#[tokio::test(start_paused = true)]
async fn write_based_on_what_is_no_more_there_is_refused() {
    let (api, root) = (FakeApi::default(), root());
    let old = Replica::new(&api, &root, LONG);
    old.version(30).await;
    let before = old.observed();
    second().await;
    Replica::new(&api, &root, LONG).version(31).await;

    // Thawed with the cache of before: it reads nothing and writes on what it remembers.
    let (network, content) = (network("demo", 3), Content::default());
    let request = Request { network: &network, content, observed: before.as_deref(), acknowledged: None };
    let refused = old.publisher.publish(request).await;

    assert!(matches!(refused, Err(PublishError::Overtaken)), "{refused:?}");
    assert_eq!(Replica::new(&api, &root, LONG).version(31).await, (1, 2), "the new leader's snapshot stands");
}

#[tokio::test(start_paused = true)]
async fn replica_past_its_deadline_writes_nothing() {
    let (api, root) = (FakeApi::default(), root());
    let replica = Replica::new(&api, &root, Duration::from_secs(8));
    replica.version(30).await;
    tokio::time::sleep(Duration::from_secs(9)).await;
    api.calls();

    let refused = replica.publish(31).await;

    assert!(matches!(refused, Err(PublishError::StaleLeader)), "{refused:?}");
    assert!(api.calls().iter().all(|call| call.starts_with("GET")));
}

#[tokio::test(start_paused = true)]
async fn config_map_of_another_owner_is_a_collision() {
    let (api, root) = (FakeApi::default(), root());
    let owner = serde_json::json!({ "apiVersion": "v1", "kind": "Other", "name": "o", "uid": "o", "controller": true });
    api.put(CONFIG_MAPS, serde_json::json!({ "metadata": { "name": "demo-snapshot", "ownerReferences": [owner] } }));

    let refused = Replica::new(&api, &root, LONG).publish(30).await;

    assert!(matches!(refused, Err(PublishError::NameCollision(_))), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn snapshot_of_another_install_is_not_believed() {
    let (api, ours, theirs) = (FakeApi::default(), root(), root());
    Replica::new(&api, &theirs, LONG).version(30).await;

    let replica = Replica::new(&api, &ours, LONG);

    assert_eq!(replica.publisher.in_force(&network("demo", 3), None).await.expect("read"), None);
    assert_eq!(replica.version(30).await, (2, 1));
}
