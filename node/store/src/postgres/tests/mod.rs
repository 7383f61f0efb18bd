//! What only a server can do: be killed, lose a connection, let another process in, refuse.

mod away;
mod proxy;

use super::{Postgres, PostgresSettings, connector::Connector, session::Session};
use crate::{
    Appended, Store, StoreError,
    tests::fixtures::{NETWORK, NOW, Place, message, register, transaction},
};
use futures::FutureExt;
use peerwright_database::Server;
use peerwright_ledger::Message;
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// Settings of the shared server with a schema that no other test has.
pub(crate) fn fresh() -> PostgresSettings {
    fresh_on(Server::shared())
}

pub(crate) fn fresh_on(server: &Server) -> PostgresSettings {
    static SCHEMAS: AtomicU32 = AtomicU32::new(0);
    let number = SCHEMAS.fetch_add(1, Ordering::Relaxed);
    PostgresSettings::new(&server.url(""), &format!("test_{number}"), None, None).unwrap()
}

pub(super) async fn opened(settings: &PostgresSettings) -> Postgres {
    Postgres::open(settings.clone(), NETWORK).await.unwrap()
}

/// A connection of nobody's, in the schema.
pub(super) async fn session(settings: &PostgresSettings) -> Session {
    Connector::new(settings.clone()).unwrap().connect().await.unwrap()
}

pub(super) async fn count(settings: &PostgresSettings, query: &'static str) -> i64 {
    let (count,) = session(settings).await.one(query, &[]).await.unwrap();
    count
}

pub(super) fn nth(sequence: u64) -> Message {
    let number = u32::try_from(sequence).unwrap();
    message(Place::nth(sequence), &[transaction(register(1), number)])
}

#[tokio::test]
async fn the_store_of_another_network_is_refused_in_one_line() {
    let settings = fresh();
    opened(&settings).await.close().await.unwrap();
    let refused = Postgres::open(settings, "other").await.unwrap_err();
    assert_eq!(refused, StoreError::ForeignNetwork { recorded: NETWORK.to_owned(), expected: "other".to_owned() });
    assert_eq!(refused.to_string().lines().count(), 1);
}

#[tokio::test]
async fn a_second_process_is_refused_until_the_first_has_gone() {
    let settings = fresh();
    let first = opened(&settings).await;
    let refused = Postgres::open_within(settings.clone(), NETWORK, Duration::ZERO).await.unwrap_err();
    assert_eq!(refused, StoreError::SchemaInUse(settings.schema.clone()));
    assert_eq!(refused.to_string().lines().count(), 1);
    first.append(vec![nth(1)], NOW).await.unwrap();
    first.close().await.unwrap();
    drop(first);
    let second = opened(&settings).await;
    assert_eq!(second.counts(register(1)).await.unwrap().messages, 1);
    second.close().await.unwrap();
}

#[tokio::test]
async fn two_nodes_share_a_database_and_see_nothing_of_each_other() {
    let (one, other) = (fresh(), fresh());
    let (one, other) = (opened(&one).await, opened(&other).await);
    one.append(vec![nth(1)], NOW).await.unwrap();
    assert_eq!(other.counts(register(1)).await.unwrap().messages, 0);
    one.close().await.unwrap();
    other.close().await.unwrap();
}

