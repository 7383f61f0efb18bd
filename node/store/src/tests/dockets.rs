//! What every store does with dockets and with the sealing log.

use super::{
    docket_fixtures::{Nth, checkpoint, extension},
    fixtures::{NETWORK, register},
};
use crate::{
    Applied, Extension, LogEntry, LogState, Memory, NewDocket, NewLog, Postgres, SealingStore, Seen, Sqlite, Store,
    StoreError, TransactionPlace, postgres::tests::fresh,
};
use peerwright_ledger::TransactionId;

/// Runs a test on every store.
macro_rules! on_every_store {
    ($($name:ident),* $(,)?) => {
        mod memory {
            use super::*;
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name(&Memory::new(NETWORK)).await;
                }
            )*
        }

        mod sqlite {
            use super::*;
            $(
                #[tokio::test]
                async fn $name() {
                    let directory = tempfile::tempdir().unwrap();
                    let store = Sqlite::open(&directory.path().join("store.sqlite"), NETWORK).await.unwrap();
                    super::$name(&store).await;
                    store.close().await.unwrap();
                }
            )*
        }

        mod postgres {
            use super::*;
            $(
                #[tokio::test]
                async fn $name() {
                    let store = Postgres::open(fresh(), NETWORK).await.unwrap();
                    super::$name(&store).await;
                    store.close().await.unwrap();
                }
            )*
        }
    };
}

on_every_store!(
    dockets_are_given_back_with_the_checkpoint_of_the_head,
    a_docket_that_does_not_follow_is_refused_and_nothing_of_its_call_is_stored,
    a_docket_that_names_another_predecessor_is_refused,
    readers_for_others_see_dockets_only_up_to_the_first_without_certificate,
    a_certificate_for_another_docket_is_refused,
    trimming_keeps_the_head_and_forgets_the_transactions_below,
    a_purged_register_begins_anew,
    a_transaction_is_found_with_and_without_the_index,
    a_range_ends_at_the_budget_and_is_never_empty,
    the_log_has_no_holes,
    what_was_applied_is_stored_with_its_dockets_or_not_at_all,
    another_log_takes_the_place_of_the_one_before_with_its_dockets_or_not_at_all,
);

fn numbers(dockets: Vec<crate::StoredDocket>) -> Vec<u64> {
    dockets.into_iter().map(|docket| docket.header.number).collect()
}

async fn dockets_are_given_back_with_the_checkpoint_of_the_head(store: &dyn SealingStore) {
    store.extend(vec![extension(1, 0..2), extension(1, 2..3), extension(2, 7..9)]).await.unwrap();

    let held = store.registers().await.unwrap();
    assert_eq!(held.iter().map(|held| (held.first, held.head)).collect::<Vec<_>>(), [(0, 2), (7, 8)]);
    assert_eq!(held[0].head_hash, Nth::of(1, 2).hash());
    assert_eq!((held[0].transactions, held[0].body_bytes), (6, 2703));
    assert_eq!(store.held_dockets(register(1)).await, Ok(Some(held[0])));
    assert_eq!(store.held_dockets(register(3)).await, Ok(None));
    assert_eq!(store.checkpoint(register(1)).await, Ok(Some(checkpoint(1, 3))));
    assert_eq!(store.checkpoint(register(3)).await, Ok(None));
    let docket = store.docket(register(2), 8, Seen::All).await.unwrap().unwrap();
    let NewDocket { header, body, certificate, transactions, .. } = Nth::of(2, 8).certified();
    assert_eq!((docket.header.header, docket.body, docket.header.certificate), (header, body, certificate));
    assert_eq!(docket.header.hash, Nth::of(2, 8).hash());
    assert_eq!(store.transaction_ids(register(2), 8, 1).await.unwrap()[0].transactions, transactions);
}

async fn a_docket_that_does_not_follow_is_refused_and_nothing_of_its_call_is_stored(store: &dyn SealingStore) {
    store.extend(vec![extension(1, 0..3)]).await.unwrap();
    for (from, expected) in [(1, 1), (2, 2), (4, 4)] {
        let refused = store.extend(vec![extension(2, 0..1), extension(1, from..6)]).await;
        assert_eq!(refused, Err(StoreError::DocketNotNext { register: register(1), number: expected, head: 2 }));
    }
    assert_eq!(store.held_dockets(register(2)).await, Ok(None));
    assert_eq!(store.checkpoint(register(1)).await, Ok(Some(checkpoint(1, 3))));
}

