//! Most sealers are lost for good, and one goes on.

use super::{
    cluster::{Cluster, PATIENCE},
    register::{encoded, genesis_of, owner, verify_as_a_stranger},
};
use crate::{
    Authorities, GroupParts, GroupRefused, NotAlone, NotStarted, Outcome, Survivor, WentOn, core::extension,
    generation_of, go_on_alone, registers::ids,
};
use futures::future::BoxFuture;
use peerwright_ledger::{
    Chain, CommitCertificate, Docket, DocketBody, DocketHeader, RegisterId, SealedDocket, Transaction, TransactionId,
    Verify, endorse,
};
use peerwright_secure::NodePublicKey;
use peerwright_store::{DocketStore, SealingStore, Seen, StoredDocket};
use std::{collections::BTreeSet, future::ready, num::NonZeroU64, time::Duration};

/// The registers' authority, which names those whom it was told of.
struct Owner(BTreeSet<NodePublicKey>);

impl Authorities for Owner {
    fn endorse(
        &self,
        authority: NodePublicKey,
        (header, body): SealedDocket,
    ) -> BoxFuture<'_, Result<CommitCertificate, String>> {
        assert_eq!(authority, owner().public());
        let endorsed = endorse(&header, &body, &self.0, &owner());
        Box::pin(ready(endorsed.map_err(|refused| refused.to_string())))
    }
}

/// Nobody who could sign is left.
struct Nobody;

impl Authorities for Nobody {
    fn endorse(&self, _: NodePublicKey, _: SealedDocket) -> BoxFuture<'_, Result<CommitCertificate, String>> {
        Box::pin(ready(Err("nobody knows where it is".to_owned())))
    }
}

async fn alone(
    cluster: &Cluster,
    survivor: usize,
    generation: u64,
    authorities: &dyn Authorities,
) -> Result<Option<WentOn>, NotAlone> {
    let (key, store) = cluster.at_rest(survivor);
    let (clock, generation) = (cluster.clock(survivor), NonZeroU64::new(generation).unwrap());
    go_on_alone(Survivor { key, store, authorities, clock, generation }).await
}

impl Cluster {
    async fn kill_all(&mut self) {
        for node in self.all() {
            self.kill(node).await;
        }
    }

    /// The survivor goes on, by the owner's word.
    async fn goes_on(&mut self, survivor: usize) -> WentOn {
        let owner = Owner(self.keys([survivor]));
        let went_on = alone(self, survivor, 1, &owner).await.unwrap().expect("it has not before");
        self.generation = 1;
        self.start(survivor).await;
        assert_eq!(self.leader().await, survivor);
        went_on
    }

    async fn sealed_at(&self, node: usize, register: RegisterId) -> (Chain, Vec<TransactionId>) {
        verify_as_a_stranger(&**self.store(node), register, self.now()).await
    }
}

fn each_once(sealed: &[TransactionId], handed_in: &[Transaction]) {
    assert_eq!(sealed.len(), handed_in.len(), "each is sealed once");
    let handed_in: BTreeSet<_> = handed_in.iter().map(Transaction::id).collect();
    assert_eq!(sealed.iter().copied().collect::<BTreeSet<_>>(), handed_in);
}

