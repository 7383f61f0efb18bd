//! What only a file can do: be changed by its disk, be of an earlier version, hold more than fits in one step.

use crate::{
    Applied, DocketStore, Extension, LogEntry, NewDocket, SealingStore, Seen, Sqlite, Store, StoreError,
    TransactionPlace,
    sqlite::{options::Options, schema},
    tests::{
        docket_fixtures::{Nth, extension},
        fixtures::{NETWORK, NOW, Place, message, register, transaction},
    },
};
use peerwright_ledger::TransactionId;
use peerwright_secure::sha256;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.sqlite");
    (directory, path)
}

async fn opened(path: &Path) -> Sqlite {
    Sqlite::open(path, NETWORK).await.unwrap()
}

/// What a disk might do, behind the store's back.
fn change(path: &Path, statement: &str) {
    let changed = Options::writer(path).connect().unwrap().execute(statement, []).unwrap();
    assert!(changed > 0, "{statement}");
}

fn count(path: &Path, query: &str) -> i64 {
    Options::writer(path).connect().unwrap().query_one(query, [], |row| row.get(0)).unwrap()
}

/// Lets the writer do what it does behind the writes, a step after each.
async fn settle(store: &Sqlite, path: &Path) {
    for _ in 0..10_000 {
        let left = "SELECT (SELECT COUNT(*) FROM index_runs WHERE state <> 1)
                    + (SELECT COUNT(*) FROM chains WHERE register IS NULL OR lowest < first)";
        if count(path, left) == 0 {
            return;
        }
        store.save_vote("a write".into()).await.unwrap();
    }
    panic!("the upkeep never ends");
}