async fn a_docket_that_names_another_predecessor_is_refused(store: &dyn SealingStore) {
    store.extend(vec![extension(1, 0..3)]).await.unwrap();
    let other = Nth { register: 1, seed: 9, number: 3 }.certified();
    let fork = Extension { register: register(1), dockets: vec![other], checkpoint: "fork".into() };
    let refused = StoreError::DocketBreaksChain { register: register(1), number: 3 };
    assert_eq!(store.extend(vec![fork]).await, Err(refused));

    let orphan = NewDocket { previous: None, ..Nth::of(2, 5).certified() };
    let orphan = Extension { register: register(2), dockets: vec![orphan], checkpoint: "orphan".into() };
    let refused = StoreError::DocketBreaksChain { register: register(2), number: 5 };
    assert_eq!(store.extend(vec![orphan]).await, Err(refused));
}

async fn readers_for_others_see_dockets_only_up_to_the_first_without_certificate(store: &dyn SealingStore) {
    let of = register(1);
    let dockets = (0..4).map(|number| Nth::of(1, number).docket()).collect();
    store.extend(vec![Extension { register: of, dockets, checkpoint: "sealed".into() }]).await.unwrap();
    let certified = async |store: &dyn SealingStore| {
        let held = store.held_dockets(of).await.unwrap().unwrap().certified_through;
        let seen = store.dockets(of, 0, Seen::Certified, 9, usize::MAX).await.unwrap();
        assert_eq!(seen.len() as u64, held.map_or(0, |last| last + 1));
        assert_eq!(store.headers(of, 0, Seen::Certified, 9).await.unwrap().len(), seen.len());
        held
    };
    assert_eq!(certified(store).await, None);
    store.certify(vec![Nth::of(1, 1).certificate(), Nth::of(1, 3).certificate()]).await.unwrap();
    assert_eq!(certified(store).await, None);
    store.certify(vec![Nth::of(1, 0).certificate()]).await.unwrap();
    assert_eq!(certified(store).await, Some(1));
    let id = Nth::of(1, 2).transactions()[0];
    assert_eq!(store.find(of, id, Seen::Certified).await, Ok(None));
    assert_eq!(store.find(of, id, Seen::All).await, Ok(Some(TransactionPlace { number: 2, position: 0 })));
    assert_eq!(store.docket(of, 2, Seen::Certified).await, Ok(None));
    store.certify(vec![Nth::of(1, 2).certificate(), Nth::of(1, 2).certificate()]).await.unwrap();
    assert_eq!(certified(store).await, Some(3));
    assert_eq!(numbers(store.dockets(of, 2, Seen::Certified, 9, usize::MAX).await.unwrap()), [2, 3]);
}

async fn a_certificate_for_another_docket_is_refused(store: &dyn SealingStore) {
    let dockets = vec![Nth::of(1, 0).docket()];
    let of = register(1);
    store.extend(vec![Extension { register: of, dockets, checkpoint: "sealed".into() }]).await.unwrap();
    let other = Nth { register: 1, seed: 9, number: 0 }.certificate();
    let right = Nth::of(1, 0).certificate();
    let refused = store.certify(vec![right.clone(), other]).await;
    assert_eq!(refused, Err(StoreError::DocketDiffers { register: of, number: 0 }));
    let refused = store.certify(vec![right.clone(), Nth::of(1, 1).certificate()]).await;
    assert_eq!(refused, Err(StoreError::DocketNotHeld { register: of, number: 1 }));
    assert_eq!(store.held_dockets(of).await.unwrap().unwrap().certified_through, None);

    let refused = store.replace_docket(of, Nth { register: 1, seed: 9, number: 0 }.certified()).await;
    assert_eq!(refused, Err(StoreError::DocketDiffers { register: of, number: 0 }));
    store.replace_docket(of, Nth::of(1, 0).certified()).await.unwrap();
    store.replace_docket(of, Nth::of(1, 0).docket()).await.unwrap();
    let held = store.docket(of, 0, Seen::Certified).await.unwrap().unwrap();
    assert_eq!(held.header.certificate, Some(right.certificate));
}

async fn trimming_keeps_the_head_and_forgets_the_transactions_below(store: &dyn SealingStore) {
    let of = register(1);
    store.extend(vec![extension(1, 0..9)]).await.unwrap();
    store.trim(of, 4).await.unwrap();
    store.trim(of, 2).await.unwrap();
    let held = store.held_dockets(of).await.unwrap().unwrap();
    assert_eq!((held.first, held.head, held.certified_through), (4, 8, Some(8)));
    let transactions: usize = (4..9).map(|number| Nth::of(1, number).transactions().len()).sum();
    assert_eq!(held.transactions, transactions as u64);
    assert_eq!(store.docket(of, 3, Seen::All).await, Ok(None));
    assert_eq!(store.dockets(of, 3, Seen::All, 9, usize::MAX).await, Ok(Vec::new()));
    assert_eq!(store.headers(of, 0, Seen::All, 1).await.unwrap()[0].number, 4);
    assert_eq!(store.find(of, Nth::of(1, 3).transactions()[0], Seen::All).await, Ok(None));

    store.trim(of, u64::MAX).await.unwrap();
    let held = store.held_dockets(of).await.unwrap().unwrap();
    assert_eq!((held.first, held.head), (8, 8));
    store.extend(vec![extension(1, 9..10)]).await.unwrap();
    assert_eq!(numbers(store.dockets(of, 8, Seen::All, 9, usize::MAX).await.unwrap()), [8, 9]);
}

