//! Random operations on dockets and the sealing log, on every store and the model: every answer and everything that can
//! be read is the same, also after the store is opened again, and after the process is killed in the middle.

use super::{
    docket_fixtures::{Nth, checkpoint},
    fixtures::{NETWORK, drawn, register, told},
    kill,
};
use crate::{
    Applied, Extension, HeldDockets, LogEntry, Memory, NewDocket, NewLog, Postgres, PostgresSettings, SealingStore,
    Seen, Sqlite, Store, postgres::tests::fresh,
};
use peerwright_database::Server;
use proptest::prelude::*;
use std::path::{Path, PathBuf};

const REGISTERS: std::ops::Range<u8> = 0..3;
const NUMBERS: std::ops::Range<u64> = 0..16;

#[derive(Debug, Clone)]
pub(crate) enum Operation {
    /// Dockets behind the head, or from a number on.
    Next {
        register: u8,
        begin: u64,
        count: u64,
        certified: bool,
    },
    /// Dockets that rarely follow.
    Extend {
        first: Nth,
        count: u64,
    },
    Certify(Vec<Nth>),
    Replace {
        docket: Nth,
        certified: bool,
    },
    Trim {
        register: u8,
        below: u64,
    },
    Purge(u8),
    Index(u8),
    DropIndex(u8),
    AppendLog {
        skip: u64,
        count: u64,
    },
    TruncateLog(u64),
    PurgeLog(u64),
    Vote(u8),
    Apply {
        rise: u64,
        registers: Vec<u8>,
    },
    BeginLog {
        purged: Option<u64>,
        applied: Option<u64>,
        count: u64,
        skip: u64,
        registers: Vec<u8>,
    },
    Reopen,
}

fn nth() -> impl Strategy<Value = Nth> {
    let seed = prop_oneof![9 => Just(0u8), 1 => Just(1)];
    (REGISTERS, seed, NUMBERS).prop_map(|(register, seed, number)| Nth { register, seed, number })
}

pub(crate) fn operation() -> impl Strategy<Value = Operation> {
    let next = (REGISTERS, prop_oneof![3 => Just(0u64), 1 => 1u64..4], 1u64..5, any::<bool>());
    let certify = prop_oneof![3 => prop::collection::vec(nth(), 1..2), 1 => prop::collection::vec(nth(), 0..4)];
    let begin = (
        prop::option::of(NUMBERS),
        prop::option::of(NUMBERS),
        0u64..3,
        prop_oneof![4 => Just(1u64), 1 => Just(2)],
        prop::collection::vec(REGISTERS, 0..2),
    );
    prop_oneof![
        6 => next.prop_map(|(register, begin, count, certified)| Operation::Next { register, begin, count, certified }),
        1 => (nth(), 0u64..4).prop_map(|(first, count)| Operation::Extend { first, count }),
        6 => certify.prop_map(Operation::Certify),
        2 => (nth(), any::<bool>()).prop_map(|(docket, certified)| Operation::Replace { docket, certified }),
        1 => (REGISTERS, NUMBERS).prop_map(|(register, below)| Operation::Trim { register, below }),
        1 => REGISTERS.prop_map(Operation::Purge),
        4 => REGISTERS.prop_map(Operation::Index),
        1 => REGISTERS.prop_map(Operation::DropIndex),
        4 => (0u64..2, 0u64..5).prop_map(|(skip, count)| Operation::AppendLog { skip, count }),
        1 => NUMBERS.prop_map(Operation::TruncateLog),
        1 => NUMBERS.prop_map(Operation::PurgeLog),
        1 => any::<u8>().prop_map(Operation::Vote),
        4 => (0u64..3, prop::collection::vec(REGISTERS, 0..3))
            .prop_map(|(rise, registers)| Operation::Apply { rise, registers }),
        1 => begin.prop_map(|(purged, applied, count, skip, registers)| {
            Operation::BeginLog { purged, applied, count, skip, registers }
        }),
        2 => Just(Operation::Reopen),
    ]
}

async fn held(store: &dyn SealingStore, of: u8) -> Option<HeldDockets> {
    store.held_dockets(register(of)).await.unwrap()
}

async fn next(store: &dyn SealingStore, of: u8, begin: u64, count: u64, certified: bool) -> Extension {
    let first = held(store, of).await.map_or(begin, |held| held.head + 1);
    let dockets = (first..first + count).map(|number| Nth::of(of, number));
    let dockets = dockets.map(|nth| if certified { nth.certified() } else { nth.docket() }).collect();
    Extension { register: register(of), dockets, checkpoint: checkpoint(of, first + count) }
}

fn entry(index: u64) -> LogEntry {
    LogEntry { index, bytes: vec![7; 8 + (index.to_be_bytes()[7] % 32) as usize].into() }
}

