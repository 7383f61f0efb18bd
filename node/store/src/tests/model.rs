//! Random operations on every store and the model: every answer and everything that can be read is the same, also after
//! the store is closed and opened again.

use super::fixtures::{self, NETWORK, NOW, Place, announcement, large_transaction, message, told, transaction};
use crate::{
    BODY_CHUNK_BYTES, CarriedTransactions, DeadLetter, ListedDeadLetter, ListedMessage, ListedTransaction, Memory,
    MessageRange, Postgres, Sqlite, Store, postgres::tests::fresh,
};
use peerwright_ledger::{Entry, Message, RegisterId, Transaction, TransactionId};
use proptest::prelude::*;
use std::collections::BTreeSet;

pub(crate) const REGISTERS: std::ops::Range<u8> = 0..3;
const ORIGINS: std::ops::Range<u8> = 1..3;
const INCARNATIONS: [u64; 2] = [7, u64::MAX];
const NUMBERS: std::ops::Range<u32> = 0..12;

#[derive(Debug, Clone)]
pub(crate) enum Operation {
    Append(Vec<(Place, Contents)>),
    PutBody {
        register: u8,
        number: u32,
    },
    Purge(u8),
    /// From each place so many numbers on, or none.
    LetGo(Vec<(Place, u64)>),
    NextIncarnation(u64),
    PutDocument(Vec<u8>),
    Bury(Vec<(u8, u32, bool)>),
    Exhume(Vec<(u8, u32)>),
    Reopen,
}

#[derive(Debug, Clone)]
pub(crate) enum Contents {
    Inline(Vec<u32>),
    Announced(u32),
}

pub(crate) fn operation() -> impl Strategy<Value = Operation> {
    let contents = prop_oneof![
        5 => prop::collection::vec(NUMBERS, 1..4).prop_map(Contents::Inline),
        1 => NUMBERS.prop_map(Contents::Announced),
    ];
    let append = prop::collection::vec((place(), contents), 1..8).prop_map(Operation::Append);
    prop_oneof![
        8 => append,
        2 => (REGISTERS, NUMBERS).prop_map(|(register, number)| Operation::PutBody { register, number }),
        1 => REGISTERS.prop_map(Operation::Purge),
        4 => prop::collection::vec((place(), 0u64..6), 1..6).prop_map(Operation::LetGo),
        1 => any::<u64>().prop_map(|now| Operation::NextIncarnation(now / 2)),
        1 => prop::collection::vec(any::<u8>(), 0..9).prop_map(Operation::PutDocument),
        2 => prop::collection::vec((REGISTERS, NUMBERS, any::<bool>()), 0..5).prop_map(Operation::Bury),
        1 => prop::collection::vec((REGISTERS, NUMBERS), 0..5).prop_map(Operation::Exhume),
        1 => Just(Operation::Reopen),
    ]
}

/// Few places, so that they collide; register sequences mostly follow the sequences, so that ranges grow and join.
fn place() -> impl Strategy<Value = Place> {
    let incarnation = prop::sample::select(INCARNATIONS.to_vec());
    let sequence = prop_oneof![9 => 1u64..14, 1 => Just(u64::MAX)];
    (ORIGINS, incarnation, REGISTERS, sequence, 0u64..20).prop_map(
        |(origin, incarnation, register, sequence, distance)| {
            let register_sequence = sequence.saturating_sub(if distance < 3 { distance } else { 0 }).max(1);
            Place { origin, incarnation, register, sequence, register_sequence }
        },
    )
}

fn stored((place, contents): &(Place, Contents)) -> Message {
    let register = fixtures::register(place.register);
    match contents {
        Contents::Inline(numbers) => {
            let transactions: Vec<Transaction> = numbers.iter().map(|number| transaction(register, *number)).collect();
            message(*place, &transactions)
        }
        Contents::Announced(number) => announcement(*place, &large_transaction(register, *number)),
    }
}

fn named(register: u8, number: u32) -> (RegisterId, TransactionId) {
    let register = fixtures::register(register);
    (register, transaction(register, number).id())
}

fn dead_letter((register, number, expired): &(u8, u32, bool)) -> DeadLetter {
    let (register, id) = named(*register, *number);
    let reason = if *expired { "expired" } else { "control_refused" };
    DeadLetter { register, id, reason: reason.to_owned(), died_at: NOW + u64::from(*number) }
}

