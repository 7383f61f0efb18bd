//! The process dies, or its volume fails, in the middle of writing: what it had acknowledged is there afterwards.
//!
//! Each test starts its own program again as a child that runs the same test; the child finds the store's directory in
//! its environment, writes, and prints what was acknowledged.

use super::fixtures::{NETWORK, NOW, Place, message, register, transaction};
use crate::{Appended, Sqlite, Store, StoreError};
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
};

const CHILD: &str = "PEERWRIGHT_STORE_TEST_CHILD";
const WRITERS: u64 = 8;

pub(super) fn child_directory() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

/// This test again, in a process of its own, after the shell has run `before`.
pub(super) fn start_child(test: &str, before: &str, directory: &Path) -> Child {
    Command::new("sh")
        .args(["-c", &format!("{before} exec \"$@\""), "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// The child: several writers at once, each with a node's life of its own, until something fails.
async fn write_until_refused(directory: &Path) -> StoreError {
    let store = Arc::new(Sqlite::open(&directory.join("store.sqlite"), NETWORK).await.unwrap());
    let incarnation = store.next_incarnation(1).await.unwrap();
    println!("\nincarnation {incarnation}");
    let mut writers = tokio::task::JoinSet::new();
    for writer in 1..=WRITERS {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            let origin = u8::try_from(writer).unwrap();
            let mut sequence = 0;
            loop {
                sequence += 1;
                let place = Place { origin, incarnation, register: 1, sequence, register_sequence: sequence };
                let number = u32::try_from(sequence * WRITERS + writer).unwrap();
                let appended = store.append(vec![message(place, &[transaction(register(1), number)])], NOW).await;
                match appended {
                    Ok(outcomes) => assert!(matches!(outcomes[..], [Appended::Stored { .. }]), "{outcomes:?}"),
                    Err(error) => break error,
                }
                println!("acknowledged {origin} {incarnation} {sequence}");
            }
        });
    }
    let refused = writers.join_next().await.unwrap().unwrap();
    println!("refused {}", refused.code());
    writers.join_all().await;
    assert_eq!(
        store.append(vec![message(Place::nth(1), &[transaction(register(1), 1)])], NOW).await,
        Err(refused.clone())
    );
    refused
}

/// What a child printed: (origin, incarnation, sequence) of each acknowledgement, and why it stopped.
#[derive(Default)]
pub(super) struct Report {
    pub(super) acknowledged: Vec<(u8, u64, u64)>,
    incarnation: u64,
    refused: Option<String>,
}

/// Reads what the child prints to its end, and kills it once it has acknowledged so many.
pub(super) fn watch(mut child: Child, kill_after: usize) -> Report {
    let mut report = Report::default();
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["acknowledged", origin, incarnation, sequence] => report.acknowledged.push((
                origin.parse().unwrap(),
                incarnation.parse().unwrap(),
                sequence.parse().unwrap(),
            )),
            ["incarnation", incarnation] => report.incarnation = incarnation.parse().unwrap(),
            ["refused", code] => report.refused = Some(code.to_owned()),
            _ => {}
        }
        if report.acknowledged.len() == kill_after {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    report
}

async fn assert_all_held(store: &dyn Store, acknowledged: &[(u8, u64, u64)]) {
    for (origin, incarnation, sequence) in acknowledged {
        let place = Place { origin: *origin, incarnation: *incarnation, ..Place::nth(*sequence) };
        let read = store.read(vec![place.range(*sequence, *sequence)], 1, 1).await.unwrap();
        let number = u32::try_from(sequence * WRITERS + u64::from(*origin)).unwrap();
        assert_eq!(read, [message(place, &[transaction(register(1), number)]).encoded().clone()], "{place:?}");
    }
}

#[test]
fn acknowledged_appends_survive_kill() {
    if let Some(directory) = child_directory() {
        runtime().block_on(write_until_refused(&directory));
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    let mut last_incarnation = 0;
    for round in 0..4 {
        let child = start_child("tests::kill::acknowledged_appends_survive_kill", "", directory.path());
        let report = watch(child, 40 + 30 * round);
        assert!(report.acknowledged.len() >= 40 && report.refused.is_none());
        assert!(report.incarnation > last_incarnation);
        last_incarnation = report.incarnation;
        acknowledged.extend(report.acknowledged);
    }
    runtime().block_on(async {
        let store = Sqlite::open(&directory.path().join("store.sqlite"), NETWORK).await.unwrap();
        assert_all_held(&store, &acknowledged).await;
        assert!(store.counts(register(1)).await.unwrap().messages >= acknowledged.len() as u64);
        let rechecked: u64 = store
            .held(vec![register(1)])
            .await
            .unwrap()
            .iter()
            .flat_map(|held| &held.ranges)
            .map(|(first, last)| last - first + 1)
            .sum();
        assert_eq!(rechecked, store.counts(register(1)).await.unwrap().messages);
    });
}

#[test]
fn a_volume_that_fails_to_write_stops_the_writer_and_loses_nothing_acknowledged() {
    if let Some(directory) = child_directory() {
        runtime().block_on(write_until_refused(&directory));
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    // Past this file size the kernel refuses the write with an error that is not ENOSPC.
    let child = start_child(
        "tests::kill::a_volume_that_fails_to_write_stops_the_writer_and_loses_nothing_acknowledged",
        "trap '' XFSZ; ulimit -f 3000;",
        directory.path(),
    );
    let report = watch(child, usize::MAX);
    assert_eq!(report.refused.as_deref(), Some("store_failed"));
    assert!(!report.acknowledged.is_empty());
    runtime().block_on(async {
        let store = Sqlite::open(&directory.path().join("store.sqlite"), NETWORK).await.unwrap();
        assert_all_held(&store, &report.acknowledged).await;
    });
}

/// The child: appends messages two at a time and lets go of every other one, until it is killed.
async fn let_go_until_killed(directory: &Path) {
    let store = Sqlite::open(&directory.join("store.sqlite"), NETWORK).await.unwrap();
    let incarnation = store.next_incarnation(1).await.unwrap();
    for sequence in (1u64..).step_by(2) {
        let place = |sequence| Place { incarnation, ..Place::nth(sequence) };
        let pair = [sequence, sequence + 1]
            .map(|sequence| message(place(sequence), &[transaction(register(1), u32::try_from(sequence).unwrap())]));
        // One commit does both, or two do.
        let gone = vec![place(sequence).range(sequence, sequence)];
        let (appended, gone) = tokio::join!(store.append(pair.to_vec(), NOW), store.let_go(gone));
        assert!(appended.is_ok() && gone.is_ok());
        println!("\nacknowledged 1 {incarnation} {sequence}");
    }
}

#[test]
fn what_was_let_go_of_is_gone_and_known_after_kill_and_nothing_else_is() {
    if let Some(directory) = child_directory() {
        runtime().block_on(let_go_until_killed(&directory));
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let test = "tests::kill::what_was_let_go_of_is_gone_and_known_after_kill_and_nothing_else_is";
    let reports: Vec<Report> = (1..4).map(|round| watch(start_child(test, "", directory.path()), 30 * round)).collect();
    runtime().block_on(async {
        let store = Sqlite::open(&directory.path().join("store.sqlite"), NETWORK).await.unwrap();
        for (_, incarnation, sequence) in reports.iter().flat_map(|report| &report.acknowledged) {
            let place = Place { incarnation: *incarnation, ..Place::nth(*sequence) };
            let read = store.read(vec![place.range(*sequence, sequence + 1)], 9, usize::MAX).await.unwrap();
            let kept = Place { sequence: sequence + 1, register_sequence: sequence + 1, ..place };
            let number = u32::try_from(sequence + 1).unwrap();
            assert_eq!(read, [message(kept, &[transaction(register(1), number)]).encoded().clone()], "{place:?}");
        }
        let counted = |rows: Vec<crate::Held>| -> u64 {
            rows.iter().flat_map(|row| &row.ranges).map(|(first, last)| last - first + 1).sum()
        };
        let held = counted(store.held(vec![register(1)]).await.unwrap());
        let gone = counted(store.gone(vec![register(1)]).await.unwrap());
        let counts = store.counts(register(1)).await.unwrap();
        assert_eq!(counts.messages, held - gone);
        assert!(gone >= reports.iter().map(|report| report.acknowledged.len() as u64).sum());
        assert_eq!(store.messages_after(None, usize::MAX).await.unwrap().len() as u64, counts.messages);
    });
}