/// As when a failover or a pooler has let go of the lock, and a second process has opened the schema.
#[tokio::test]
async fn a_store_that_was_taken_over_writes_nothing_more_and_says_so() {
    let settings = fresh();
    let store = opened(&settings).await;
    store.append(vec![nth(1)], NOW).await.unwrap();
    session(&settings).await.run("UPDATE holder SET generation = generation + 1").await.unwrap();
    let taken_over = StoreError::TakenOver(settings.schema.clone());
    assert_eq!(store.append(vec![nth(2)], NOW).await, Err(taken_over.clone()));
    assert_eq!(store.failed().await, taken_over);
    assert_eq!(store.append(vec![nth(3)], NOW).await, Err(taken_over));
    assert_eq!(store.held(vec![register(1)]).await.unwrap()[0].ranges, [(1, 1)]);
    // The lock is free: whoever has taken over can have it.
    opened(&settings).await.close().await.unwrap();
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_server_that_may_lose_what_it_acknowledges_is_refused_in_one_line() {
    let server = Server::shared();
    for value in ["off", "local"] {
        let url = server.url(&format!("?options=-c%20synchronous_commit%3D{value}"));
        let settings = PostgresSettings::new(&url, "not_durable", None, None).unwrap();
        let refused = Postgres::open(settings, NETWORK).await.unwrap_err();
        let expected = StoreError::NotDurable { setting: "synchronous_commit", value: value.to_owned(), wanted: "on" };
        assert_eq!(refused, expected);
        assert_eq!(refused.to_string().lines().count(), 1);
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_one_line() {
    let nowhere = PostgresSettings::new("postgres://one@127.0.0.1:1/none", "nowhere", None, None).unwrap();
    let refused = Postgres::open(nowhere, NETWORK).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unopened(_)), "{refused}");
    assert_eq!(refused.to_string().lines().count(), 1);
    let password = Some("/nowhere/password".into());
    let nothing = PostgresSettings::new(&Server::shared().url(""), "nothing", password, None).unwrap();
    assert!(Postgres::open(nothing, NETWORK).await.unwrap_err().to_string().contains("/nowhere/password"));
}

#[tokio::test]
async fn a_role_may_own_a_schema_that_somebody_else_has_made_for_it() {
    let server = Server::shared();
    let admin = session(&fresh()).await;
    admin.run("CREATE ROLE lowly LOGIN; CREATE SCHEMA made_for_it AUTHORIZATION lowly").await.unwrap();
    let url = server.url("").replace("peerwright@", "lowly@");
    let own = PostgresSettings::new(&url, "made_for_it", None, None).unwrap();
    let store = opened(&own).await;
    store.append(vec![nth(1)], NOW).await.unwrap();
    store.close().await.unwrap();
    let other = PostgresSettings::new(&url, "made_for_nobody", None, None).unwrap();
    let refused = Postgres::open(other, NETWORK).await.unwrap_err().to_string();
    assert!(refused.contains("permission denied") && refused.lines().count() == 1, "{refused}");
}

#[tokio::test]
async fn a_store_of_a_later_version_is_refused_unless_it_says_that_this_one_may_use_it() {
    let last = super::schema::RELEASED.len();
    for (readable_by, opens) in [(None, false), (Some(last + 1), false), (Some(last), true), (Some(1), true)] {
        let settings = fresh();
        let store = opened(&settings).await;
        store.append(vec![nth(1)], NOW).await.unwrap();
        store.close().await.unwrap();
        let later = session(&settings).await;
        later.run("INSERT INTO migrations (version, name, checksum) VALUES (999, 'later', '')").await.unwrap();
        later.run("DELETE FROM records WHERE name = 'readable_by'").await.unwrap();
        if let Some(version) = readable_by {
            let says = format!("INSERT INTO records (name, number) VALUES ('readable_by', {version})");
            later.run(&says).await.unwrap();
        }
        match Postgres::open(settings, NETWORK).await {
            Ok(store) if opens => assert_eq!(store.counts(register(1)).await.unwrap().messages, 1),
            Err(refused) if !opens => assert_eq!(refused, StoreError::Newer(999)),
            other => panic!("{readable_by:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn appends_under_way_at_once_share_commits() {
    let settings = fresh();
    let store = opened(&settings).await;
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
    store.close().await.unwrap();
}

#[tokio::test]
async fn what_was_queued_before_close_is_written_and_what_comes_after_is_refused() {
    let settings = fresh();
    let store = opened(&settings).await;
    let failed = store.failed();
    let queued = store.append(vec![nth(1)], NOW);
    store.close().await.unwrap();
    assert_eq!(queued.await, Ok(vec![Appended::Stored { transactions: 1 }]));
    assert_eq!(store.append(vec![nth(2)], NOW).await, Err(StoreError::Closed));
    assert_eq!(store.counts(register(1)).await, Err(StoreError::Closed));
    assert!(failed.now_or_never().is_none());
}

/// A trigger raises what the server does when it cannot extend a file.
const FULL: &str = "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
    CREATE TRIGGER full_disk BEFORE INSERT ON messages EXECUTE FUNCTION full_disk()";

#[tokio::test]
async fn a_full_disk_refuses_writes_keeps_what_was_acknowledged_and_takes_writes_again_when_there_is_room() {
    let settings = fresh();
    let store = opened(&settings).await;
    store.append(vec![nth(1)], NOW).await.unwrap();
    let admin = session(&settings).await;
    admin.run(FULL).await.unwrap();
    assert_eq!(store.append(vec![nth(2)], NOW).await, Err(StoreError::DiskFull));
    assert!(store.failed().now_or_never().is_none());
    assert_eq!(store.held(vec![register(1)]).await.unwrap()[0].ranges, [(1, 1)]);
    assert_eq!(store.put_document("word", "bytes".into()).await, Ok(()));
    admin.run("DROP TRIGGER full_disk ON messages").await.unwrap();
    assert_eq!(store.append(vec![nth(2)], NOW).await, Ok(vec![Appended::Stored { transactions: 1 }]));
    store.close().await.unwrap();
}

#[tokio::test]
async fn what_no_store_asks_for_ends_it_once_for_all() {
    let settings = fresh();
    let store = opened(&settings).await;
    let failed = store.failed();
    session(&settings).await.run("ALTER TABLE messages RENAME TO elsewhere").await.unwrap();
    let refused = store.append(vec![nth(1)], NOW).await.unwrap_err();
    assert!(matches!(refused, StoreError::Failed(_)), "{refused}");
    assert_eq!(failed.await, refused);
    assert_eq!(store.put_document("word", "bytes".into()).await.unwrap_err(), refused);
    store.close().await.unwrap();
    assert_eq!(store.failed().await, refused);
}
