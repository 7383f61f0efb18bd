//! What a loss of power leaves, of a few operations that are told by hand.

use crate::{
    Call, Fault, Image, Loss, Reason,
    record::{FileId, Record},
};
use libsqlite3_sys::{SQLITE_FULL, SQLITE_IOERR_FSYNC, SQLITE_OK};
use std::ffi::c_int;

const SECTOR: usize = 512;

fn record() -> Record {
    Record::of(tempfile::tempdir().unwrap().path())
}

fn write(record: &mut Record, file: FileId, offset: usize, bytes: &[u8]) -> c_int {
    record.write(file, offset, bytes, |_| SQLITE_OK)
}

/// By somebody who has just opened the file.
fn sync(record: &mut Record, file: FileId) -> c_int {
    let mut told = record.failures(file);
    record.sync(file, &mut told, &mut false)
}

/// A file of three sectors, durable with its name.
fn three_sectors(record: &mut Record) -> FileId {
    let file = record.open("file");
    write(record, file, 0, &[1; 3 * SECTOR]);
    record.sync(file, &mut 0, &mut true);
    file
}

/// The first byte of each sector.
fn sectors(image: &Image) -> Vec<u8> {
    image["file"].chunks(SECTOR).map(|sector| sector[0]).collect()
}

fn after(mut record: Record, loss: Loss) -> Image {
    let moment = record.len();
    record.take().crash(moment).image(loss)
}

#[test]
fn what_was_synced_stays_and_what_was_not_may_be_lost_torn_and_reordered() {
    let unsynced = |loss| {
        let mut record = record();
        let file = three_sectors(&mut record);
        write(&mut record, file, 0, &[2; 2 * SECTOR]);
        write(&mut record, file, 2 * SECTOR, &[3; SECTOR]);
        sectors(&after(record, loss))
    };
    assert_eq!(unsynced(Loss::ALL), [1, 1, 1]);
    assert_eq!(unsynced(Loss::NOTHING), [2, 2, 3]);
    assert_eq!(unsynced(Loss::KeepFirst(1)), [2, 2, 1]);
    assert_eq!(unsynced(Loss::LoseFirst(1)), [1, 1, 3]);
    assert_eq!(unsynced(Loss::LoseOnly(1)), [2, 2, 1]);
    assert_eq!(unsynced(Loss::KeepOnly(1)), [1, 1, 3]);
    assert_eq!(unsynced(Loss::Tear { at: 0, first_half: true }), [2, 1, 1]);
    assert_eq!(unsynced(Loss::Tear { at: 0, first_half: false }), [1, 2, 1]);
    assert_eq!(unsynced(Loss::Keep(0b10)), [1, 1, 3]);
}

#[test]
fn each_drawn_sector_is_as_before_or_as_written_and_a_seed_draws_the_same_again() {
    let mut record = record();
    let file = three_sectors(&mut record);
    for round in 2..5 {
        write(&mut record, file, 0, &[round; 4 * SECTOR]);
    }
    let moment = record.len();
    let history = record.take();
    let crash = history.crash(moment);
    let drawn = |seed| sectors(&crash.image(Loss::Draw { seed, sector: SECTOR }));
    let all: Vec<Vec<u8>> = (0..1_000).map(drawn).collect();
    assert_eq!(all, (0..1_000).map(drawn).collect::<Vec<_>>());
    assert!(all.iter().all(|image| image[..3].iter().all(|byte| (1..5).contains(byte))));
    // Where the file grew, it may also not have grown, or hold junk.
    assert!(all.iter().any(|image| image.len() == 3) && all.iter().any(|image| image.get(3) == Some(&0xa5)));
    assert!(all.iter().any(|image| image[0] != image[1]));
}

#[test]
fn a_name_is_lost_with_its_file_until_the_folder_is_synced() {
    let mut unsynced = record();
    let file = unsynced.open("file");
    write(&mut unsynced, file, 0, &[1]);
    sync(&mut unsynced, file);
    assert_eq!(after(unsynced, Loss::ALL), Image::new());

    let mut removed = record();
    three_sectors(&mut removed);
    removed.removed("file");
    let other = removed.open("file");
    assert_ne!(other, 0);
    let moment = removed.len();
    let history = removed.take();
    assert_eq!(sectors(&history.crash(moment).image(Loss::ALL)), [1, 1, 1]);
    assert_eq!(history.crash(moment).image(Loss::KeepFirst(1)), Image::new());
    assert_eq!(history.crash(moment).image(Loss::NOTHING)["file"], [0u8; 0]);
}

#[test]
fn no_later_sync_makes_durable_what_a_failed_one_was_for() {
    let mut record = record();
    let file = three_sectors(&mut record);
    write(&mut record, file, 0, &[2; SECTOR]);
    record.fail(Fault { call: Call::Sync, reason: Reason::Broken, after: 0, lasts: false });
    assert_eq!(sync(&mut record, file), SQLITE_IOERR_FSYNC);
    assert!(record.has_struck());
    write(&mut record, file, SECTOR, &[3; SECTOR]);
    assert_eq!(sync(&mut record, file), SQLITE_OK);
    assert_eq!(sectors(&after(record, Loss::ALL)), [1, 3, 1]);
}

#[test]
fn whoever_has_a_file_open_hears_once_that_it_could_not_be_synced() {
    let mut record = record();
    let file = three_sectors(&mut record);
    let [mut one, mut other] = [record.failures(file); 2];
    record.fail(Fault { call: Call::Sync, reason: Reason::Broken, after: 0, lasts: false });
    assert_eq!(record.sync(file, &mut one, &mut false), SQLITE_IOERR_FSYNC);
    assert_eq!(record.sync(file, &mut one, &mut false), SQLITE_OK);
    assert_eq!(record.sync(file, &mut other, &mut false), SQLITE_IOERR_FSYNC);
    assert_eq!(record.sync(file, &mut other, &mut false), SQLITE_OK);
}

#[test]
fn a_full_disk_takes_what_makes_no_file_longer_and_half_of_what_does() {
    let mut record = record();
    let file = three_sectors(&mut record);
    record.fail(Fault { call: Call::Write, reason: Reason::NoRoom, after: 0, lasts: true });
    assert_eq!(write(&mut record, file, 0, &[2; SECTOR]), SQLITE_OK);
    assert_eq!(write(&mut record, file, 3 * SECTOR, &[2; 2 * SECTOR]), SQLITE_FULL);
    record.heal();
    assert_eq!(write(&mut record, file, 4 * SECTOR, &[3; SECTOR]), SQLITE_OK);
    assert_eq!(sectors(&after(record, Loss::NOTHING)), [2, 1, 1, 2, 3]);
}

#[test]
fn the_moments_that_matter_are_before_the_syncs_and_at_the_end() {
    let mut record = record();
    let file = three_sectors(&mut record);
    sync(&mut record, file);
    write(&mut record, file, 0, &[2]);
    assert_eq!(record.take().barriers(), [2, 6]);
}
