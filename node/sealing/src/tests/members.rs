//! Changing who seals.

use super::cluster::{Cluster, PATIENCE};
use crate::GroupRefused;
use bytes::Bytes;
use peerwright_secure::NodeKey;

#[tokio::test(start_paused = true)]
async fn a_sealer_that_is_gone_for_good_is_replaced() {
    let mut cluster = Cluster::strangers(4).await;
    cluster.initialise(0..3).await;
    let register = cluster.register_of(1, cluster.keys(0..3)).await;
    cluster.seal(register, &cluster.transactions(register, 0..10)).await;
    let gone = (cluster.leader().await + 1) % 3;
    cluster.kill(gone).await;
    let members: Vec<usize> = cluster.all().filter(|node| *node != gone).collect();
    let leader = cluster.at(cluster.leader().await);
    leader.change(cluster.keys(members.iter().copied())).await.unwrap();
    let is_changed = leader.wait_until(|status| status.sealers == cluster.keys(members.iter().copied()));
    assert_eq!(tokio::time::timeout(PATIENCE, is_changed).await, Ok(true));
    leader.change(cluster.keys(members.iter().copied())).await.unwrap();
    cluster.seal(register, &cluster.transactions(register, 10..20)).await;
    let (chain, ids) = cluster.agreed(&members, register).await;
    assert_eq!(ids.len(), 20);
    assert_eq!(chain.governance().sealers().version(), 2);
    assert_eq!(*chain.governance().sealers().sealers(), cluster.keys(members));
}

#[tokio::test(start_paused = true)]
async fn a_group_of_one_grows_to_three_and_five_and_shrinks_without_its_first() {
    let cluster = Cluster::strangers(5).await;
    cluster.initialise([0]).await;
    let register = cluster.register_of(1, cluster.keys([0])).await;
    let mut sealed = 0;
    for members in [vec![0], vec![0, 1, 2], vec![0, 1, 2, 3, 4], vec![2, 3, 4]] {
        // A leader that is not to stay lets another lead, which then finishes.
        while let Err(refused) = cluster.at(cluster.leader().await).change(cluster.keys(members.iter().copied())).await
        {
            assert!(matches!(refused, GroupRefused::NotLeader { leader: Some(_) }), "{refused}");
        }
        cluster.seal(register, &cluster.transactions(register, sealed..sealed + 5)).await;
        sealed += 5;
        let (chain, ids) = cluster.agreed(&members, register).await;
        assert_eq!(*chain.governance().sealers().sealers(), cluster.keys(members));
        assert_eq!(ids.len() as u64, sealed);
    }
}

#[tokio::test(start_paused = true)]
async fn members_are_changed_by_the_leader_only() {
    let cluster = Cluster::group(3).await;
    let leader = cluster.leader().await;
    let other = (leader + 1) % 3;
    cluster.follows(other, cluster.key(leader)).await;
    let refused = cluster.at(other).change(cluster.keys(0..3)).await;
    assert_eq!(refused, Err(GroupRefused::NotLeader { leader: Some(cluster.key(leader)) }));
}

#[tokio::test(start_paused = true)]
async fn a_stranger_is_answered_nothing() {
    let cluster = Cluster::group(1).await;
    let stranger = NodeKey::from_seed([99; 32]).public();
    let answer = cluster.at(0).serve(stranger, Bytes::from_static(&[1, 6])).await;
    assert_eq!(answer, Bytes::from_static(b"\x01\0\0\0\0\x0cnot_a_sealer"));
    let answer = cluster.at(0).serve(cluster.key(0), Bytes::from_static(b"nonsense")).await;
    assert_eq!(answer, Bytes::from_static(b"\x01\0\0\0\0\x09malformed"));
}
