//! Dead letters, on both stores.

use super::fixtures::{NETWORK, NOW, register};
use crate::{DeadLetter, MAX_DEAD_LETTERS, Memory, Postgres, Sqlite, Store, postgres::tests::fresh};
use peerwright_ledger::TransactionId;

fn letter(number: u32) -> DeadLetter {
    let mut id = [0; 32];
    id[..4].copy_from_slice(&number.to_be_bytes());
    let id = TransactionId::from_bytes(id);
    DeadLetter { register: register(1), id, reason: "expired".to_owned(), died_at: NOW }
}

async fn the_oldest_go(store: &dyn Store) {
    let all: Vec<DeadLetter> = (0..MAX_DEAD_LETTERS).map(letter).collect();
    assert_eq!(store.bury(all).await, Ok(vec![]));
    // The first is told of again, and so is no longer the oldest.
    assert_eq!(store.bury(vec![letter(0)]).await, Ok(vec![]));

    let further = (0..2).map(|number| letter(MAX_DEAD_LETTERS + number)).collect();
    let gone = store.bury(further).await.unwrap();

    assert_eq!(gone, [(register(1), letter(1).id), (register(1), letter(2).id)]);
    assert_eq!(store.dead_letter(register(1), letter(2).id).await, Ok(None));
    assert_eq!(store.dead_letter(register(1), letter(0).id).await, Ok(Some(letter(0))));
    let listed = store.dead_letters(register(1), None, usize::MAX).await.unwrap();
    assert_eq!(listed.len(), usize::try_from(MAX_DEAD_LETTERS).unwrap());
    assert!(listed.is_sorted_by_key(|row| row.position));
}

#[tokio::test]
async fn there_is_room_for_so_many_dead_letters_and_the_oldest_go() {
    the_oldest_go(&Memory::new(NETWORK)).await;
    let directory = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&directory.path().join("store.sqlite"), NETWORK).await.unwrap();
    the_oldest_go(&store).await;
    store.close().await.unwrap();
    let store = Postgres::open(fresh(), NETWORK).await.unwrap();
    the_oldest_go(&store).await;
    store.close().await.unwrap();
}

#[tokio::test]
async fn dead_letters_survive_a_restart_and_go_with_their_register() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.sqlite");
    let store = Sqlite::open(&path, NETWORK).await.unwrap();
    store.bury(vec![letter(1), DeadLetter { register: register(2), ..letter(1) }]).await.unwrap();
    store.close().await.unwrap();
    drop(store);

    let store = Sqlite::open(&path, NETWORK).await.unwrap();
    assert_eq!(store.dead_letter(register(1), letter(1).id).await, Ok(Some(letter(1))));
    store.purge(register(1)).await.unwrap();
    assert_eq!(store.dead_letter(register(1), letter(1).id).await, Ok(None));
    assert_eq!(store.exhume(vec![(register(2), letter(1).id), (register(2), letter(2).id)]).await, Ok(1));
    store.close().await.unwrap();
}