/// Does it; what the store answered. Messages are handed in when this is first polled.
pub(crate) async fn perform(store: &dyn Store, operation: &Operation) -> String {
    match operation.clone() {
        Operation::Append(messages) => told(store.append(messages.iter().map(stored).collect(), NOW).await),
        Operation::PutBody { register, number } => {
            let register = fixtures::register(register);
            let body = large_transaction(register, number);
            told(store.put_body(register, body.id(), body.encoded().clone()).await)
        }
        Operation::Purge(register) => told(store.purge(fixtures::register(register)).await),
        Operation::LetGo(runs) => {
            let range = |(place, length): &(Place, u64)| {
                let from = place.register_sequence;
                place.range(from, from.saturating_add(*length).saturating_sub(1))
            };
            told(store.let_go(runs.iter().map(range).collect()).await)
        }
        Operation::NextIncarnation(now) => told(store.next_incarnation(now).await),
        Operation::PutDocument(bytes) => told(store.put_document("note", bytes.into()).await),
        Operation::Bury(letters) => told(store.bury(letters.iter().map(dead_letter).collect()).await),
        Operation::Exhume(letters) => {
            let letters = letters.iter().map(|(register, number)| named(*register, *number));
            told(store.exhume(letters.collect()).await)
        }
        Operation::Reopen => String::new(),
    }
}

async fn run<S: Store>(operations: Vec<Operation>, open: impl AsyncFn() -> S) -> Result<(), TestCaseError> {
    let model = Memory::new(NETWORK);
    let mut store = open().await;
    for operation in operations {
        prop_assert_eq!(perform(&store, &operation).await, perform(&model, &operation).await, "{:?}", operation);
        prop_assert_eq!(store.document("note").await, model.document("note").await);
        if matches!(operation, Operation::Reopen) {
            store.close().await.unwrap();
            drop(store);
            store = open().await;
        }
    }
    compare(&store, &model).await?;
    store.close().await.unwrap();
    Ok(())
}

async fn compare(store: &dyn Store, model: &dyn Store) -> Result<(), TestCaseError> {
    prop_assert_eq!(store.document("note").await, model.document("note").await);
    let registers: Vec<RegisterId> = REGISTERS.map(fixtures::register).collect();
    for asked in [&registers[..], &registers[..1], &[]] {
        prop_assert_eq!(store.held(asked.to_vec()).await, model.held(asked.to_vec()).await);
        prop_assert_eq!(store.gone(asked.to_vec()).await, model.gone(asked.to_vec()).await);
    }
    for page in [1, 5, 1_000] {
        prop_assert_eq!(messages(store, page).await, messages(model, page).await);
    }
    for (max_messages, max_bytes) in [(usize::MAX, usize::MAX), (3, usize::MAX), (usize::MAX, 1_500), (9, 1), (0, 9)] {
        for ranges in [everything(1, u64::MAX), everything(3, 9), everything(9, 3)] {
            prop_assert_eq!(
                store.read(ranges.clone(), max_messages, max_bytes).await,
                model.read(ranges, max_messages, max_bytes).await
            );
        }
    }
    for register in registers {
        prop_assert_eq!(store.counts(register).await, model.counts(register).await);
        for page in [1, 4, 1_000] {
            prop_assert_eq!(listed(store, register, page).await, listed(model, register, page).await);
            prop_assert_eq!(dead(store, register, page).await, dead(model, register, page).await);
        }
        for limits in [(1_000, u64::MAX), (3, u64::MAX), (1_000, 700), (1_000, 0)] {
            compare_carried(store, register, limits).await?;
        }
        for number in NUMBERS {
            compare_transactions(store, model, register, number).await?;
        }
    }
    Ok(())
}

pub(crate) fn everything(from: u64, to: u64) -> Vec<MessageRange> {
    let places = REGISTERS.flat_map(|register| ORIGINS.map(move |origin| (register, origin)));
    let lives = places.flat_map(|place| INCARNATIONS.map(|incarnation| (place, incarnation)));
    lives
        .map(|((register, origin), incarnation)| {
            Place { origin, incarnation, register, sequence: 1, register_sequence: 1 }.range(from, to)
        })
        .collect()
}

/// All of a register, page by page. Positions are a store's own; the order is not.
async fn listed(store: &dyn Store, register: RegisterId, page: usize) -> Vec<ListedTransaction> {
    let mut all: Vec<ListedTransaction> = Vec::new();
    loop {
        let next = store.list(register, all.last().map(|last| last.position), page).await.unwrap();
        if next.is_empty() {
            break;
        }
        all.extend(next);
    }
    all.into_iter().map(|row| ListedTransaction { position: 0, ..row }).collect()
}