async fn a_purged_register_begins_anew(store: &dyn SealingStore) {
    let of = register(1);
    store.extend(vec![extension(1, 0..9), extension(2, 0..2)]).await.unwrap();
    assert_eq!(store.purge_dockets(of).await, Ok(9));
    assert_eq!(store.purge_dockets(of).await, Ok(0));
    assert_eq!(store.held_dockets(of).await, Ok(None));
    assert_eq!(store.checkpoint(of).await, Ok(None));
    assert_eq!(store.find(of, Nth::of(1, 3).transactions()[0], Seen::All).await, Ok(None));
    store.extend(vec![extension(1, 5..6)]).await.unwrap();
    let held = store.held_dockets(of).await.unwrap().unwrap();
    assert_eq!((held.first, held.head, held.transactions), (5, 5, 1));
    assert_eq!(store.held_dockets(register(2)).await.unwrap().unwrap().head, 1);
}

async fn a_transaction_is_found_with_and_without_the_index(store: &dyn SealingStore) {
    let of = register(1);
    store.extend(vec![extension(1, 0..20), extension(2, 0..20)]).await.unwrap();
    let all_found = async |store: &dyn SealingStore| {
        for number in 0..20 {
            for (position, id) in (0..).zip(Nth::of(1, number).transactions()) {
                let found = store.find(of, id, Seen::Certified).await;
                assert_eq!(found, Ok(Some(TransactionPlace { number, position })));
                assert_eq!(store.find(register(2), id, Seen::All).await, Ok(None));
            }
        }
    };
    assert_eq!(store.held_dockets(of).await.unwrap().unwrap().indexed_through, None);
    all_found(store).await;
    assert_eq!(store.index(of).await, Ok(Some(19)));
    assert_eq!(store.held_dockets(of).await.unwrap().unwrap().indexed_through, Some(19));
    all_found(store).await;
    assert_eq!(store.find(of, TransactionId::from_bytes([255; 32]), Seen::All).await, Ok(None));
    store.drop_index(of).await.unwrap();
    all_found(store).await;
    assert_eq!(store.index(register(3)).await, Ok(None));
}

async fn a_range_ends_at_the_budget_and_is_never_empty(store: &dyn SealingStore) {
    let of = register(1);
    store.extend(vec![extension(1, 0..9)]).await.unwrap();
    // Bodies of 1, 901, 1801, ... bytes.
    let read = async |from, max_dockets, max_bytes| {
        numbers(store.dockets(of, from, Seen::All, max_dockets, max_bytes).await.unwrap())
    };
    assert_eq!(read(0, 9, 902).await, [0, 1]);
    assert_eq!(read(0, 9, 901).await, [0]);
    assert_eq!(read(3, 9, 0).await, [3]);
    assert_eq!(read(3, 2, usize::MAX).await, [3, 4]);
    assert_eq!(read(3, 0, usize::MAX).await, []);
    assert_eq!(read(9, 9, usize::MAX).await, []);
    assert_eq!(store.headers(of, 7, Seen::All, 5).await.unwrap().len(), 2);
    assert_eq!(store.transaction_ids(of, 0, 3).await.unwrap().len(), 2);
    assert_eq!(store.transaction_ids(of, 4, 0).await.unwrap().len(), 1);
}

fn entry(index: u64) -> LogEntry {
    LogEntry { index, bytes: format!("entry {index}").into() }
}