#[tokio::test]
async fn a_docket_that_the_disk_has_changed_is_named_and_can_be_written_again() {
    let third = format!("WHERE id = (SELECT id FROM dockets WHERE number = {})", i64::MIN + 3);
    let body = format!("WHERE docket = (SELECT id FROM dockets WHERE number = {})", i64::MIN + 3);
    let changes = [
        (format!("UPDATE dockets SET header = x'00' {third}"), true),
        (format!("UPDATE dockets SET hash = zeroblob(32) {third}"), true),
        (format!("UPDATE dockets SET certificate = x'00' {third}"), true),
        (format!("UPDATE docket_bodies SET body = zeroblob(LENGTH(body)) {body}"), false),
        (format!("UPDATE docket_bodies SET body = x'' {body}"), false),
        (format!("DELETE FROM docket_bodies {body}"), false),
    ];
    for (statement, in_header) in changes {
        let (_directory, path) = place();
        let store = opened(&path).await;
        let of = register(1);
        store.extend(vec![extension(1, 0..6)]).await.unwrap();
        change(&path, &statement);

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
        let body = store.docket(of, 3, Seen::All).await.unwrap().unwrap().body;
        assert_eq!(body, Nth::of(1, 3).docket().body);
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_byte_that_changes_in_the_file_itself_is_found() {
    let (_directory, path) = place();
    let store = opened(&path).await;
    let of = register(1);
    let docket = NewDocket { body: b"where the file has this text, ".repeat(400).into(), ..Nth::of(1, 0).certified() };
    store.extend(vec![Extension { register: of, dockets: vec![docket], checkpoint: "one".into() }]).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let mut file = std::fs::read(&path).unwrap();
    let found = file.windows(9).rposition(|window| window == b"this text").unwrap();
    file[found] ^= 1;
    std::fs::write(&path, file).unwrap();

    let store = opened(&path).await;
    assert_eq!(store.docket(of, 0, Seen::All).await, Err(StoreError::CorruptDocket { register: of, number: 0 }));
    assert_eq!(store.headers(of, 0, Seen::All, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_row_in_the_place_of_another_is_found() {
    let (_directory, path) = place();
    let store = opened(&path).await;
    let same = |number| NewDocket { body: "the same".into(), ..Nth::of(1, number).certified() };
    let dockets = (0..3).map(same).collect();
    store.extend(vec![Extension { register: register(1), dockets, checkpoint: "two".into() }]).await.unwrap();
    change(
        &path,
        "UPDATE docket_bodies SET (body, body_checksum) =
         (SELECT body, body_checksum FROM docket_bodies AS other WHERE other.docket = 1) WHERE docket = 2",
    );
    assert_eq!(
        store.docket(register(1), 1, Seen::All).await,
        Err(StoreError::CorruptDocket { register: register(1), number: 1 })
    );
    change(&path, "DELETE FROM docket_bodies WHERE docket = 2");
    change(&path, "DELETE FROM dockets WHERE id = 2");
    let lost = StoreError::CorruptDocket { register: register(1), number: 1 };
    assert_eq!(store.docket(register(1), 1, Seen::All).await, Err(lost.clone()));
    assert_eq!(store.headers(register(1), 1, Seen::All, 9).await, Err(lost));
    assert_eq!(store.dockets(register(1), 0, Seen::All, 9, usize::MAX).await.unwrap().len(), 1);
    assert_eq!(store.docket(register(1), 3, Seen::All).await, Ok(None));

    store.replace_docket(register(1), same(1)).await.unwrap();
    assert_eq!(store.dockets(register(1), 0, Seen::Certified, 9, usize::MAX).await.unwrap().len(), 3);
    let beyond = StoreError::DocketNotHeld { register: register(1), number: 3 };
    assert_eq!(store.replace_docket(register(1), same(3)).await, Err(beyond));
}

#[tokio::test]
async fn changed_ids_stop_the_index_until_their_docket_is_written_again() {
    let (_directory, path) = place();
    let store = opened(&path).await;
    let of = register(1);
    store.extend(vec![extension(1, 0..6)]).await.unwrap();
    change(&path, "UPDATE docket_bodies SET ids = zeroblob(LENGTH(ids)) WHERE docket = 4");
    let corrupt = StoreError::CorruptDocket { register: of, number: 3 };
    assert_eq!(store.index(of).await, Ok(Some(2)));
    assert_eq!(store.index(of).await, Err(corrupt.clone()));
    let id = Nth::of(1, 4).transactions()[0];
    assert_eq!(store.find(of, id, Seen::All).await, Err(corrupt.clone()));
    assert_eq!(store.transaction_ids(of, 3, 9).await, Err(corrupt));
    store.replace_docket(of, Nth::of(1, 3).certified()).await.unwrap();
    assert_eq!(store.index(of).await, Ok(Some(5)));
    assert_eq!(store.find(of, id, Seen::All).await, Ok(Some(TransactionPlace { number: 4, position: 0 })));
}

#[tokio::test]
async fn a_changed_checkpoint_or_log_is_named() {
    let (_directory, path) = place();
    let store = opened(&path).await;
    store.extend(vec![extension(1, 0..2)]).await.unwrap();
    store.append_log((0..3).map(|index| LogEntry { index, bytes: "entry".into() }).collect()).await.unwrap();
    store.apply(Vec::new(), Applied { index: 2, state: "state".into() }).await.unwrap();
    change(&path, "UPDATE checkpoints SET bytes = x'00'");
    assert_eq!(store.checkpoint(register(1)).await, Err(StoreError::CorruptCheckpoint(register(1))));
    change(&path, &format!("UPDATE sealing_log SET bytes = x'00' WHERE entry = {}", i64::MIN + 1));
    assert_eq!(store.read_log(0, 3, usize::MAX).await.unwrap().len(), 1);
    assert!(matches!(store.read_log(1, 3, usize::MAX).await, Err(StoreError::CorruptLog(what)) if what.contains('1')));
    change(&path, "UPDATE sealing_states SET bytes = x'00' WHERE name = 'applied'");
    assert!(matches!(store.log_state().await, Err(StoreError::CorruptLog(what)) if what.contains("applied")));
}

/// A docket with many transactions.
fn large(number: u64, transactions: u64) -> NewDocket {
    NewDocket {
        transactions: (0..transactions).map(|position| id(number, position)).collect(),
        ..Nth::of(1, number).certified()
    }
}

fn id(number: u64, position: u64) -> TransactionId {
    TransactionId::from_bytes(sha256(&[number.to_be_bytes(), position.to_be_bytes()].concat()))
}

async fn extend_and_index(store: &Sqlite, number: u64, transactions: u32) {
    let dockets = vec![large(number, transactions.into())];
    store.extend(vec![Extension { register: register(1), dockets, checkpoint: "large".into() }]).await.unwrap();
    assert_eq!(store.index(register(1)).await, Ok(Some(number)));
}

async fn assert_found(store: &Sqlite, number: u64, transactions: u32) {
    for position in [0, 1, transactions / 2, transactions - 1] {
        let found = store.find(register(1), id(number, position.into()), Seen::All).await;
        assert_eq!(found, Ok(Some(TransactionPlace { number, position })));
    }
}

#[tokio::test]
async fn runs_merge_step_by_step_and_go_on_after_the_store_was_closed_in_the_middle() {
    const DOCKETS: u64 = 18;
    const EACH: u32 = 4_000;
    const MERGING: &str = "SELECT COUNT(*) FROM index_runs WHERE state = 0";
    let (_directory, path) = place();
    let store = opened(&path).await;
    // The last of these begins a merge of more rows than a step takes.
    for number in 0..16 {
        extend_and_index(&store, number, EACH).await;
    }
    store.close().await.unwrap();
    drop(store);
    assert_eq!(count(&path, MERGING), 1);

    let store = opened(&path).await;
    for number in 16..DOCKETS {
        extend_and_index(&store, number, EACH).await;
        assert_found(&store, number - 3, EACH).await;
    }
    settle(&store, &path).await;
    assert_eq!(count(&path, MERGING), 0);
    assert_eq!(count(&path, "SELECT MAX(level) FROM index_runs"), 1);
    assert_eq!(count(&path, "SELECT COUNT(*) FROM index_runs"), 3);
    assert_eq!(count(&path, "SELECT SUM(LENGTH(entries)) / 28 FROM index_chunks"), 72_000);
    for number in 0..DOCKETS {
        assert_found(&store, number, EACH).await;
    }
    assert_eq!(store.find(register(1), id(DOCKETS, 0), Seen::All).await, Ok(None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stored_is_found_at_any_moment() {
    const DOCKETS: u64 = 120;
    const EACH: u32 = 200;
    let (_directory, path) = place();
    let store = opened(&path).await;
    let head = tokio::sync::watch::Sender::new(None);
    let write = async {
        for number in 0..DOCKETS {
            extend_and_index(&store, number, EACH).await;
            head.send_replace(Some(number));
        }
    };
    let read = async |from: u64| {
        let mut heads = head.subscribe();
        let mut looked = 0;
        while looked < DOCKETS - 1 {
            looked = heads.wait_for(Option::is_some).await.unwrap().unwrap();
            assert_found(&store, looked * from / 4, EACH).await;
            assert_eq!(store.docket(register(1), looked, Seen::All).await.unwrap().unwrap().header.number, looked);
        }
    };
    tokio::join!(write, read(0), read(1), read(4));
}

/// SQLite reports a file at its page limit exactly as it reports ENOSPC.
#[tokio::test]
async fn a_full_volume_refuses_dockets_serves_what_it_has_and_takes_more_after_a_trim() {
    let (_directory, path) = place();
    let options = Options::writer(&path).pragma("max_page_count", "80");
    let store = Sqlite::open_with(options, &path, NETWORK).await.unwrap();
    let of = register(1);
    let next = async |number| {
        let docket = NewDocket { body: vec![1; 60_000].into(), ..Nth::of(1, number).certified() };
        store.extend(vec![Extension { register: of, dockets: vec![docket], checkpoint: "full".into() }]).await
    };
    let mut stored = 0;
    let refused = loop {
        match next(stored).await {
            Ok(()) => stored += 1,
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused, StoreError::DiskFull);
    assert!(stored > 5);
    assert_eq!(store.dockets(of, 0, Seen::Certified, 99, usize::MAX).await.unwrap().len() as u64, stored);
    let transaction = Nth::of(1, 1).transactions()[0];
    assert!(store.find(of, transaction, Seen::Certified).await.unwrap().is_some());

    store.trim(of, stored - 2).await.unwrap();
    // Any writes: a step of the upkeep follows each.
    for vote in 0..4u8 {
        store.save_vote(vec![vote].into()).await.unwrap();
    }
    assert_eq!(next(stored).await, Ok(()));
    assert_eq!(store.held_dockets(of).await.unwrap().unwrap().first, stored - 2);
}

#[tokio::test]
async fn the_index_follows_by_itself_once_there_is_enough() {
    let (_directory, path) = place();
    let store = opened(&path).await;
    let of = register(1);
    for number in 0..3 {
        let dockets = vec![large(number, 8_200)];
        store.extend(vec![Extension { register: of, dockets, checkpoint: "large".into() }]).await.unwrap();
    }
    for _ in 0..2 {
        store.save_vote("a write, and a step".into()).await.unwrap();
    }
    assert!(store.held_dockets(of).await.unwrap().unwrap().indexed_through >= Some(1));
}

#[tokio::test]
async fn a_changed_index_is_noticed_and_made_again() {
    let (_directory, path) = place();
    let store = opened(&path).await;
    let of = register(1);
    store.extend(vec![extension(1, 0..20)]).await.unwrap();
    store.index(of).await.unwrap();
    change(&path, "UPDATE index_chunks SET entries = zeroblob(LENGTH(entries))");
    let id = Nth::of(1, 7).transactions()[1];
    assert_eq!(store.find(of, id, Seen::All).await, Ok(Some(TransactionPlace { number: 7, position: 1 })));
    assert_eq!(store.held_dockets(of).await.unwrap().unwrap().indexed_through, None);
    assert_eq!(store.index(of).await, Ok(Some(19)));
    assert_eq!(store.find(of, id, Seen::All).await, Ok(Some(TransactionPlace { number: 7, position: 1 })));
}

#[tokio::test]
async fn what_was_let_go_leaves_the_file_little_by_little() {
    let (_directory, path) = place();
    let store = opened(&path).await;
    for register in 1..3 {
        for part in 0..4 {
            store.extend(vec![extension(register, part * 200..(part + 1) * 200)]).await.unwrap();
        }
        store.index(crate::tests::fixtures::register(register)).await.unwrap();
    }
    store.trim(register(1), 790).await.unwrap();
    store.purge_dockets(register(2)).await.unwrap();
    settle(&store, &path).await;
    assert_eq!(count(&path, "SELECT COUNT(*) FROM dockets"), 10);
    assert_eq!(count(&path, "SELECT COUNT(*) FROM docket_bodies"), 10);
    assert_eq!(count(&path, "SELECT COUNT(*) FROM chains"), 1);
    assert_eq!(count(&path, "SELECT COUNT(*) FROM checkpoints"), 1);
    assert_eq!(count(&path, "SELECT COUNT(*) FROM index_runs"), 1);
}

#[tokio::test]
async fn a_store_of_the_version_before_opens_and_keeps_what_it_holds() {
    let (_directory, path) = place();
    let mut connection = Options::writer(&path).connect().unwrap();
    schema::migrate(&mut connection, &schema::RELEASED[..1]).unwrap();
    connection.execute("INSERT INTO documents (name, bytes) VALUES ('note', x'77')", []).unwrap();
    connection.close().unwrap();

    let store = opened(&path).await;
    assert_eq!(store.document("note").await, Ok(Some("w".into())));
    store.append(vec![message(Place::nth(1), &[transaction(register(1), 1)])], NOW).await.unwrap();
    store.extend(vec![extension(1, 0..2)]).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let store = opened(&path).await;
    assert_eq!(store.counts(register(1)).await.unwrap().messages, 1);
    assert_eq!(store.held_dockets(register(1)).await.unwrap().unwrap().head, 1);
}

#[tokio::test]
async fn dockets_and_messages_under_way_at_once_share_commits() {
    let (_directory, path) = place();
    let store = opened(&path).await;
    // Made before: that takes longer than a commit on a quick disk.
    let nth = |sequence| {
        let number = u32::try_from(sequence).unwrap();
        message(Place::nth(sequence), &[transaction(register(1), number)])
    };
    let messages: Vec<_> = (1..=100).map(nth).collect();
    let extensions: Vec<_> = (0..100).map(|number| extension(1, number..number + 1)).collect();
    let before = store.commits();
    let appends = futures::future::join_all(messages.into_iter().map(|message| store.append(vec![message], NOW)));
    let extensions = futures::future::join_all(extensions.into_iter().map(|extension| store.extend(vec![extension])));
    let (appended, extended) = futures::future::join(appends, extensions).await;
    assert!(appended.iter().all(Result::is_ok) && extended.iter().all(Result::is_ok));
    let commits = store.commits() - before;
    assert!((1..=20).contains(&commits), "200 writes took {commits} commits");
}

#[tokio::test]
async fn a_refused_docket_leaves_the_rest_of_its_group_as_it_is() {
    let (_directory, path) = place();
    let store = opened(&path).await;
    let writes = [extension(1, 0..2), extension(1, 5..6), extension(1, 2..3), extension(2, 0..1)];
    let outcomes = futures::future::join_all(writes.map(|write| store.extend(vec![write]))).await;
    assert_eq!(outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true, true]);
    assert_eq!(store.held_dockets(register(1)).await.unwrap().unwrap().head, 2);
}
