//! Power is lost.

use super::{
    image::{Losses, folder},
    life::{Life, Tuning, short_log},
    steps::{Step, drawn_steps, short_life},
};
use crate::tests::model;
use peerwright_disk::Loss;
use std::time::Duration;

/// Lives that are drawn when nothing else is said, and steps of each.
const SEEDS: u8 = 3;
const STEPS: usize = 20;

/// Up to so many operations, each set of them is lost.
const SMALL: usize = 5;

/// Each number of operations that are there; one that alone is lost, or torn, in turn; and of a few, any.
fn each(pending: usize) -> Vec<Loss> {
    let mut losses = vec![Loss::NOTHING, Loss::ALL];
    if pending <= SMALL {
        losses.extend((0..1 << pending).map(Loss::Keep));
    }
    for at in 0..pending {
        losses.push(Loss::KeepFirst(at));
        // Of a page of the log, its header and its bytes are an operation each.
        losses.push(if at.is_multiple_of(2) { Loss::LoseOnly(at) } else { Loss::Tear { at, first_half: at % 4 == 1 } });
    }
    losses
}

/// A few ways, some of them drawn.
fn some(seed: u64, pending: usize) -> Vec<Loss> {
    let at = usize::try_from(seed).unwrap() % pending.max(1);
    vec![
        Loss::ALL,
        Loss::KeepFirst(at),
        Loss::LoseFirst(at),
        Loss::Tear { at, first_half: seed.is_multiple_of(2) },
        Loss::Draw { seed: 4 * seed, sector: 512 },
        Loss::Draw { seed: 4 * seed + 1, sector: 4096 },
        Loss::Draw { seed: 4 * seed + 2, sector: 512 },
    ]
}

/// Loses power at each moment that matters, in some ways.
async fn look_at_some(losses: &mut Losses<'_>, seed: u64) {
    for moment in losses.history.barriers() {
        let seed = seed * 1_000 + moment as u64;
        if let Err(finding) = losses.look(moment, |pending| some(seed, pending)).await {
            finding.report();
        }
    }
}

#[tokio::test]
async fn power_lost_at_any_moment_of_a_short_life_takes_nothing_answered_and_leaves_nothing_half() {
    let folder = folder();
    let (past, history) = Life::of(folder.path(), short_log, &short_life()).await;
    let mut losses = Losses::new("the short life", &past, &history);
    for moment in history.barriers() {
        let ways = |pending| if moment < past.opened { some(moment as u64, pending) } else { each(pending) };
        if let Err(finding) = losses.look(moment, ways).await {
            finding.report();
        }
    }
    assert!(losses.images() > 200, "{} images", losses.images());
}

#[tokio::test]
async fn power_lost_in_lives_that_are_drawn_takes_nothing_answered_and_leaves_nothing_half() {
    let seeds = std::env::var("PEERWRIGHT_POWER_SEEDS").map_or(SEEDS, |seeds| seeds.parse().unwrap());
    for seed in 0..seeds {
        let folder = folder();
        let tuning: Tuning = if seed % 3 == 2 { |options| options } else { short_log };
        let (past, history) = Life::of(folder.path(), tuning, &drawn_steps(seed, STEPS)).await;
        let life = format!("seed {seed}");
        look_at_some(&mut Losses::new(&life, &past, &history), u64::from(seed)).await;
    }
}

/// Two documents of this size are more than what is moved at once.
const LARGE: usize = 5 << 20;

#[tokio::test]
async fn power_lost_while_the_log_is_moved_beside_the_writer_takes_nothing_answered() {
    let folder = folder();
    let mut life = Life::begin(folder.path(), |options| options).await;
    let put = |byte: u8, size| Step::Messages(vec![model::Operation::PutDocument(vec![byte; size])]);
    for step in drawn_steps(100, 6).into_iter().filter(|step| !step.reopens()) {
        life.step(&step).await.unwrap();
    }
    let moves = life.moves();
    life.step(&put(1, LARGE)).await.unwrap();
    life.step(&put(2, LARGE)).await.unwrap();
    while life.moves() == moves {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // The log begins anew, above what is left of it.
    for byte in 3..6 {
        life.step(&put(byte, usize::from(byte))).await.unwrap();
    }
    let (past, history) = life.end().await;
    let mut losses = Losses::new("the life with a log that is moved", &past, &history);
    for moment in history.barriers().into_iter().filter(|moment| *moment > past.opened) {
        let at = moment as u64;
        let ways = |_| vec![Loss::ALL, Loss::Draw { seed: 8 * at + 1, sector: 4096 }];
        if let Err(finding) = losses.look(moment, ways).await {
            finding.report();
        }
    }
}

/// The bugs that these tests are for, put back.
#[tokio::test]
async fn a_store_that_answers_before_the_sync_or_that_never_syncs_is_found_out() {
    let before_the_sync: Tuning = |options| short_log(options).pragma("synchronous", "NORMAL");
    let never: Tuning = |options| short_log(options).pragma("synchronous", "OFF");
    for (bug, tuning) in [("before the sync", before_the_sync), ("never", never)] {
        let folder = folder();
        let (past, history) = Life::of(folder.path(), tuning, &short_life()).await;
        let mut losses = Losses::new(bug, &past, &history);
        let mut found = false;
        for moment in history.barriers().into_iter().filter(|moment| *moment > past.opened) {
            found |= losses.look(moment, |pending| some(moment as u64, pending)).await.is_err();
        }
        assert!(found, "synced {bug}, and nobody notices");
    }
}
