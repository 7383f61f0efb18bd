//! What only a file can do.

use super::{Sqlite, options::Options, schema};
use crate::{
    Appended, Store, StoreError,
    tests::fixtures::{NETWORK, NOW, Place, large_transaction, message, register, transaction},
};
use futures::FutureExt;
use peerwright_ledger::Message;
use rusqlite::params;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.sqlite");
    (directory, path)
}

fn nth(sequence: u64) -> Message {
    let number = u32::try_from(sequence).unwrap();
    message(Place::nth(sequence), &[transaction(register(1), number)])
}

#[tokio::test]
async fn the_store_of_another_network_is_refused_in_one_line() {
    let (_directory, path) = place();
    Sqlite::open(&path, NETWORK).await.unwrap().close().await.unwrap();
    let refused = Sqlite::open(&path, "other").await.unwrap_err();
    assert_eq!(refused, StoreError::ForeignNetwork { recorded: NETWORK.to_owned(), expected: "other".to_owned() });
    assert_eq!(refused.to_string().lines().count(), 1);
}

#[tokio::test]
async fn a_second_process_is_refused_until_the_first_has_gone() {
    let (_directory, path) = place();
    let first = Sqlite::open(&path, NETWORK).await.unwrap();
    assert!(matches!(Sqlite::open(&path, NETWORK).await, Err(StoreError::InUse(_))));
    first.close().await.unwrap();
    drop(first);
    Sqlite::open(&path, NETWORK).await.unwrap().close().await.unwrap();
}

/// What a later version leaves behind that says which schema may read it.
async fn upgrade(path: &Path, readable_by: Option<i64>) {
    let connection = Options::writer(path).connect().unwrap();
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (999, 'later', TRUE, x'00', 0)";
    connection.execute(later, []).unwrap();
    connection.execute("DELETE FROM records WHERE name = 'readable_by'", []).unwrap();
    if let Some(version) = readable_by {
        let says = "INSERT INTO records (name, value) VALUES ('readable_by', ?1)";
        connection.execute(says, params![version]).unwrap();
    }
    connection.close().unwrap();
}

