//! The disk refuses: for good, as a broken one does, or for lack of room.

use super::{
    image::{Losses, folder},
    life::{Life, Refused, file_in, open_on, short_log},
    state::observe,
    steps::{Step, short_life},
};
use crate::{Store, StoreError, sqlite::options::Options, tests::model};
use futures::FutureExt;
use peerwright_disk::{Call, Disk, Fault, Loss, Reason};

/// The short life in one process.
fn steps() -> impl Iterator<Item = Step> {
    short_life().into_iter().filter(|step| !step.reopens())
}

/// After a life with a fault: power is lost while the store is closed.
async fn look_at_the_end(life: Life, what: &str) {
    let closed_from = life.disk.now();
    let (past, history) = life.end().await;
    let moment = history.barriers().into_iter().find(|moment| *moment >= closed_from).unwrap();
    let draw = Loss::Draw { seed: 8 * moment as u64 + 1, sector: 512 };
    // The last operation alone is there: of a log that is removed, what was moved from it is not.
    let ways = |pending: usize| vec![Loss::ALL, Loss::LoseFirst(pending.saturating_sub(1)), draw];
    if let Err(finding) = Losses::new(what, &past, &history).look(moment, ways).await {
        finding.report();
    }
}

/// One call is refused, once, after so many that were not. Whether there was one.
async fn breaks(call: Call, after: u64) -> bool {
    let folder = folder();
    let mut life = Life::begin(folder.path(), short_log).await;
    life.disk.fail(Fault { call, reason: Reason::Broken, after, lasts: false });
    for step in steps() {
        let Err(Refused { refusal, rest, begun }) = life.step(&step).await else { continue };
        assert!(refusal.starts_with("Err(Failed("), "{refusal}");
        life.assert_reads_on().await;
        let failure = life.store().failed().await;
        assert_eq!(format!("Err({failure:?})"), refusal);
        // The disk works again; what it has cannot be told all the same.
        assert_eq!(life.store().put_document("note", "later".into()).await, Err(failure));
        life.assert_reads_on().await;
        for part in rest {
            life.follow(&part, begun).await;
        }
        break;
    }
    let has_failed = life.disk.has_failed();
    look_at_the_end(life, &format!("{call:?} refused after {after}")).await;
    has_failed
}

#[tokio::test]
async fn whichever_call_a_broken_disk_refuses_no_later_write_is_taken_and_nothing_answered_is_lost() {
    for (call, stride, least) in
        [(Call::Write, 13, 90), (Call::Sync, 3, 20), (Call::Truncate, 1, 0), (Call::Read, 13, 5)]
    {
        let mut after = 0;
        while breaks(call, after).await {
            after += stride;
        }
        assert!(after >= least, "only {after} of {call:?}");
    }
}

#[tokio::test]
async fn nothing_is_written_once_the_writer_could_not_sync_what_it_moved_from_its_log() {
    let folder = folder();
    let mut life = Life::begin(folder.path(), short_log).await;
    let put = |byte: u8| Step::Messages(vec![model::Operation::PutDocument(vec![byte; 300 << 10])]);
    let bury = Step::Messages(vec![model::Operation::Bury(vec![(0, 1, true)])]);
    // What was written before is moved between the two.
    life.step(&bury).await.unwrap();
    life.step(&bury).await.unwrap();
    // As long as this is read, only what lies before it is moved, and the file is not synced.
    let moves = life.moves();
    let mut reader = Options::reader(&file_in(folder.path())).connect().unwrap();
    let reading = reader.transaction().unwrap();
    reading.query_row("SELECT COUNT(*) FROM dead_letters", [], |row| row.get::<_, i64>(0)).unwrap();
    life.step(&put(1)).await.unwrap();
    assert_eq!(life.moves(), moves);
    drop(reading);
    drop(reader);
    // The commit, the log before it is moved, and then the file, which fails.
    life.disk.fail(Fault { call: Call::Sync, reason: Reason::Broken, after: 2, lasts: false });
    life.step(&put(2)).await.unwrap();
    let Refused { refusal, rest, begun } = life.step(&put(3)).await.unwrap_err();
    assert!(life.disk.has_failed());
    assert!(refusal.starts_with("Err(Failed("), "{refusal}");
    for part in rest {
        life.follow(&part, begun).await;
    }
    look_at_the_end(life, "the file is not synced").await;
}

