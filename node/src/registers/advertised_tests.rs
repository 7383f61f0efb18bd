#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{Advertised, Chosen, NotChosen, Registers};
use crate::testing::{NETWORK_UID, sealed::SealedRegister};
use futures::FutureExt;
use peerwright_engine::{Advertisement, HolderState, bounds::MAX_ADVERTISEMENTS_OF_A_PEER};
use peerwright_ledger::RegisterId;
use peerwright_secure::PeerId;
use peerwright_snapshot::{Content, ReplicaMode, Subscription};
use peerwright_store::{DocketStore, Memory, Store, StoreError};
use std::sync::Arc;

const OWN: PeerId = PeerId::from_bytes([1; 32]);
const SOURCE: PeerId = PeerId::from_bytes([2; 32]);

fn register(number: usize) -> RegisterId {
    RegisterId::from_bytes((number as u128).to_be_bytes())
}

fn public(numbers: impl IntoIterator<Item = usize>) -> Vec<(RegisterId, bool)> {
    numbers.into_iter().map(|number| (register(number), true)).collect()
}

/// What was chosen, after a restart.
async fn restarted(store: &Memory) -> Advertised {
    let advertised = Advertised::default();
    advertised.load(store).await.unwrap();
    advertised
}

#[tokio::test]
async fn a_register_is_private_until_it_is_made_public_and_stays_what_it_was_made_after_a_restart() {
    let store = Memory::new(NETWORK_UID);
    let advertised = restarted(&store).await;
    assert!(!advertised.is_public(&register(1)));

    let chosen = advertised.choose(&store, 5, &[(register(1), true), (register(2), true)], false).await;
    assert_eq!(chosen, Ok(Chosen { added: 2, removed: 0 }));
    advertised.choose(&store, 6, &[(register(2), false)], false).await.unwrap();

    for advertised in [&advertised, &restarted(&store).await] {
        assert!(advertised.is_public(&register(1)) && !advertised.is_public(&register(2)));
    }
}

#[tokio::test]
async fn what_changes_nothing_writes_nothing_and_wakes_nobody() {
    let store = Memory::new(NETWORK_UID);
    let advertised = restarted(&store).await;
    let mut choices = advertised.watch();
    advertised.choose(&store, 5, &public([1, 2]), false).await.unwrap();
    assert!(choices.has_changed().unwrap());
    choices.mark_unchanged();
    let written = store.commits();

    for (wanted, whole) in [(public([1]), false), (public([1, 2]), true), (vec![(register(3), false)], false)] {
        assert_eq!(advertised.choose(&store, 9, &wanted, whole).await, Ok(Chosen::default()));
    }
    advertised.forget(&store, register(3)).await.unwrap();
    assert_eq!((store.commits(), choices.has_changed().unwrap()), (written, false));
}

#[tokio::test]
async fn a_whole_list_makes_private_what_it_leaves_out() {
    let store = Memory::new(NETWORK_UID);
    let advertised = restarted(&store).await;
    advertised.choose(&store, 5, &public(1..=3), false).await.unwrap();
    let chosen = advertised.choose(&store, 6, &[(register(2), true), (register(4), true)], true).await;
    assert_eq!(chosen, Ok(Chosen { added: 1, removed: 2 }));
    let is_public = (1..=4).map(|number| advertised.is_public(&register(number)));
    assert!(is_public.eq([false, true, false, true]));
}

#[tokio::test]
async fn only_so_many_are_public_and_a_list_is_taken_as_a_whole_or_not_at_all() {
    let store = Memory::new(NETWORK_UID);
    let advertised = restarted(&store).await;
    advertised.choose(&store, 5, &public(1..MAX_ADVERTISEMENTS_OF_A_PEER), false).await.unwrap();
    let two_more = public([0, MAX_ADVERTISEMENTS_OF_A_PEER]);
    assert_eq!(advertised.choose(&store, 6, &two_more, false).await, Err(NotChosen::Full));
    assert!(!advertised.is_public(&register(0)));
    assert_eq!(restarted(&store).await.public().len(), MAX_ADVERTISEMENTS_OF_A_PEER - 1);
}

#[tokio::test]
async fn what_cannot_be_kept_is_not_in_force() {
    let store = Memory::new(NETWORK_UID);
    let advertised = restarted(&store).await;
    advertised.choose(&store, 5, &public([1]), false).await.unwrap();
    store.close().await.unwrap();
    let refused = advertised.choose(&store, 6, &[(register(1), false), (register(2), true)], false).await;
    assert_eq!(refused, Err(NotChosen::Store(StoreError::Closed)));
    assert!(advertised.is_public(&register(1)) && !advertised.is_public(&register(2)));
}

/// A node that holds a register of ten dockets, which is public there.
struct Holder {
    store: Arc<Memory>,
    registers: Registers,
    sealed: SealedRegister,
    content: Content,
}