/// Does it; what the store answered.
pub(crate) async fn perform(store: &dyn SealingStore, operation: &Operation) -> String {
    match operation.clone() {
        Operation::Next { register, begin, count, certified } => {
            told(store.extend(vec![next(store, register, begin, count, certified).await]).await)
        }
        Operation::Extend { first, count } => {
            let numbers = first.number..first.number + count;
            let dockets: Vec<NewDocket> = numbers.map(|number| Nth { number, ..first }.certified()).collect();
            let checkpoint = checkpoint(first.register, first.number + count);
            told(store.extend(vec![Extension { register: register(first.register), dockets, checkpoint }]).await)
        }
        Operation::Certify(dockets) => told(store.certify(dockets.into_iter().map(Nth::certificate).collect()).await),
        Operation::Replace { docket, certified } => {
            let new = if certified { docket.certified() } else { docket.docket() };
            told(store.replace_docket(register(docket.register), new).await)
        }
        Operation::Trim { register: of, below } => told(store.trim(register(of), below).await),
        Operation::Purge(of) => told(store.purge_dockets(register(of)).await),
        Operation::Index(of) => told(store.index(register(of)).await),
        Operation::DropIndex(of) => told(store.drop_index(register(of)).await),
        Operation::AppendLog { skip, count } => {
            let state = store.log_state().await.unwrap();
            let first = state.last.or(state.purged).map_or(0, |last| last.index + 1) + skip;
            told(store.append_log((first..first + count).map(entry).collect()).await)
        }
        Operation::TruncateLog(from) => told(store.truncate_log(from).await),
        Operation::PurgeLog(last) => told(store.purge_log(entry(last)).await),
        Operation::Vote(vote) => told(store.save_vote(vec![vote].into()).await),
        Operation::Apply { rise, registers } => {
            let mut extensions = Vec::new();
            for of in registers {
                extensions.push(next(store, of, 0, 1, false).await);
            }
            let last = store.log_state().await.unwrap().applied.map_or(0, |applied| applied.index);
            let index = last + rise;
            told(store.apply(extensions, Applied { index, state: told(index).into() }).await)
        }
        Operation::BeginLog { purged, applied, count, skip, registers } => {
            let mut extensions = Vec::new();
            for of in registers {
                extensions.push(next(store, of, 0, 1, true).await);
            }
            let first = purged.unwrap_or_default() + skip;
            let log = NewLog {
                purged: purged.map(entry),
                vote: told(purged).into(),
                applied: applied.map(|index| Applied { index, state: told(index).into() }),
                entries: (first..first + count).map(entry).collect(),
            };
            told(store.begin_log(extensions, log).await)
        }
        Operation::Reopen => String::new(),
    }
}

/// All that can be read. How far the index reaches is a store's own.
async fn observe(store: &dyn SealingStore) -> Vec<String> {
    let mut seen = vec![told(store.log_state().await)];
    for (from, to, max_bytes) in [(0, u64::MAX, usize::MAX), (2, 9, 40), (3, 5, 0)] {
        seen.push(told(store.read_log(from, to, max_bytes).await));
    }
    let held = store.registers().await.unwrap();
    seen.push(told(held.iter().map(|held| HeldDockets { indexed_through: None, ..*held }).collect::<Vec<_>>()));
    for held in &held {
        assert_eq!(store.held_dockets(held.register).await, Ok(Some(*held)));
        assert!(held.indexed_through.is_none_or(|through| through <= held.head));
    }
    for of in REGISTERS {
        let id = register(of);
        seen.push(told(store.checkpoint(id).await));
        for visible in [Seen::Certified, Seen::All] {
            for from in [0, 5, u64::MAX] {
                for (max, max_bytes) in [(usize::MAX, usize::MAX), (3, 2_000), (0, 9)] {
                    seen.push(told(store.headers(id, from, visible, max).await));
                    seen.push(told(store.dockets(id, from, visible, max, max_bytes).await));
                }
            }
            for number in 0..20 {
                seen.push(told(store.docket(id, number, visible).await));
                let last = Nth::of(of, number).transactions().pop().unwrap();
                seen.push(told(store.find(id, last, visible).await));
            }
            let lasts = (0..20).filter_map(|number| Nth::of(of, number).transactions().pop()).collect();
            seen.push(told(store.find_all(id, lasts, visible).await));
        }
        for (from, max_ids) in [(0, usize::MAX), (0, 3), (4, 9), (7, 0)] {
            seen.push(told(store.transaction_ids(id, from, max_ids).await));
        }
    }
    seen
}

/// Where a store is, for the process that a test starts as well.
#[derive(Debug, Clone)]
enum Kind {
    Sqlite(PathBuf),
    Postgres(Box<PostgresSettings>),
}