/// There is no more room after so many writes that took some, until what was refused for it is handed in again. Whether
/// there was one.
async fn fills(after: u64) -> bool {
    let folder = folder();
    // The log grows at each commit.
    let mut life = Life::begin(folder.path(), |options| options).await;
    life.disk.fail(Fault { call: Call::Write, reason: Reason::NoRoom, after, lasts: true });
    let mut refused = false;
    for step in steps() {
        let Err(Refused { refusal, rest, .. }) = life.step(&step).await else { continue };
        refused = true;
        assert_eq!(refusal, "Err(DiskFull)");
        life.assert_reads_on().await;
        assert!(life.store().failed().now_or_never().is_none());
        life.disk.heal();
        for part in rest {
            life.step(&part).await.unwrap();
        }
    }
    life.assert_reads_on().await;
    look_at_the_end(life, &format!("full after {after}")).await;
    refused
}

#[tokio::test]
async fn a_disk_that_fills_at_any_write_is_read_on_and_written_again_once_there_is_room() {
    let mut after = 0;
    while fills(after).await {
        after += 9;
    }
    assert!(after >= 90, "only {after}");
}

/// SQLite keeps an index of its log in a file that grows too.
#[tokio::test]
async fn a_disk_without_room_for_the_index_of_the_log_is_full_and_not_broken() {
    let folder = folder();
    // Small pages make many entries of the index with few bytes.
    let mut life = Life::begin(folder.path(), |options| options.pragma("page_size", 512)).await;
    life.disk.fail(Fault { call: Call::GrowIndex, reason: Reason::NoRoom, after: 0, lasts: true });
    let put = |byte: u8| Step::Messages(vec![model::Operation::PutDocument(vec![byte; 100 << 10])]);
    let mut byte = 0;
    let refusal = loop {
        match life.step(&put(byte)).await {
            Ok(()) => byte += 1,
            Err(Refused { refusal, .. }) => break refusal,
        }
    };
    assert_eq!(refusal, "Err(DiskFull)");
    life.assert_reads_on().await;
    assert!(life.store().failed().now_or_never().is_none());
    life.disk.heal();
    life.step(&put(byte)).await.unwrap();
    life.step(&put(byte + 1)).await.unwrap();
    life.assert_reads_on().await;
    look_at_the_end(life, "no room for the index of the log").await;
}

/// A call is refused while a store is made; then it opens. Whether one was.
async fn breaks_the_first_opening(fault: Fault) -> bool {
    let folder = folder();
    let path = file_in(folder.path());
    let disk = Disk::attach(folder.path());
    disk.fail(fault);
    match open_on(&disk, &path, |options| options).await {
        Ok(store) => store.close().await.unwrap(),
        Err(StoreError::Failed(_) | StoreError::DiskFull) => assert!(disk.has_failed()),
        Err(error) => panic!("{fault:?}: {error:?}"),
    }
    let has_failed = disk.has_failed();
    disk.heal();
    let store = open_on(&disk, &path, |options| options).await.unwrap();
    let empty = observe(&crate::Memory::new(store.network_uid())).await.unwrap();
    assert_eq!(observe(&store).await.unwrap(), empty);
    store.close().await.unwrap();
    has_failed
}

#[tokio::test]
async fn a_disk_that_fails_while_a_store_is_made_leaves_one_that_opens() {
    for (call, reason, lasts) in
        [(Call::Write, Reason::Broken, false), (Call::Write, Reason::NoRoom, true), (Call::Sync, Reason::Broken, false)]
    {
        let mut after = 0;
        while breaks_the_first_opening(Fault { call, reason, after, lasts }).await {
            after += 3;
        }
        assert!(after >= 6, "only {after} of {call:?}");
    }
}