#[tokio::test]
async fn a_store_of_a_later_version_is_refused_unless_it_says_that_this_one_may_use_it() {
    let last = i64::try_from(schema::RELEASED.len()).unwrap();
    for (readable_by, opens) in [(None, false), (Some(last + 1), false), (Some(last), true), (Some(1), true)] {
        let (_directory, path) = place();
        let store = Sqlite::open(&path, NETWORK).await.unwrap();
        store.append(vec![nth(1)], NOW).await.unwrap();
        store.close().await.unwrap();
        drop(store);
        upgrade(&path, readable_by).await;
        match Sqlite::open(&path, NETWORK).await {
            Ok(store) if opens => assert_eq!(store.counts(register(1)).await.unwrap().messages, 1),
            Err(refused) if !opens => assert_eq!(refused, StoreError::Newer(999)),
            other => panic!("{readable_by:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_file_that_is_no_store_is_refused() {
    let (_directory, path) = place();
    std::fs::write(&path, "not a database, and long enough to have a header of one".repeat(40)).unwrap();
    assert!(matches!(Sqlite::open(&path, NETWORK).await, Err(StoreError::Damaged(_))));
}

#[tokio::test]
async fn a_missing_directory_is_named() {
    let (directory, _) = place();
    let refused = Sqlite::open(&directory.path().join("absent/store.sqlite"), NETWORK).await.unwrap_err();
    assert!(refused.to_string().contains("absent"), "{refused}");
}

#[tokio::test]
async fn appends_under_way_at_once_share_commits() {
    let (_directory, path) = place();
    let store = Sqlite::open(&path, NETWORK).await.unwrap();
    // Signed before: that takes longer than a commit on a quick disk.
    let messages: Vec<_> = (1..=200).map(nth).collect();
    let before = store.commits();
    let appends = messages.into_iter().map(|message| store.append(vec![message], NOW));
    for outcome in futures::future::join_all(appends).await {
        assert_eq!(outcome, Ok(vec![Appended::Stored { transactions: 1 }]));
    }
    let commits = store.commits() - before;
    assert!((1..=20).contains(&commits), "200 appends took {commits} commits");
    assert_eq!(store.held(vec![register(1)]).await.unwrap()[0].ranges, [(1, 200)]);
}

#[tokio::test]
async fn what_was_queued_before_close_is_written_and_what_comes_after_is_refused() {
    let (_directory, path) = place();
    let store = Sqlite::open(&path, NETWORK).await.unwrap();
    let queued = store.append(vec![nth(1)], NOW);
    store.close().await.unwrap();
    assert_eq!(queued.await, Ok(vec![Appended::Stored { transactions: 1 }]));
    assert_eq!(store.append(vec![nth(2)], NOW).await, Err(StoreError::Closed));
    assert_eq!(store.counts(register(1)).await, Err(StoreError::Closed));
}

#[tokio::test]
async fn a_store_that_is_closed_in_order_leaves_no_log_whoever_has_read() {
    let (_directory, path) = place();
    let store = Sqlite::open(&path, NETWORK).await.unwrap();
    let log = path.with_extension("sqlite-wal");
    store.append(vec![nth(1)], NOW).await.unwrap();
    let reads = futures::future::join_all((0..4).map(|_| store.counts(register(1))));
    assert!(reads.await.iter().all(Result::is_ok));
    // One that nobody waits for any more is waited for all the same.
    drop(store.counts(register(1)).now_or_never());
    assert!(log.metadata().unwrap().len() > 0);

    store.close().await.unwrap();

    assert!(!log.exists());
    drop(store);
    let store = Sqlite::open(&path, NETWORK).await.unwrap();
    assert_eq!(store.counts(register(1)).await.unwrap().messages, 1);
}

#[tokio::test]
async fn a_message_whose_transactions_cannot_be_read_is_refused() {
    let (_directory, path) = place();
    let store = Sqlite::open(&path, NETWORK).await.unwrap();
    let foreign = message(Place::nth(1), &[transaction(register(2), 1)]);
    assert!(matches!(store.append(vec![foreign], NOW).await, Err(StoreError::Unreadable(_))));
    assert_eq!(store.held(vec![register(1)]).await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_failed_volume_refuses_every_later_write_and_says_so_once_for_all() {
    let (_directory, path) = place();
    let store = Sqlite::open_with(Options::writer(&path), &path, NETWORK).await.unwrap();
    let mut failed = store.failed();
    assert!((&mut failed).now_or_never().is_none());
    let connection = Options::writer(&path).connect().unwrap();
    let broken = "CREATE TRIGGER broken BEFORE INSERT ON messages BEGIN SELECT RAISE(ABORT, 'broken'); END";
    connection.execute(broken, []).unwrap();
    connection.close().unwrap();

    let refused = store.append(vec![nth(1)], NOW).await.unwrap_err();
    assert!(matches!(refused, StoreError::Failed(_)), "{refused}");
    assert_eq!(failed.await, refused);
    assert_eq!(store.put_document("word", "bytes".into()).await.unwrap_err(), refused);
    store.close().await.unwrap();
    assert_eq!(store.failed().await, refused);
}

#[tokio::test]
async fn a_store_that_is_closed_has_not_failed() {
    let (_directory, path) = place();
    let store = Sqlite::open(&path, NETWORK).await.unwrap();
    let failed = store.failed();
    store.close().await.unwrap();
    drop(store);
    assert!(failed.now_or_never().is_none());
}

/// SQLite reports a file at its page limit exactly as it reports ENOSPC.
#[tokio::test]
async fn a_full_volume_refuses_writes_keeps_what_it_acknowledged_and_takes_writes_again_when_there_is_room() {
    let (_directory, path) = place();
    let options = Options::writer(&path).pragma("max_page_count", "60");
    let store = Sqlite::open_with(options, &path, NETWORK).await.unwrap();
    let mut stored = 0;
    let refused = loop {
        match store.append(vec![nth(stored + 1)], NOW).await {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused, StoreError::DiskFull);
    assert!(store.failed().now_or_never().is_none());
    assert!(stored > 10);
    assert_eq!(store.held(vec![register(1)]).await.unwrap()[0].ranges, [(1, stored)]);
    assert_eq!(store.counts(register(1)).await.unwrap().messages, stored);
    let other = large_transaction(register(2), 1);
    let body = store.put_body(register(2), other.id(), other.encoded().clone());
    assert_eq!(body.await, Err(StoreError::DiskFull));
    assert_eq!(store.body_chunk(other.id(), 0, 1).await, Ok(None));

    store.purge(register(1)).await.unwrap();
    assert_eq!(store.append(vec![nth(1)], NOW).await, Ok(vec![Appended::Stored { transactions: 1 }]));
}

#[tokio::test]
async fn nothing_temporary_is_written_to_a_folder_that_an_image_may_not_have() {
    const IN_MEMORY: i64 = 2;
    let (_directory, path) = place();
    let store = Sqlite::open(&path, NETWORK).await.unwrap();
    for options in [Options::writer(&path), Options::reader(&path)] {
        let place: i64 = options.connect().unwrap().query_one("PRAGMA temp_store", [], |row| row.get(0)).unwrap();
        assert_eq!(place, IN_MEMORY);
    }
    store.close().await.unwrap();
}

#[tokio::test]
async fn the_writer_keeps_more_pages_than_a_reader() {
    let (_directory, path) = place();
    let store = Sqlite::open(&path, NETWORK).await.unwrap();
    let kibibytes = |options: Options| -> i64 {
        options.connect().unwrap().query_one("PRAGMA cache_size", [], |row| row.get(0)).unwrap()
    };
    assert_eq!([Options::writer(&path), Options::reader(&path)].map(kibibytes), [-16 * 1024, -2000]);
    store.close().await.unwrap();
}