/// A store with all that a node asks of it.
pub(crate) trait Whole: Store + SealingStore {}
impl<S: Store + SealingStore> Whole for S {}

impl Kind {
    async fn open(&self) -> Box<dyn Whole> {
        match self {
            Self::Sqlite(directory) => Box::new(Sqlite::open(&directory.join("store.sqlite"), NETWORK).await.unwrap()),
            Self::Postgres(settings) => Box::new(Postgres::open((**settings).clone(), NETWORK).await.unwrap()),
        }
    }
}

async fn run(operations: Vec<Operation>, kind: Kind) -> Result<(), TestCaseError> {
    let model = Memory::new(NETWORK);
    let mut store = kind.open().await;
    for operation in operations {
        prop_assert_eq!(perform(&*store, &operation).await, perform(&model, &operation).await, "{:?}", operation);
        if matches!(operation, Operation::Reopen) {
            store.close().await.unwrap();
            drop(store);
            store = kind.open().await;
        }
    }
    prop_assert_eq!(observe(&*store).await, observe(&model).await);
    store.close().await.unwrap();
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn sqlite_is_the_model(operations in prop::collection::vec(operation(), 1..60)) {
        let directory = tempfile::tempdir().unwrap();
        kill::runtime().block_on(run(operations, Kind::Sqlite(directory.path().to_owned())))?;
    }
}

proptest! {
    // Each case makes a schema and syncs at each operation.
    #![proptest_config(ProptestConfig::with_cases(10))]
    #[test]
    fn postgres_is_the_model(operations in prop::collection::vec(operation(), 1..60)) {
        kill::runtime().block_on(run(operations, Kind::Postgres(Box::new(fresh()))))?;
    }
}

fn operations(seed: u8) -> Vec<Operation> {
    drawn(operation(), seed, 400)
}

/// The process that is killed: does what the seed says, and tells what was acknowledged.
fn acknowledge(kind: &Kind, directory: &Path) {
    kill::runtime().block_on(async {
        let store = kind.open().await;
        let seed: u8 = std::fs::read_to_string(directory.join("seed")).unwrap().parse().unwrap();
        for (number, operation) in operations(seed).iter().enumerate() {
            perform(&*store, operation).await;
            println!("acknowledged 0 0 {number}");
        }
    });
}

/// Runs `test` in a process that is killed, and looks at what it has left.
fn kill_and_look(test: &str, seed: u8, directory: &Path, kind: &Kind) {
    std::fs::write(directory.join("seed"), seed.to_string()).unwrap();
    let child = kill::start_child(&format!("tests::docket_model::{test}"), "", directory);
    let acknowledged = kill::watch(child, 40 + 37 * usize::from(seed)).acknowledged.len();
    assert!(acknowledged >= 40);
    kill::runtime().block_on(async {
        let model = Memory::new(NETWORK);
        let operations = operations(seed);
        for operation in &operations[..acknowledged] {
            perform(&model, operation).await;
        }
        let store = kind.open().await;
        let found = observe(&*store).await;
        // What was printed may lie behind what was done, by one operation at the most: that one was not answered.
        if found != observe(&model).await {
            perform(&model, &operations[acknowledged]).await;
            assert_eq!(found, observe(&model).await, "seed {seed}, after {acknowledged} operations");
        }
    });
}

const SEEDS: std::ops::Range<u8> = 0..5;

#[test]
fn a_killed_store_is_the_model_after_the_last_acknowledged_operation_or_the_one_under_way() {
    if let Some(directory) = kill::child_directory() {
        return acknowledge(&Kind::Sqlite(directory.clone()), &directory);
    }
    for seed in SEEDS {
        let directory = tempfile::tempdir().unwrap();
        let test = "a_killed_store_is_the_model_after_the_last_acknowledged_operation_or_the_one_under_way";
        kill_and_look(test, seed, directory.path(), &Kind::Sqlite(directory.path().to_owned()));
    }
}

#[test]
fn what_a_killed_process_left_in_its_schema_is_the_model_as_well() {
    let of_url = |url: &str| Box::new(PostgresSettings::new(url, "killed", None, None).unwrap());
    if let Some(directory) = kill::child_directory() {
        let url = std::fs::read_to_string(directory.join("url")).unwrap();
        return acknowledge(&Kind::Postgres(of_url(&url)), &directory);
    }
    for seed in SEEDS {
        let server = Server::own();
        let directory = tempfile::tempdir().unwrap();
        let url = server.url("");
        std::fs::write(directory.path().join("url"), &url).unwrap();
        let test = "what_a_killed_process_left_in_its_schema_is_the_model_as_well";
        kill_and_look(test, seed, directory.path(), &Kind::Postgres(of_url(&url)));
    }
}