/// With the transactions a list says what it says without, and their bytes are those that are found by id.
async fn compare_carried(
    store: &dyn Store,
    register: RegisterId,
    (limit, max_bytes): (usize, u64),
) -> Result<(), TestCaseError> {
    let announced = announced(store).await;
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let CarriedTransactions { rows, is_end } = store.list_carried(register, after, limit, max_bytes).await.unwrap();
        let bytes: u64 = rows.iter().map(|(row, _)| u64::from(row.size)).sum();
        prop_assert!(rows.len() <= limit && (rows.len() <= 1 || bytes <= max_bytes) && (is_end || !rows.is_empty()));
        for (row, bytes) in &rows {
            let found = store.transaction(register, row.id).await.unwrap().map(|found| found.bytes);
            prop_assert!(bytes.is_some() || announced.contains(&row.id), "{} comes without its bytes", row.id);
            prop_assert!(bytes.is_none() || *bytes == found, "{} comes with others'", row.id);
        }
        after = rows.last().map(|(row, _)| row.position).or(after);
        all.extend(rows.into_iter().map(|(row, _)| ListedTransaction { position: 0, ..row }));
        if is_end {
            break;
        }
    }
    prop_assert_eq!(all, listed(store, register, 1_000).await);
    Ok(())
}

/// The transactions whose bytes are not in some message.
async fn announced(store: &dyn Store) -> BTreeSet<TransactionId> {
    let messages = store.read(everything(0, u64::MAX), usize::MAX, usize::MAX).await.unwrap();
    let entries = messages.into_iter().flat_map(|message| Message::decode(message).unwrap().body().entries.clone());
    let announced = entries.filter_map(|entry| match entry {
        Entry::Announced { id, .. } => Some(id),
        Entry::Inline(_) => None,
    });
    announced.collect()
}

/// All messages, page by page, the last of which is the newest.
async fn messages(store: &dyn Store, page: usize) -> Vec<ListedMessage> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let next = store.messages_after(after, page).await.unwrap();
        let Some(last) = next.last() else { break };
        after = Some(last.position);
        all.extend(next);
    }
    assert_eq!(store.newest_message().await.unwrap(), after);
    all.into_iter().map(|row| ListedMessage { position: 0, ..row }).collect()
}

async fn dead(store: &dyn Store, register: RegisterId, page: usize) -> Vec<DeadLetter> {
    let mut all: Vec<ListedDeadLetter> = Vec::new();
    loop {
        let next = store.dead_letters(register, all.last().map(|last| last.position), page).await.unwrap();
        if next.is_empty() {
            break;
        }
        all.extend(next);
    }
    all.into_iter().map(|row| row.letter).collect()
}

async fn compare_transactions(
    store: &dyn Store,
    model: &dyn Store,
    register: RegisterId,
    number: u32,
) -> Result<(), TestCaseError> {
    let (small, large) = (transaction(register, number).id(), large_transaction(register, number).id());
    // Several, one of them twice, and one that may not be there.
    let many = vec![transaction(register, number + 1).id(), large, small, large];
    prop_assert_eq!(store.transactions(register, many.clone()).await, model.transactions(register, many).await);
    for id in [small, large] {
        prop_assert_eq!(store.transaction(register, id).await, model.transaction(register, id).await);
        prop_assert_eq!(store.dead_letter(register, id).await, model.dead_letter(register, id).await);
        let chunk = BODY_CHUNK_BYTES as u64;
        for (offset, length) in
            [(0, 10), (chunk - 1, 2), (chunk, u32::MAX), (2 * chunk + 3_999, 1 << 16), (u64::MAX, 1)]
        {
            prop_assert_eq!(store.body_chunk(id, offset, length).await, model.body_chunk(id, offset, length).await);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn sqlite_is_the_model(operations in prop::collection::vec(operation(), 1..24)) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.sqlite");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(operations, async || Sqlite::open(&path, NETWORK).await.unwrap()))?;
    }
}

proptest! {
    // Each case makes a schema and syncs at each operation.
    #![proptest_config(ProptestConfig::with_cases(10))]
    #[test]
    fn postgres_is_the_model(operations in prop::collection::vec(operation(), 1..24)) {
        let settings = fresh();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(operations, async || Postgres::open(settings.clone(), NETWORK).await.unwrap()))?;
    }
}
