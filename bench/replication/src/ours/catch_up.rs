//! A register that is there, replicated.
//!
//! ```text
//!  corpus ─ copy ─▶ source ═══ mutual TLS ═══▶ replica(s) ─ closed, opened ─▶ compared with the corpus
//!                   clock: ▲ begins                    ▲ ends: certified and indexed to the head
//! ```

use super::{
    network::{Member, Network},
    threads,
};
use crate::{
    corpus::{self, Corpus},
    plan::{Outcome, Plan},
    postgres,
};
use anyhow::{Context as _, Result};
use peerwright_node::config::Storage;
use peerwright_store::PostgresSettings;
use std::{
    thread,
    time::{Duration, Instant},
};
use tokio::runtime::{Builder, Runtime};

/// How often each side is killed in turns, together.
pub(crate) const KILLS: u64 = 20;
/// The schema of a replica that has one.
const SCHEMA: &str = "replica";
/// How often is looked whether the next is due.
const LOOK: Duration = Duration::from_millis(2);

/// What is to come over.
struct Expected {
    register: peerwright_ledger::RegisterId,
    head: u64,
    transactions: u64,
}

/// The nodes are connected; then the register is subscribed to.
pub(super) fn stream(plan: &Plan) -> Result<Outcome> {
    let runtime = runtime()?;
    let (network, expected) = prepare(plan, &runtime, Storage::Volume)?;
    let source = network.source()?;
    let numbers = 0..plan.case.replicas();
    let replicas: Vec<Member> = numbers.map(|number| network.replica(number, &source)).collect::<Result<_>>()?;
    for member in replicas.iter().chain([&source]) {
        member.settle(replicas.len() + 1)?;
    }
    let (used, began) = (threads::now(), Instant::now());
    network.subscribe(expected.register, replicas.iter().chain([&source]))?;
    for replica in &replicas {
        replica.catch_up(expected.register, expected.head)?;
    }
    let (seconds, processor) = (began.elapsed().as_secs_f64(), threads::since(&used));
    let transactions = expected.transactions * replicas.len() as u64;
    check(plan, &runtime, &network, source, replicas)?;
    Ok(Outcome { transactions, seconds, processor, ..Outcome::default() })
}

/// The subscription is there; then the replica's node starts.
pub(super) fn cold(plan: &Plan) -> Result<Outcome> {
    cold_into(plan, Storage::Volume)
}

/// The same; the replica keeps registers in a server that has the settings of the rival's.
pub(super) fn cold_postgres(plan: &Plan) -> Result<Outcome> {
    let database = postgres::database(&plan.folder.join("database"))?;
    let settings = PostgresSettings::new(&database.url(), SCHEMA, None, None)?;
    cold_into(plan, Storage::Postgres(Box::new(settings)))
}

fn cold_into(plan: &Plan, storage: Storage) -> Result<Outcome> {
    let runtime = runtime()?;
    let (network, expected) = prepare(plan, &runtime, storage)?;
    let source = network.source()?;
    network.subscribe(expected.register, [&source])?;
    let (used, began) = (threads::now(), Instant::now());
    let replica = network.replica(0, &source)?;
    let starting_seconds = began.elapsed().as_secs_f64();
    replica.catch_up(expected.register, expected.head)?;
    let (seconds, processor) = (began.elapsed().as_secs_f64(), threads::since(&used));
    check(plan, &runtime, &network, source, vec![replica])?;
    Ok(Outcome { transactions: expected.transactions, seconds, starting_seconds, processor, ..Outcome::default() })
}

/// As [`cold`], while source and replica are killed in turns and started again, evenly over the register.
pub(super) fn interrupted(plan: &Plan) -> Result<Outcome> {
    let runtime = runtime()?;
    let (network, expected) = prepare(plan, &runtime, Storage::Volume)?;
    let mut source = network.source()?;
    network.subscribe(expected.register, [&source])?;
    let began = Instant::now();
    let mut replica = network.replica(0, &source)?;
    let mut starting = began.elapsed();
    for kill in 1..=KILLS {
        while replica.certified(expected.register)? <= expected.head * kill / (KILLS + 1) {
            thread::sleep(LOOK);
        }
        let ended = Instant::now();
        if kill % 2 == 0 {
            source = network.start(source.kill()?)?;
        } else {
            replica = network.start(replica.kill()?)?;
        }
        starting += ended.elapsed();
    }
    replica.catch_up(expected.register, expected.head)?;
    let seconds = began.elapsed().as_secs_f64();
    check(plan, &runtime, &network, source, vec![replica])?;
    let note = format!("{KILLS} kills, of source and replica in turns: every task dropped, the store opened again");
    let starting_seconds = starting.as_secs_f64();
    Ok(Outcome { transactions: expected.transactions, seconds, starting_seconds, note, ..Outcome::default() })
}

fn runtime() -> Result<Runtime> {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().context("the runtime does not start")
}

/// `storage` is where replicas keep registers.
fn prepare(plan: &Plan, runtime: &Runtime, storage: Storage) -> Result<(Network, Expected)> {
    let network = Network::new(&plan.folder)?.with_replicas_in(storage);
    corpus::copy(&plan.corpus, &network.source_folder())?;
    let corpus = Corpus::open(runtime, &plan.corpus)?;
    let expected =
        Expected { register: corpus.register(), head: corpus.held.head, transactions: corpus.transactions() };
    corpus.close()?;
    Ok((network, expected))
}

/// What the replicas have on the disk is what the source had.
fn check(plan: &Plan, runtime: &Runtime, network: &Network, source: Member, replicas: Vec<Member>) -> Result<()> {
    source.kill()?;
    let count = plan.case.replicas();
    for replica in replicas {
        replica.kill()?;
    }
    let corpus = Corpus::open(runtime, &plan.corpus)?;
    for number in 0..count {
        let copy = Corpus::stored(runtime, &network.replicas_in, &network.replica_folder(number))?;
        corpus.compare(&copy).with_context(|| format!("replica {number}"))?;
        copy.close()?;
    }
    corpus.close()
}