async fn the_log_has_no_holes(store: &dyn SealingStore) {
    assert_eq!(store.log_state().await, Ok(LogState::default()));
    store.append_log((0..6).map(entry).collect()).await.unwrap();
    store.save_vote("vote".into()).await.unwrap();
    assert_eq!(store.append_log(vec![entry(7)]).await, Err(StoreError::LogNotNext { index: 7, last: 5 }));
    assert_eq!(store.append_log(vec![entry(6), entry(8)]).await, Err(StoreError::LogNotNext { index: 8, last: 6 }));
    assert_eq!(store.read_log(2, 5, usize::MAX).await, Ok(vec![entry(2), entry(3), entry(4)]));
    assert_eq!(store.read_log(2, u64::MAX, 14).await, Ok(vec![entry(2), entry(3)]));
    assert_eq!(store.read_log(2, 5, 0).await, Ok(vec![entry(2)]));
    assert_eq!(store.read_log(5, 2, 9).await, Ok(Vec::new()));

    store.truncate_log(4).await.unwrap();
    store.purge_log(entry(1)).await.unwrap();
    store.purge_log(entry(0)).await.unwrap();
    let state = store.log_state().await.unwrap();
    assert_eq!((state.purged, state.last, state.vote), (Some(entry(1)), Some(entry(3)), Some("vote".into())));
    assert_eq!(store.read_log(0, 9, usize::MAX).await, Ok(vec![entry(2), entry(3)]));
    store.append_log(vec![entry(4)]).await.unwrap();

    store.purge_log(entry(20)).await.unwrap();
    assert_eq!(store.log_state().await.unwrap().last, None);
    assert_eq!(store.append_log(vec![entry(5)]).await, Err(StoreError::LogNotNext { index: 5, last: 20 }));
    store.append_log(vec![entry(21)]).await.unwrap();
    assert_eq!(store.read_log(0, 99, usize::MAX).await, Ok(vec![entry(21)]));
}

async fn what_was_applied_is_stored_with_its_dockets_or_not_at_all(store: &dyn SealingStore) {
    let applied = |index: u64| Applied { index, state: format!("after {index}").into() };
    store.apply(vec![extension(1, 0..1), extension(2, 0..2)], applied(3)).await.unwrap();
    store.apply(Vec::new(), applied(4)).await.unwrap();
    let again = store.apply(vec![extension(1, 1..2)], applied(4)).await;
    assert_eq!(again, Err(StoreError::AppliedBefore { index: 4, applied: 4 }));
    let gap = store.apply(vec![extension(1, 1..2), extension(2, 3..4)], applied(5)).await;
    assert_eq!(gap, Err(StoreError::DocketNotNext { register: register(2), number: 3, head: 1 }));
    assert_eq!(store.log_state().await.unwrap().applied, Some(applied(4)));
    assert_eq!(store.held_dockets(register(1)).await.unwrap().unwrap().head, 0);
    store.apply(vec![extension(1, 1..2)], applied(5)).await.unwrap();
    assert_eq!(store.checkpoint(register(1)).await, Ok(Some(checkpoint(1, 2))));
}

async fn another_log_takes_the_place_of_the_one_before_with_its_dockets_or_not_at_all(store: &dyn SealingStore) {
    let applied = |index: u64| Applied { index, state: format!("after {index}").into() };
    store.append_log((0..6).map(entry).collect()).await.unwrap();
    store.purge_log(entry(1)).await.unwrap();
    store.apply(vec![extension(1, 0..1)], applied(4)).await.unwrap();
    store.save_vote("before".into()).await.unwrap();
    let before = store.log_state().await;
    let other = NewLog {
        purged: Some(entry(9)),
        vote: "after".into(),
        applied: Some(applied(9)),
        entries: vec![entry(10), entry(11)],
    };
    let hole = NewLog { entries: vec![entry(11)], ..other.clone() };
    let refused = store.begin_log(vec![extension(1, 1..2)], hole).await;
    assert_eq!(refused, Err(StoreError::LogNotNext { index: 11, last: 9 }));
    let gap = store.begin_log(vec![extension(1, 2..3)], other.clone()).await;
    assert_eq!(gap, Err(StoreError::DocketNotNext { register: register(1), number: 2, head: 0 }));
    assert_eq!(store.log_state().await, before, "nothing of what was refused is there");
    assert_eq!(store.held_dockets(register(1)).await.unwrap().unwrap().head, 0);

    store.begin_log(vec![extension(1, 1..2)], other).await.unwrap();
    assert_eq!(store.held_dockets(register(1)).await.unwrap().unwrap().head, 1);
    assert_eq!(store.read_log(0, 99, usize::MAX).await, Ok(vec![entry(10), entry(11)]));
    let state = store.log_state().await.unwrap();
    assert_eq!((state.purged, state.last, state.vote), (Some(entry(9)), Some(entry(11)), Some("after".into())));
    assert_eq!(state.applied, Some(applied(9)));

    store.begin_log(Vec::new(), NewLog { vote: "nothing".into(), ..NewLog::default() }).await.unwrap();
    let empty = LogState { vote: Some("nothing".into()), ..LogState::default() };
    assert_eq!(store.log_state().await, Ok(empty));
    store.append_log(vec![entry(0)]).await.unwrap();
}
