//! What holds when sealers and wires fail.

use super::{
    cluster::{Cluster, PATIENCE},
    register::encoded,
};
use crate::{GroupRefused, Outcome};
use futures::{StreamExt, stream::FuturesUnordered};
use peerwright_ledger::{Transaction, TransactionId};
use std::{collections::BTreeSet, time::Duration};
use tokio::time::Instant;

fn ids(transactions: &[Transaction]) -> BTreeSet<TransactionId> {
    transactions.iter().map(Transaction::id).collect()
}

pub(super) fn assert_each_once(sealed: &[TransactionId], handed_in: &[Transaction]) {
    assert_eq!(sealed.len(), handed_in.len(), "each is sealed once");
    assert_eq!(sealed.iter().copied().collect::<BTreeSet<_>>(), ids(handed_in));
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_dies_under_load_is_followed_within_two_seconds_and_nothing_is_lost_or_doubled() {
    let mut cluster = Cluster::group(3).await;
    let register = cluster.register(1).await;
    let first = cluster.leader().await;
    let transactions = cluster.transactions(register, 0..600);
    // The first leader dies with a hundred on their way.
    let (sealed_before, on_their_way) = (&transactions[..200], &transactions[200..300]);
    cluster.seal(register, sealed_before).await;
    let survivor = (first + 1) % 3;
    cluster.stored(survivor, register, 1).await;
    let group = cluster.at(first);
    let under_way = encoded(on_their_way);
    let handed_in = tokio::spawn(async move { group.submit(register, under_way).await });
    tokio::time::sleep(Duration::from_millis(11)).await;
    cluster.kill(first).await;
    let died = Instant::now();
    drop(handed_in.await);
    let register_head = cluster.at(survivor).chain(&register).unwrap().head().number;
    // The outbox hands in again what has no outcome, and goes on with the rest.
    let mut followed = cluster.at(survivor).follow();
    let rest = &transactions[200..];
    let (outcomes, committed_after) = tokio::join!(cluster.seal(register, rest), async {
        loop {
            let docket = followed.next().await.unwrap().unwrap();
            if docket.header.sealer != cluster.key(first) && docket.header.number > register_head {
                return died.elapsed();
            }
        }
    });
    assert!(committed_after <= Duration::from_secs(2), "the first commit came after {committed_after:?}");
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Sealed { .. } | Outcome::AlreadySealed)));
    cluster.start(first).await;
    let (_, sealed) = cluster.agreed(&[0, 1, 2], register).await;
    assert_each_once(&sealed, &transactions);
}

#[tokio::test(start_paused = true)]
async fn a_minority_takes_nothing_in_and_the_majority_goes_on() {
    let cluster = Cluster::group(3).await;
    let register = cluster.register(1).await;
    let old = cluster.leader().await;
    cluster.isolate(&[old]);
    let cut_at = Instant::now();
    let alone = cluster.transactions(register, 0..10);
    let group = cluster.at(old);
    let lost = tokio::spawn({
        let (group, alone) = (group.clone(), encoded(&alone));
        async move { group.submit(register, alone).await }
    });
    group.wait_until(|status| !status.is_leading).await;
    assert!(cut_at.elapsed() <= Duration::from_secs(2), "it took {:?} to notice", cut_at.elapsed());
    let refused = cluster.at(old).submit(register, encoded(&alone)).await.unwrap_err();
    assert_eq!(refused, GroupRefused::NotLeader { leader: None });
    let others = cluster.transactions(register, 10..20);
    cluster.seal(register, &others).await;
    assert_eq!(cluster.at(old).chain(&register).unwrap().head().number, 0, "nothing was certified alone");
    cluster.wires.heal();
    // What was handed in there was not acknowledged: its outbox hands it in again.
    let outcome = lost.await.unwrap();
    assert!(matches!(outcome, Err(GroupRefused::NotLeader { .. })), "{outcome:?}");
    cluster.seal(register, &alone).await;
    let (_, sealed) = cluster.agreed(&[0, 1, 2], register).await;
    assert_each_once(&sealed, &[alone, others].concat());
}

