//! The server goes, or the connection to it does: nothing acknowledged is lost, nothing is answered that is not so, and
//! the store goes on by itself.

use super::{
    super::{Postgres, PostgresSettings},
    count, fresh, fresh_on, nth, opened,
    proxy::{Cut, Proxy},
    session,
};
use crate::{
    Appended, LogState, SealingStore, Store, StoreError,
    tests::fixtures::{NETWORK, NOW, Place, message, register, transaction},
};
use peerwright_database::Server;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::{sync::watch, task::JoinSet};

const WRITERS: u8 = 4;

fn of_writer(writer: u8, sequence: u64) -> peerwright_ledger::Message {
    let place = Place { origin: writer, ..Place::nth(sequence) };
    let number = u32::try_from(sequence * u64::from(WRITERS) + u64::from(writer)).unwrap();
    message(place, &[transaction(register(1), number)])
}

/// Appends until it is told to stop, each message until it is acknowledged; how many that were.
async fn append_on(store: Arc<Postgres>, writer: u8, stop: Arc<AtomicBool>, acknowledged: watch::Sender<u64>) -> u64 {
    let mut sequence = 0;
    while !stop.load(Ordering::Relaxed) {
        sequence += 1;
        loop {
            match store.append(vec![of_writer(writer, sequence)], NOW).await {
                Ok(outcomes) => {
                    // What was refused was not written: else it would be there already.
                    assert!(matches!(outcomes[..], [Appended::Stored { .. }]), "{outcomes:?}");
                    break;
                }
                Err(refused) => assert!(matches!(refused, StoreError::Unreachable(_)), "{refused}"),
            }
            tokio::task::yield_now().await;
        }
        acknowledged.send_modify(|count| *count += 1);
    }
    sequence
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_in_the_middle_of_commits_loses_nothing_and_the_store_goes_on() {
    let server = Server::own();
    let settings = fresh_on(&server);
    let store = Arc::new(opened(&settings).await);
    let stop = Arc::new(AtomicBool::new(false));
    let (acknowledged, mut counted) = watch::channel(0);
    let mut writers = JoinSet::new();
    for writer in 1..=WRITERS {
        let writing = append_on(Arc::clone(&store), writer, Arc::clone(&stop), acknowledged.clone());
        writers.spawn(async move { (writer, writing.await) });
    }
    for _ in 0..3 {
        let so_far = *counted.borrow();
        counted.wait_for(|count| *count >= so_far + 60).await.unwrap();
        tokio::task::block_in_place(|| {
            server.kill();
            server.start();
        });
        let so_far = *counted.borrow();
        counted.wait_for(|count| *count >= so_far + 20).await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    for (writer, sequences) in writers.join_all().await {
        let range = Place { origin: writer, ..Place::nth(1) }.range(1, sequences);
        let read = store.read(vec![range], usize::MAX, usize::MAX).await.unwrap();
        let written: Vec<_> = (1..=sequences).map(|sequence| of_writer(writer, sequence).encoded().clone()).collect();
        assert_eq!(read, written);
    }
    let held = store.held(vec![register(1)]).await.unwrap();
    let held: u64 = held.iter().flat_map(|held| &held.ranges).map(|(first, last)| last - first + 1).sum();
    assert_eq!(store.counts(register(1)).await.unwrap().messages, held);
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_server_is_away_reads_and_writes_are_refused_and_nothing_has_failed() {
    let server = Server::own();
    let settings = fresh_on(&server);
    let store = opened(&settings).await;
    store.append(vec![nth(1)], NOW).await.unwrap();
    tokio::task::block_in_place(|| server.kill());
    assert!(matches!(store.append(vec![nth(2)], NOW).await, Err(StoreError::Unreachable(_))));
    assert!(matches!(store.counts(register(1)).await, Err(StoreError::Unreachable(_))));
    assert!(futures::FutureExt::now_or_never(store.failed()).is_none());
    tokio::task::block_in_place(|| server.start());
    while store.append(vec![nth(2)], NOW).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(store.counts(register(1)).await.unwrap().messages, 2);
    store.close().await.unwrap();
}

/// Ends every connection of a store, as a failover or an administrator does; they are gone when this returns.
async fn end_connections(settings: &PostgresSettings) {
    let admin = session(settings).await;
    let end = format!(
        "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity
         WHERE application_name = 'peerwright-node {}' AND pid <> pg_backend_pid()",
        settings.schema
    );
    admin.run(&end).await.unwrap();
}

#[tokio::test]
async fn a_connection_that_is_lost_while_nobody_writes_is_made_again() {
    let settings = fresh();
    let store = opened(&settings).await;
    store.append(vec![nth(1)], NOW).await.unwrap();
    end_connections(&settings).await;
    store.append(vec![nth(2)], NOW).await.unwrap();
    assert_eq!(store.counts(register(1)).await.unwrap().messages, 2);
    store.close().await.unwrap();
}

/// As after a failover, or by whoever ends sessions that idle: the read after it meets what is left of its connection.
#[tokio::test]
async fn a_read_whose_connection_was_ended_since_the_last_one_is_answered() {
    let settings = fresh();
    let store = opened(&settings).await;
    store.append(vec![nth(1)], NOW).await.unwrap();
    for _ in 0..10 {
        assert_eq!(store.counts(register(1)).await.unwrap().messages, 1);
        end_connections(&settings).await;
    }
    assert_eq!(store.counts(register(1)).await.unwrap().messages, 1);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_read_that_loses_its_connection_is_tried_once_more_on_a_new_one_and_no_more() {
    let (proxy, settings) = through(Server::shared()).await;
    let store = opened(&settings).await;
    settle(&store).await;
    // What is read from one state of the store ends with a commit of its own.
    for cut in [Cut::Before, Cut::After, Cut::Meanwhile] {
        proxy.cut(cut);
        assert_eq!(store.log_state().await, Ok(LogState::default()));
        assert!(proxy.was_cut());
    }
    proxy.cut(Cut::Before);
    proxy.cut(Cut::Before);
    assert!(matches!(store.log_state().await, Err(StoreError::Unreachable(_))));
    assert!(proxy.was_cut());
    assert_eq!(store.log_state().await, Ok(LogState::default()));
    store.close().await.unwrap();
}

/// As when the operator of a database writes a new password into its Secret, and for a moment nonsense.
#[tokio::test]
async fn a_url_in_a_file_is_read_anew_for_each_connection() {
    let shared = fresh();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("url");
    std::fs::write(&file, format!("{}\n", Server::shared().url(""))).unwrap();
    let settings = PostgresSettings::from_file(file.clone(), &shared.schema, None).unwrap();
    let store = opened(&settings).await;
    store.append(vec![nth(1)], NOW).await.unwrap();

    std::fs::write(&file, "postgres://one:hidden@nowhere\n").unwrap();
    end_connections(&shared).await;
    let refused = loop {
        // Until the store has noticed that its connection has ended.
        if let Err(refused) = store.append(vec![nth(2)], NOW).await {
            break refused.to_string();
        }
        tokio::task::yield_now().await;
    };
    assert!(refused.contains(&file.display().to_string()) && !refused.contains("hidden"), "{refused}");

    std::fs::write(&file, Server::shared().url("")).unwrap();
    while store.append(vec![nth(2)], NOW).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(store.counts(register(1)).await.unwrap().messages, 2);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_database_that_has_lost_what_it_acknowledged_ends_the_store() {
    let settings = fresh();
    let store = opened(&settings).await;
    store.append(vec![nth(1)], NOW).await.unwrap();
    settle(&store).await;
    // As after a backup was restored, or a copy that lagged has taken over: nobody connects before that is so.
    session(&settings).await.run("UPDATE holder SET writes = 0").await.unwrap();
    end_connections(&settings).await;
    let failed = store.failed().await;
    assert!(matches!(&failed, StoreError::Failed(why) if why.contains("gone back")), "{failed}");
    store.close().await.unwrap();
}

/// Until the writer does nothing behind the writes, so that the next commit is the next write's.
async fn settle(store: &Postgres) {
    for _ in 0..2 {
        store.put_document("word", "bytes".into()).await.unwrap();
    }
}

async fn through(server: &Server) -> (Proxy, PostgresSettings) {
    let proxy = Proxy::before(server.home().join(".s.PGSQL.5432")).await;
    let url = format!("postgres://peerwright@127.0.0.1:{}/postgres", proxy.port);
    let settings = PostgresSettings::new(&url, &fresh_on(server).schema, None, None).unwrap();
    (proxy, settings)
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_looked_up_before_it_is_answered() {
    let (proxy, settings) = through(Server::shared()).await;
    let store = opened(&settings).await;
    store.append(vec![nth(1)], NOW).await.unwrap();
    settle(&store).await;
    let commits = store.commits();
    proxy.cut(Cut::After);
    assert_eq!(store.append(vec![nth(2)], NOW).await, Ok(vec![Appended::Stored { transactions: 1 }]));
    assert!(proxy.was_cut());
    assert_eq!(store.commits(), commits + 1);
    assert_eq!(store.held(vec![register(1)]).await.unwrap()[0].ranges, [(1, 2)]);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_commit_that_never_arrived_is_refused_and_has_written_nothing() {
    let (proxy, settings) = through(Server::shared()).await;
    let store = opened(&settings).await;
    store.append(vec![nth(1)], NOW).await.unwrap();
    settle(&store).await;
    proxy.cut(Cut::Before);
    assert!(matches!(store.append(vec![nth(2)], NOW).await, Err(StoreError::Unreachable(_))));
    assert!(proxy.was_cut());
    assert_eq!(store.held(vec![register(1)]).await.unwrap()[0].ranges, [(1, 1)]);
    assert_eq!(store.append(vec![nth(2)], NOW).await, Ok(vec![Appended::Stored { transactions: 1 }]));
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_commit_that_is_cut_in_the_middle_is_answered_as_it_ended() {
    let (proxy, settings) = through(Server::shared()).await;
    let store = opened(&settings).await;
    for sequence in 1..=20 {
        settle(&store).await;
        proxy.cut(Cut::Meanwhile);
        let answer = store.append(vec![nth(sequence)], NOW).await;
        assert!(proxy.was_cut());
        let place = Place::nth(sequence);
        let read = store.read(vec![place.range(sequence, sequence)], 1, 1).await.unwrap();
        assert_eq!(answer.is_ok(), !read.is_empty(), "{sequence}: {answer:?}");
    }
    store.close().await.unwrap();
    assert_eq!(count(&settings, "SELECT generation FROM holder").await, 1);
}

#[tokio::test]
async fn a_connection_under_tls_is_made_to_whoever_the_named_authorities_have_signed() {
    let made = |name: &str| {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    };
    let (right, key) = made("localhost");
    let (other, _) = made("localhost");
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let server = Server::with_tls(&right, &key, port);
    let (right, other) = (server.put("right.pem", &right), server.put("other.pem", &other));
    let url = format!("postgres://peerwright@localhost:{port}/postgres");
    let settings = |authorities| PostgresSettings::new(&url, "under_tls", None, Some(authorities)).unwrap();
    let refused = Postgres::open(settings(other), NETWORK).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Unopened(why) if why.contains("TLS")), "{refused}");
    let store = Postgres::open(settings(right.clone()), NETWORK).await.unwrap();
    store.append(vec![nth(1)], NOW).await.unwrap();
    let encrypted = "SELECT COUNT(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                     WHERE application_name LIKE 'peerwright-node%' AND NOT ssl";
    assert_eq!(count(&settings(right), encrypted).await, 0);
    store.close().await.unwrap();
}
