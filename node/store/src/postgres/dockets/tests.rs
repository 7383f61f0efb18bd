//! What only tables can do: be changed behind the store's back, hold more than fits in one step.

use crate::{
    DocketStore, Extension, NewDocket, Postgres, PostgresSettings, SealingStore, Seen, Store, StoreError,
    TransactionPlace,
    postgres::tests::{count, fresh, opened, session},
    tests::{
        docket_fixtures::{Nth, extension},
        fixtures::register,
    },
};
use peerwright_ledger::TransactionId;
use peerwright_secure::sha256;

/// Lets the writer do what it does behind the writes, a step after each.
async fn settle(store: &Postgres, settings: &PostgresSettings) {
    for _ in 0..10_000 {
        let left = "SELECT (SELECT COUNT(*) FROM index_runs WHERE state <> 1)
                    + (SELECT COUNT(*) FROM chains WHERE register IS NULL OR lowest < first)";
        if count(settings, left).await == 0 {
            return;
        }
        store.save_vote("a write".into()).await.unwrap();
    }
    panic!("the upkeep never ends");
}

#[tokio::test]
async fn a_docket_that_the_disk_has_changed_is_named_and_can_be_written_again() {
    let third = i64::MIN + 3;
    let changes = [
        (format!("UPDATE dockets SET header = '\\x00' WHERE number = {third}"), true),
        (format!("UPDATE dockets SET hash = '\\x00' WHERE number = {third}"), true),
        (format!("UPDATE dockets SET certificate = '\\x00' WHERE number = {third}"), true),
        (format!("UPDATE docket_bodies SET body = '\\x00' WHERE number = {third}"), false),
        (format!("DELETE FROM docket_bodies WHERE number = {third}"), false),
    ];
    for (statement, in_header) in changes {
        let settings = fresh();
        let store = opened(&settings).await;
        let of = register(1);
        store.extend(vec![extension(1, 0..6)]).await.unwrap();
        session(&settings).await.run(&statement).await.unwrap();

        let corrupt = StoreError::CorruptDocket { register: of, number: 3 };
        assert_eq!(store.docket(of, 3, Seen::All).await, Err(corrupt.clone()), "{statement}");
        assert_eq!(store.dockets(of, 3, Seen::Certified, 9, usize::MAX).await, Err(corrupt.clone()));
        assert_eq!(store.dockets(of, 1, Seen::Certified, 9, usize::MAX).await.unwrap().len(), 2);
        assert_eq!(store.dockets(of, 4, Seen::Certified, 9, usize::MAX).await.unwrap().len(), 2);
        if in_header {
            assert_eq!(store.headers(of, 3, Seen::All, 9).await, Err(corrupt));
        }
        store.replace_docket(of, Nth::of(1, 3).certified()).await.unwrap();
        assert_eq!(store.dockets(of, 0, Seen::Certified, 9, usize::MAX).await.unwrap().len(), 6);
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_row_that_is_lost_or_in_the_place_of_another_is_found() {
    let settings = fresh();
    let store = opened(&settings).await;
    let same = |number| NewDocket { body: "the same".into(), ..Nth::of(1, number).certified() };
    let dockets = (0..3).map(same).collect();
    store.extend(vec![Extension { register: register(1), dockets, checkpoint: "two".into() }]).await.unwrap();
    let second = i64::MIN + 1;
    let moved = format!(
        "UPDATE docket_bodies SET (body, body_checksum) =
         (SELECT body, body_checksum FROM docket_bodies WHERE number = {}) WHERE number = {second}",
        i64::MIN
    );
    let admin = session(&settings).await;
    admin.run(&moved).await.unwrap();
    let corrupt = StoreError::CorruptDocket { register: register(1), number: 1 };
    assert_eq!(store.docket(register(1), 1, Seen::All).await, Err(corrupt.clone()));
    admin.run(&format!("DELETE FROM dockets WHERE number = {second}")).await.unwrap();
    assert_eq!(store.docket(register(1), 1, Seen::All).await, Err(corrupt.clone()));
    assert_eq!(store.headers(register(1), 1, Seen::All, 9).await, Err(corrupt));
    assert_eq!(store.dockets(register(1), 0, Seen::All, 9, usize::MAX).await.unwrap().len(), 1);
    assert_eq!(store.docket(register(1), 3, Seen::All).await, Ok(None));
    store.replace_docket(register(1), same(1)).await.unwrap();
    assert_eq!(store.dockets(register(1), 0, Seen::Certified, 9, usize::MAX).await.unwrap().len(), 3);
    let beyond = StoreError::DocketNotHeld { register: register(1), number: 3 };
    assert_eq!(store.replace_docket(register(1), same(3)).await, Err(beyond));

    admin.run("UPDATE checkpoints SET bytes = 'other'").await.unwrap();
    assert_eq!(store.checkpoint(register(1)).await, Err(StoreError::CorruptCheckpoint(register(1))));
    store.close().await.unwrap();
}

#[tokio::test]
async fn many_dockets_at_once_are_what_they_are_one_by_one() {
    let settings = fresh();
    let store = opened(&settings).await;
    store.extend(vec![extension(1, 0..200)]).await.unwrap();
    for number in 0..200 {
        store.extend(vec![extension(2, number..number + 1)]).await.unwrap();
    }
    for (of, number) in (0..200).flat_map(|number| [(1, number), (2, number)]) {
        let docket = store.docket(register(of), number, Seen::Certified).await.unwrap().unwrap();
        let NewDocket { header, body, certificate, .. } = Nth::of(of, number).certified();
        assert_eq!((docket.header.header, docket.body, docket.header.certificate), (header, body, certificate));
    }
    store.close().await.unwrap();
}

fn id(number: u64, position: u32) -> TransactionId {
    TransactionId::from_bytes(sha256(&[&number.to_be_bytes()[..], &position.to_be_bytes()].concat()))
}

fn large(number: u64, transactions: u32) -> NewDocket {
    NewDocket {
        transactions: (0..transactions).map(|position| id(number, position)).collect(),
        ..Nth::of(1, number).certified()
    }
}

async fn extend_and_index(store: &Postgres, number: u64, transactions: u32) {
    let dockets = vec![large(number, transactions)];
    store.extend(vec![Extension { register: register(1), dockets, checkpoint: "large".into() }]).await.unwrap();
    store.index(register(1)).await.unwrap();
}

#[tokio::test]
async fn runs_merge_step_by_step_and_go_on_after_the_store_was_closed_in_the_middle() {
    const DOCKETS: u64 = 18;
    const EACH: u32 = 4_000;
    const MERGING: &str = "SELECT COUNT(*) FROM index_runs WHERE state = 0";
    let settings = fresh();
    let store = opened(&settings).await;
    // The last of these begins a merge of more rows than a step takes.
    for number in 0..16 {
        extend_and_index(&store, number, EACH).await;
    }
    store.close().await.unwrap();
    drop(store);
    assert_eq!(count(&settings, MERGING).await, 1);

    let store = opened(&settings).await;
    for number in 16..DOCKETS {
        extend_and_index(&store, number, EACH).await;
    }
    settle(&store, &settings).await;
    assert_eq!(count(&settings, MERGING).await, 0);
    assert_eq!(count(&settings, "SELECT MAX(level) FROM index_runs").await, 1);
    assert_eq!(count(&settings, "SELECT COUNT(*) FROM index_runs").await, 3);
    assert_eq!(count(&settings, "SELECT (SUM(LENGTH(entries)) / 28)::BIGINT FROM index_chunks").await, 72_000);
    // More than one query asks for, over more dockets than one run has.
    let place = |number| [0, 1, EACH / 2, EACH - 1].map(|position| TransactionPlace { number, position });
    let places: Vec<_> = (0..DOCKETS).rev().flat_map(place).collect();
    let ids = places.iter().map(|place| id(place.number, place.position)).chain([id(DOCKETS, 0)]).collect();
    let found = store.find_all(register(1), ids, Seen::All).await.unwrap();
    assert_eq!(found, places.into_iter().map(Some).chain([None]).collect::<Vec<_>>());
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_changed_index_is_noticed_and_made_again() {
    let settings = fresh();
    let store = opened(&settings).await;
    let of = register(1);
    store.extend(vec![extension(1, 0..20)]).await.unwrap();
    store.index(of).await.unwrap();
    session(&settings).await.run("UPDATE index_chunks SET entries = '\\x00'").await.unwrap();
    let id = Nth::of(1, 7).transactions()[1];
    assert_eq!(store.find(of, id, Seen::All).await, Ok(Some(TransactionPlace { number: 7, position: 1 })));
    assert_eq!(store.held_dockets(of).await.unwrap().unwrap().indexed_through, None);
    assert_eq!(store.index(of).await, Ok(Some(19)));
    assert_eq!(store.find(of, id, Seen::All).await, Ok(Some(TransactionPlace { number: 7, position: 1 })));
    store.close().await.unwrap();
}

#[tokio::test]
async fn what_was_let_go_leaves_the_tables_little_by_little() {
    let settings = fresh();
    let store = opened(&settings).await;
    for of in 1..3 {
        for part in 0..4 {
            store.extend(vec![extension(of, part * 200..(part + 1) * 200)]).await.unwrap();
        }
        store.index(register(of)).await.unwrap();
    }
    store.trim(register(1), 790).await.unwrap();
    store.purge_dockets(register(2)).await.unwrap();
    settle(&store, &settings).await;
    assert_eq!(count(&settings, "SELECT COUNT(*) FROM dockets").await, 10);
    assert_eq!(count(&settings, "SELECT COUNT(*) FROM docket_bodies").await, 10);
    assert_eq!(count(&settings, "SELECT COUNT(*) FROM chains").await, 1);
    assert_eq!(count(&settings, "SELECT COUNT(*) FROM checkpoints").await, 1);
    assert_eq!(count(&settings, "SELECT COUNT(*) FROM index_runs").await, 1);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_refused_docket_leaves_the_rest_of_its_group_as_it_is() {
    let settings = fresh();
    let store = opened(&settings).await;
    let writes = [extension(1, 0..2), extension(1, 5..6), extension(1, 2..3), extension(2, 0..1)];
    let outcomes = futures::future::join_all(writes.map(|write| store.extend(vec![write]))).await;
    assert_eq!(outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true, true]);
    assert_eq!(store.held_dockets(register(1)).await.unwrap().unwrap().head, 2);
    store.close().await.unwrap();
}