impl Holder {
    async fn begin() -> Self {
        let (store, sealed) = (Arc::new(Memory::new(NETWORK_UID)), SealedRegister::of(9, 1));
        let registers = Registers::new(store.clone(), Arc::default());
        sealed.fill(&*store).await;
        let subscriptions = [(*sealed.register().as_bytes(), Subscription::default())].into();
        let content = Content { subscriptions, ..Content::default() };
        registers.advertised.choose(&*store, 1, &[(sealed.register(), true)], false).await.unwrap();
        Self { store, registers, sealed, content }
    }

    async fn told(&self) -> Vec<Advertisement> {
        self.registers.advertisements(&self.content, &OWN).await.unwrap()
    }

    async fn told_one(&self) -> (HolderState, u64, u64, String) {
        let [row] = self.told().await.try_into().unwrap();
        assert_eq!(row.register, self.sealed.register());
        (row.state, row.first, row.dockets, row.name)
    }
}

#[tokio::test]
async fn what_a_node_says_it_holds_is_what_its_store_holds_at_that_moment() {
    let mut holder = Holder::begin().await;
    let (register, sealed) = (holder.sealed.register(), || "sealed".to_owned());
    assert_eq!(holder.told_one().await, (HolderState::Syncing, 0, 10, sealed()));

    // Nobody has told the node of the docket: the store is asked.
    holder.sealed.seal(1);
    holder.sealed.fill(&*holder.store).await;
    holder.registers.standing.begin(register, ReplicaMode::FullReplica, 11);
    holder.registers.standing.heard(register, SOURCE, 11, 5);
    assert_eq!(holder.told_one().await, (HolderState::FullReplica, 0, 11, sealed()));

    holder.store.trim(register, 4).await.unwrap();
    assert_eq!(holder.told_one().await, (HolderState::FullReplica, 4, 11, String::new()));
    holder.content.sealers.insert(OWN);
    assert_eq!(holder.told_one().await.0, HolderState::Sealing);

    holder.store.purge_dockets(register).await.unwrap();
    assert_eq!(holder.told().await, []);
}

#[tokio::test]
async fn a_replica_says_how_far_it_is_in_every_state() {
    let holder = Holder::begin().await;
    let (register, standing) = (holder.sealed.register(), &holder.registers.standing);
    standing.begin(register, ReplicaMode::FullReplica, 10);
    standing.heard(register, SOURCE, 20, 5);
    assert_eq!(holder.told_one().await.0, HolderState::Syncing);
    for _ in 0..10 {
        standing.failed(register, "refused", "broken".to_owned(), 10, 6);
    }
    assert_eq!(holder.told_one().await.0, HolderState::Syncing, "it still has what it has");
    standing.frozen(register, "two histories".to_owned());
    assert_eq!(holder.told_one().await.0, HolderState::Frozen);
    standing.begin(register, ReplicaMode::ForwardOnly, 10);
    standing.heard(register, SOURCE, 10, 7);
    assert_eq!(holder.told_one().await.0, HolderState::ForwardOnly);
}

#[tokio::test]
async fn what_a_public_register_has_come_to_is_told_soon_also_when_no_docket_comes() {
    let holder = Holder::begin().await;
    let (register, standing) = (holder.sealed.register(), &holder.registers.standing);
    let is_told_soon = || holder.registers.advertised.moved.notified().now_or_never().is_some();
    // As after a restart: all is here, and a source says so.
    standing.begin(register, ReplicaMode::FullReplica, 10);
    is_told_soon();
    standing.heard(register, SOURCE, 10, 5);
    assert!(is_told_soon());
    assert_eq!(holder.told_one().await.0, HolderState::FullReplica);

    standing.heard(register, SOURCE, 10, 6);
    assert!(!is_told_soon(), "it is as it was");
    standing.forget(register);
    assert!(is_told_soon());

    holder.registers.advertised.choose(&*holder.store, 2, &[(register, false)], false).await.unwrap();
    standing.begin(register, ReplicaMode::FullReplica, 10);
    standing.heard(register, SOURCE, 10, 7);
    assert!(!is_told_soon(), "nobody is told of it");
}

#[tokio::test]
async fn a_private_register_and_one_that_this_node_is_to_delete_are_never_told() {
    let mut holder = Holder::begin().await;
    let register = holder.sealed.register();
    holder.registers.advertised.choose(&*holder.store, 2, &[(register, false)], false).await.unwrap();
    assert_eq!(holder.told().await, []);
    holder.registers.advertised.choose(&*holder.store, 3, &[(register, true)], false).await.unwrap();
    assert_eq!(holder.told().await.len(), 1);
    holder.content.subscriptions.clear();
    holder.content.purges.insert(*register.as_bytes());
    assert_eq!(holder.told().await, []);
}

#[tokio::test]
async fn a_public_register_that_others_are_to_hold_is_told_as_long_as_it_is_here() {
    let mut holder = Holder::begin().await;
    let register = holder.sealed.register();
    let elsewhere = Subscription { groups: ["demo-far".to_owned()].into(), ..Subscription::default() };
    holder.content.subscriptions.insert(*register.as_bytes(), elsewhere);
    assert_eq!(holder.told_one().await, (HolderState::Syncing, 0, 10, "sealed".to_owned()));
    holder.store.purge_dockets(register).await.unwrap();
    assert_eq!(holder.told().await, []);
}