#[tokio::test(start_paused = true)]
async fn who_alone_hears_no_leader_ends_no_term() {
    let mut cluster = Cluster::group(3).await;
    let register = cluster.register(1).await;
    let leader = cluster.leader().await;
    let [deaf, other] = [1, 2].map(|next| (leader + next) % 3);
    let term = cluster.at(leader).status().term;
    cluster.wires.cut(cluster.key(leader), cluster.key(deaf));
    for number in 0..30 {
        cluster.seal(register, &cluster.transactions(register, number..number + 1)).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    // Also one that starts where it cannot hear the leader waits for it.
    cluster.kill(deaf).await;
    cluster.start(deaf).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let status = cluster.at(leader).status();
    assert_eq!((status.is_leading, status.term, cluster.at(deaf).status().term), (true, term, term));

    // Who has sealed less stands neither: whoever has more would refuse, and everybody would wait for another election.
    cluster.kill(leader).await;
    cluster.follows(deaf, cluster.key(other)).await;
    assert_eq!(cluster.at(other).status().term, term + 1);
}

#[tokio::test(start_paused = true)]
async fn a_proposal_that_a_snapshot_overtakes_holds_nothing_up() {
    let cluster = Cluster::group(3).await;
    let register = cluster.register(1).await;
    let old = cluster.leader().await;
    // The others have its entry in their logs, and it does not hear so.
    for other in cluster.all().filter(|other| *other != old) {
        cluster.wires.cut_one_way(cluster.key(other), cluster.key(old));
    }
    let lost = cluster.transactions(register, 0..1);
    let lost = tokio::spawn({
        let (group, lost) = (cluster.at(old), encoded(&lost));
        async move { group.submit(register, lost).await }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    cluster.isolate(&[old]);
    cluster.at(old).wait_until(|status| !status.is_leading).await;
    let kept = u64::from(cluster.settings.log_entries_kept);
    for number in 0..3 * kept {
        cluster.seal(register, &cluster.transactions(register, number..number + 1)).await;
    }
    cluster.wires.heal();
    cluster.stored(old, register, 3 * kept).await;
    let outcome = tokio::time::timeout(PATIENCE, lost).await.expect("an answer").unwrap();
    assert!(matches!(outcome, Err(GroupRefused::NotLeader { .. })), "{outcome:?}");
    let new = cluster.transactions(register, 3 * kept..3 * kept + 1);
    while cluster.leader().await != old {
        cluster.at(cluster.leader().await).hand_over().await.unwrap();
    }
    assert!(matches!(cluster.seal(register, &new).await[..], [Outcome::Sealed { .. }]));
}

#[tokio::test(start_paused = true)]
async fn a_sealer_that_is_started_again_catches_up_from_its_store() {
    let mut cluster = Cluster::group(3).await;
    let register = cluster.register(1).await;
    let transactions = cluster.transactions(register, 0..60);
    cluster.seal(register, &transactions[..20]).await;
    let away = (cluster.leader().await + 1) % 3;
    cluster.kill(away).await;
    cluster.seal(register, &transactions[20..40]).await;
    cluster.start(away).await;
    cluster.seal(register, &transactions[40..]).await;
    let (_, sealed) = cluster.agreed(&[0, 1, 2], register).await;
    assert_each_once(&sealed, &transactions);
}

#[tokio::test(start_paused = true)]
async fn a_group_that_stops_whole_goes_on_where_it_was_and_remembers_what_it_sealed() {
    let mut cluster = Cluster::group(3).await;
    let register = cluster.register(1).await;
    let transactions = cluster.transactions(register, 0..30);
    cluster.seal(register, &transactions[..20]).await;
    cluster.restart_all().await;
    let again = cluster.seal(register, &transactions[..20]).await;
    assert_eq!(again, vec![Outcome::AlreadySealed; 20]);
    cluster.seal(register, &transactions[20..]).await;
    let (_, sealed) = cluster.agreed(&[0, 1, 2], register).await;
    assert_each_once(&sealed, &transactions);
}

#[tokio::test(start_paused = true)]
async fn a_sealer_that_lost_its_volume_is_filled_from_what_the_others_hold() {
    let mut cluster = Cluster::strangers(3).await;
    cluster.settings.log_entries_kept = 8;
    cluster.restart_all().await;
    cluster.initialise(0..3).await;
    let register = cluster.register(1).await;
    let other = cluster.register(2).await;
    let transactions = cluster.transactions(register, 0..100);
    let lost = (cluster.leader().await + 1) % 3;
    cluster.kill(lost).await;
    cluster.wipe(lost);
    for transaction in transactions.chunks(2) {
        cluster.seal(register, transaction).await;
    }
    cluster.start(lost).await;
    let (chain, sealed) = cluster.agreed(&[0, 1, 2], register).await;
    assert_eq!(chain.head().number, 50);
    assert_each_once(&sealed, &transactions);
    cluster.agreed(&[0, 1, 2], other).await;
    // The leader tells it with every heartbeat up to where all is committed: then it knows that it lacks nothing.
    tokio::time::sleep(cluster.settings.heartbeat_interval * 4).await;
    // It takes part again: with another one gone there is a majority only with it.
    let gone = cluster.leader().await;
    cluster.kill(gone).await;
    let more = cluster.transactions(register, 100..110);
    cluster.seal(register, &more).await;
}

#[tokio::test(start_paused = true)]
async fn leadership_is_handed_over_at_once_and_nothing_is_refused_for_long() {
    for sealers in [3, 5] {
        let cluster = Cluster::group(sealers).await;
        let register = cluster.register(1).await;
        let transactions = cluster.transactions(register, 0..40);
        cluster.seal(register, &transactions[..20]).await;
        let old = cluster.leader().await;
        // Whoever has just been elected is stood by for a while.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let begun = Instant::now();
        let new = cluster.at(old).hand_over().await.unwrap().expect("somebody leads");
        assert_ne!(new, cluster.key(old));
        let handed_over = begun.elapsed();
        cluster.seal(register, &transactions[20..]).await;
        let most = if sealers == 3 { Duration::from_millis(300) } else { Duration::from_secs(2) };
        assert!(begun.elapsed() <= most, "{sealers} sealers took {handed_over:?}, {:?}", begun.elapsed());
        cluster.follows(old, new).await;
        let (_, sealed) = cluster.agreed(&cluster.all().collect::<Vec<_>>(), register).await;
        assert_each_once(&sealed, &transactions);
    }
}

#[tokio::test(start_paused = true)]
async fn under_load_one_election_hands_leadership_over() {
    let cluster = Cluster::group(3).await;
    let register = cluster.register(1).await;
    // One every few milliseconds, whatever becomes of those before.
    let loading = async {
        let mut handed_in = FuturesUnordered::new();
        for number in 0.. {
            let transactions = cluster.transactions(register, number..number + 1);
            let cluster = &cluster;
            handed_in.push(async move { cluster.seal(register, &transactions).await });
            let next = tokio::time::sleep(Duration::from_millis(3));
            drop(tokio::time::timeout_at(next.deadline(), handed_in.next()).await);
            next.await;
        }
    };
    let handing_over = async {
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(1_413)).await;
            let old = cluster.at(cluster.leader().await);
            let (begun, term) = (Instant::now(), old.status().term);
            assert!(old.hand_over().await.unwrap().is_some());
            assert_eq!(old.status().term, term + 1);
            assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
            old.stay();
        }
    };
    tokio::select! {
        _ = loading => {}
        () = handing_over => {}
    }
}

#[tokio::test(start_paused = true)]
async fn one_sealer_alone_cannot_hand_over_and_goes_on() {
    let cluster = Cluster::group(1).await;
    let register = cluster.register(1).await;
    let refused = cluster.at(0).hand_over().await.unwrap_err();
    assert_eq!(refused, GroupRefused::NotLeader { leader: None });
    cluster.seal(register, &cluster.transactions(register, 0..1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_sealer_that_lost_its_volume_begins_no_group_beside_the_one_that_is_there() {
    let mut cluster = Cluster::group(3).await;
    let register = cluster.register(1).await;
    let lost = (cluster.leader().await + 1) % 3;
    cluster.kill(lost).await;
    cluster.wipe(lost);
    cluster.start(lost).await;
    let members = cluster.keys(cluster.all());
    assert_eq!(cluster.at(lost).initialise(members).await, Ok(()));
    cluster.seal(register, &cluster.transactions(register, 0..10)).await;
    cluster.agreed(&[0, 1, 2], register).await;
}

#[tokio::test(start_paused = true)]
async fn a_group_begins_when_all_its_first_members_have_answered() {
    let mut cluster = Cluster::strangers(3).await;
    cluster.kill(2).await;
    let members = cluster.keys(cluster.all());
    let refused = cluster.at(0).initialise(members.clone()).await;
    assert_eq!(refused, Err(GroupRefused::Unanswered(cluster.key(2))));
    cluster.start(2).await;
    for node in cluster.all() {
        cluster.at(node).initialise(members.clone()).await.unwrap();
    }
    cluster.register(1).await;
}