#[tokio::test(start_paused = true)]
async fn one_of_three_goes_on_with_all_that_was_certified_and_others_are_taken_in() {
    let mut cluster = Cluster::group(3).await;
    let register = cluster.register(1).await;
    let transactions = cluster.transactions(register, 0..60);
    cluster.seal(register, &transactions[..20]).await;
    let survivor = (cluster.leader().await + 1) % 3;
    cluster.agreed(&[0, 1, 2], register).await;
    let before = cluster.sealed_at(survivor, register).await.0;
    cluster.kill_all().await;
    for lost in cluster.all().filter(|node| *node != survivor) {
        cluster.wipe(lost);
    }

    let went_on = cluster.goes_on(survivor).await;
    assert_eq!(went_on.continued, [(register, before.head().number)].into());
    assert!(went_on.stranded.is_empty() && cluster.at(survivor).stranded().is_empty());
    let again = cluster.seal(register, &transactions[..20]).await;
    assert_eq!(again, vec![Outcome::AlreadySealed; 20], "it remembers what was sealed");
    cluster.seal(register, &transactions[20..40]).await;
    let (chain, sealed) = cluster.sealed_at(survivor, register).await;
    each_once(&sealed, &transactions[..40]);
    assert_eq!(*chain.governance().sealers().sealers(), cluster.keys([survivor]));
    let new = cluster.register_of(2, cluster.keys([survivor])).await;

    for lost in cluster.all().filter(|node| *node != survivor) {
        cluster.start(lost).await;
    }
    cluster.at(survivor).change(cluster.keys(0..3)).await.unwrap();
    cluster.seal(register, &transactions[40..]).await;
    let (chain, sealed) = cluster.agreed(&[0, 1, 2], register).await;
    each_once(&sealed, &transactions);
    assert_eq!(*chain.governance().sealers().sealers(), cluster.keys(0..3));
    cluster.agreed(&[0, 1, 2], new).await;
    // A group as any other: it goes on without any one of them.
    cluster.kill(survivor).await;
    cluster.seal(register, &cluster.transactions(register, 60..70)).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_in_the_log_and_not_certified_is_sealed_anew() {
    let mut cluster = Cluster::group(3).await;
    let register = cluster.register(1).await;
    let transactions = cluster.transactions(register, 0..30);
    cluster.seal(register, &transactions[..20]).await;
    let survivor = cluster.leader().await;
    cluster.isolate(&[survivor]);
    let (group, under_way) = (cluster.at(survivor), encoded(&transactions[20..]));
    let before = group.status().last_index;
    let handed_in = tokio::spawn(async move { group.submit(register, under_way).await });
    let is_in_the_log = cluster.at(survivor);
    assert!(is_in_the_log.wait_until(|status| status.last_index > before).await);
    drop(is_in_the_log);
    cluster.kill_all().await;
    drop(handed_in.await);

    let went_on = cluster.goes_on(survivor).await;
    assert_eq!((went_on.sealed_anew, went_on.left_out), (10, 0));
    let sealing = cluster.seal(register, &transactions[20..]).await;
    assert_eq!(sealing, vec![Outcome::AlreadySealed; 10], "nobody has handed them in again");
    each_once(&cluster.sealed_at(survivor, register).await.1, &transactions);
}

#[tokio::test(start_paused = true)]
async fn sealers_that_come_back_with_their_volumes_neither_elect_nor_sign_and_are_taken_in_anew() {
    let mut cluster = Cluster::group(3).await;
    let register = cluster.register(1).await;
    let transactions = cluster.transactions(register, 0..30);
    cluster.seal(register, &transactions[..10]).await;
    cluster.agreed(&[0, 1, 2], register).await;
    let survivor = cluster.leader().await;
    let back: Vec<usize> = cluster.all().filter(|node| *node != survivor).collect();
    cluster.kill_all().await;
    cluster.goes_on(survivor).await;
    cluster.seal(register, &transactions[10..20]).await;
    // They have not heard of it.
    let heard = std::mem::take(&mut cluster.generation);
    for node in &back {
        cluster.start(*node).await;
    }
    let group = cluster.at(back[0]);
    let is_led = group.wait_until(|status| status.leader.is_some());
    assert_eq!(tokio::time::timeout(PATIENCE, is_led).await, Ok(true), "they are most of the group before");
    tokio::time::sleep(Duration::from_secs(30)).await;
    let status = cluster.at(survivor).status();
    assert!(status.is_leading && status.sealers == cluster.keys([survivor]), "{status:?}");
    let (chain, sealed) = cluster.sealed_at(survivor, register).await;
    each_once(&sealed, &transactions[..20]);

    // Now they have.
    cluster.generation = heard;
    for node in &back {
        cluster.kill(*node).await;
        cluster.start(*node).await;
        let group = cluster.at(*node);
        assert_eq!(group.initialise(cluster.keys(0..3)).await, Ok(()));
        assert_eq!(
            (group.status().last_index, group.status().leader),
            (None, None),
            "of the log before nothing is left"
        );
        assert!(group.chain(&register).is_some_and(|held| held.head().number < chain.head().number));
    }
    cluster.at(survivor).change(cluster.keys(0..3)).await.unwrap();
    cluster.seal(register, &transactions[20..]).await;
    each_once(&cluster.agreed(&[0, 1, 2], register).await.1, &transactions);
}

#[tokio::test(start_paused = true)]
async fn who_sealed_something_else_meanwhile_is_not_taken_in() {
    let mut cluster = Cluster::group(3).await;
    let register = cluster.register(1).await;
    let transactions = cluster.transactions(register, 0..30);
    cluster.seal(register, &transactions[..10]).await;
    cluster.agreed(&[0, 1, 2], register).await;
    let survivor = cluster.leader().await;
    let back: Vec<usize> = cluster.all().filter(|node| *node != survivor).collect();
    cluster.kill(survivor).await;
    // What only they have, and nobody fetched from them.
    cluster.seal(register, &transactions[10..20]).await;
    cluster.seal(register, &transactions[20..]).await;
    for node in &back {
        cluster.kill(*node).await;
    }
    cluster.goes_on(survivor).await;
    cluster.start(back[0]).await;
    let changing = cluster.at(survivor);
    let changing = changing.change(cluster.keys([survivor, back[0]]));
    assert!(tokio::time::timeout(Duration::from_secs(20), changing).await.is_err(), "it never catches up");

    assert_eq!(cluster.at(survivor).status().sealers, cluster.keys([survivor]));
    cluster.seal(register, &transactions[10..]).await;
    let (chain, sealed) = cluster.sealed_at(survivor, register).await;
    each_once(&sealed, &transactions);
    let theirs = cluster.at(back[0]).chain(&register).unwrap();
    assert_ne!(theirs.head().hash, chain.head().hash, "both histories are kept, each where it is");
}

#[tokio::test(start_paused = true)]
async fn a_register_whose_authority_is_gone_is_kept_and_sealed_no_more() {
    let mut cluster = Cluster::group(3).await;
    let leader = cluster.leader().await;
    let survivor = (leader + 1) % 3;
    let (key, sealers) = (cluster.node_key(survivor).clone(), cluster.keys(0..3));
    let stranded = cluster.register(1).await;
    // The survivor's own key is the authority of the other one.
    let own = cluster.at(leader).create(genesis_of(sealers, 2, 10, &key)).await.unwrap();
    let transactions = [cluster.transactions(stranded, 0..10), cluster.transactions(own, 0..20)].concat();
    cluster.seal(stranded, &transactions[..10]).await;
    cluster.seal(own, &transactions[10..20]).await;
    cluster.agreed(&[0, 1, 2], stranded).await;
    cluster.agreed(&[0, 1, 2], own).await;
    cluster.kill_all().await;

    let went_on = alone(&cluster, survivor, 1, &Nobody).await.unwrap().unwrap();
    assert_eq!(went_on.continued.keys().collect::<Vec<_>>(), [&own]);
    assert_eq!(went_on.stranded[&stranded].authority, owner().public());
    assert_eq!(went_on.stranded[&stranded].why, "nobody knows where it is");
    cluster.generation = 1;
    cluster.start(survivor).await;
    cluster.leader().await;
    let group = cluster.at(survivor);
    assert_eq!(group.stranded(), [stranded].into());
    let more = cluster.transactions(stranded, 10..20);
    assert_eq!(group.submit(stranded, encoded(&more)).await, Err(GroupRefused::Stranded(stranded)));
    cluster.seal(own, &transactions[20..]).await;
    each_once(&cluster.sealed_at(survivor, stranded).await.1, &transactions[..10]);

    // It does not hold up what the others do.
    let other = (survivor + 1) % 3;
    let members = cluster.keys([survivor, other]);
    // The operator names those no more that are lost.
    cluster.permit(members.clone());
    cluster.wipe(other);
    cluster.start(other).await;
    group.change(members).await.unwrap();
    each_once(&cluster.agreed(&[survivor, other], own).await.1, &transactions[10..]);
    each_once(&cluster.agreed(&[survivor, other], stranded).await.1, &transactions[..10]);
}

#[tokio::test(start_paused = true)]
async fn it_is_done_once_and_by_who_is_to_do_it() {
    let mut cluster = Cluster::group(3).await;
    let register = cluster.register(1).await;
    cluster.seal(register, &cluster.transactions(register, 0..10)).await;
    cluster.kill_all().await;
    let owner = Owner(cluster.keys([0]));
    let start = |generation| {
        let (key, store) = cluster.at_rest(0);
        let transport = cluster.wire(0);
        let parts = GroupParts {
            key,
            store,
            transport,
            clock: cluster.clock(0),
            settings: cluster.settings.clone(),
            generation,
            permitted: BTreeSet::new(),
        };
        async move { crate::Group::start(parts).await.map(drop) }
    };
    assert!(alone(&cluster, 0, 1, &owner).await.unwrap().is_some());
    let written = cluster.store(0).writes();
    assert_eq!(generation_of(cluster.at_rest(0).1).await, Ok(1));
    assert_eq!(alone(&cluster, 0, 1, &owner).await, Ok(None));
    assert_eq!(cluster.store(0).writes(), written, "asked again it does nothing");
    assert!(matches!(start(0).await, Err(NotStarted::LaterGeneration(1))));
    // It happens again.
    let second = alone(&cluster, 0, 2, &owner).await.unwrap().unwrap();
    assert_eq!(second.continued.keys().collect::<Vec<_>>(), [&register]);
    assert_eq!(alone(&cluster, 0, 1, &owner).await, Err(NotAlone::LaterGeneration(2)));

    cluster.wipe(1);
    assert_eq!(alone(&cluster, 1, 3, &owner).await, Err(NotAlone::NothingHeld));
}

#[tokio::test(start_paused = true)]
async fn a_volume_without_room_leaves_the_sealer_of_the_group_that_it_was_of() {
    let mut cluster = Cluster::group(3).await;
    let register = cluster.register(1).await;
    let transactions = cluster.transactions(register, 0..10);
    cluster.seal(register, &transactions).await;
    cluster.agreed(&[0, 1, 2], register).await;
    cluster.kill_all().await;
    let (owner, before) = (Owner(cluster.keys([0])), cluster.store(0).log_state().await);
    cluster.store(0).set_full(true);
    let waiting = alone(&cluster, 0, 1, &owner);
    assert!(tokio::time::timeout(Duration::from_secs(5), waiting).await.is_err());
    assert_eq!(cluster.store(0).log_state().await, before);
    cluster.store(0).set_full(false);
    // Nothing has happened: they are a group as before.
    for node in cluster.all() {
        cluster.start(node).await;
    }
    cluster.seal(register, &cluster.transactions(register, 10..20)).await;
    assert_eq!(cluster.agreed(&[0, 1, 2], register).await.0.governance().sealers().version(), 1);
}

fn docket(stored: StoredDocket) -> Docket {
    Docket {
        header: DocketHeader::decode(&stored.header.header).unwrap(),
        certificate: CommitCertificate::decode(&stored.header.certificate.unwrap()).unwrap(),
        body: DocketBody::decode(stored.body).unwrap(),
    }
}

/// What other nodes hold is fetched before a sealer goes on alone.
async fn fetch(cluster: &Cluster, from: usize, to: usize, register: RegisterId) {
    let to = cluster.store(to);
    let mut chain = to.checkpoint(register).await.unwrap().map(|checkpoint| Chain::decode(&checkpoint).unwrap());
    let next = chain.as_ref().map_or(0, |chain| chain.head().number + 1);
    let stored = cluster.store(from).dockets(register, next, Seen::Certified, usize::MAX, usize::MAX).await.unwrap();
    for docket in stored.into_iter().map(docket) {
        let taken = match &mut chain {
            Some(chain) => chain.extend(&docket, Verify::Docket, cluster.now()).unwrap(),
            None => {
                chain = Some(Chain::begin(&docket, cluster.now()).unwrap());
                ids(&docket.body)
            }
        };
        let checkpoint = chain.as_ref().unwrap().encode();
        to.extend(vec![extension(register, [(docket, taken)], checkpoint)]).await.unwrap();
    }
}

/// Wherever the group was when it was lost: what was certified stays, and what was acknowledged is there once.
#[tokio::test(start_paused = true)]
async fn no_certified_docket_disappears_or_changes_whenever_the_others_are_lost() {
    for seed in 0..12_u64 {
        let mut cluster = Cluster::group(3).await;
        let register = cluster.register(1).await;
        let transactions = cluster.transactions(register, 0..60);
        cluster.seal(register, &transactions[..20]).await;
        let leader = cluster.leader().await;
        let survivor = (leader + usize::try_from(seed % 3).unwrap()) % 3;
        if seed % 4 == 1 {
            // The survivor lags; the others go on.
            cluster.isolate(&[survivor]);
        }
        let late = cluster.at(cluster.all().find(|node| *node != survivor).unwrap());
        let under_way = encoded(&transactions[20..]);
        let handed_in = [cluster.at(leader), late].map(|group| {
            let under_way = under_way.clone();
            tokio::spawn(async move { drop(group.submit(register, under_way).await) })
        });
        tokio::time::sleep(Duration::from_millis(seed * 3)).await;
        cluster.kill_all().await;
        for handing_in in handed_in {
            drop(handing_in.await);
        }
        cluster.wires.heal();
        for other in cluster.all().filter(|node| *node != survivor) {
            fetch(&cluster, other, survivor, register).await;
        }
        let (before, certified) = cluster.sealed_at(survivor, register).await;
        let went_on = cluster.goes_on(survivor).await;
        assert_eq!(went_on.continued[&register], before.head().number, "seed {seed}");
        cluster.seal(register, &transactions).await;
        let (_, sealed) = cluster.sealed_at(survivor, register).await;
        assert_eq!(sealed[..certified.len()], certified, "seed {seed}");
        each_once(&sealed, &transactions);
    }
}
