//! Lets go of messages that dockets have made superfluous: what they carried is read, proved and followed from there.
//!
//! ```text
//!  messages, as they were stored    1 2 3 4 5 6 7 8 9
//!                                             ▲ the newest, a retention ago
//!                                   ──────────┘ of these go those whose transactions are all in dockets
//!                                               that were here then
//! ```
//!
//! Whatever is in no docket stays, and so does what the outbox has yet to read back. Nothing depends on when a message
//! goes: who reads looks into the dockets first, the leader's feed skips what is in one, and peers are told only of what
//! they can have. It goes in small batches, with a rest after each that is as long as it took.

use super::Registers;
use crate::driver::Commands;
use peerwright_ledger::RegisterId;
use peerwright_secure::NodePublicKey;
use peerwright_store::{Held, ListedMessage, MessageRange, Seen, Store, StoreError};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, sleep, timeout};

/// How often in a retention it is noted what there is.
const LOOKS: u32 = 8;
/// Messages read at once.
const MESSAGES: usize = 256;
/// A batch ends when it has so many transactions: each is looked up, and a row that the writer removes.
const BATCH_TRANSACTIONS: usize = 512;
/// Between two batches, however short the first was.
const SHORTEST_REST: Duration = Duration::from_millis(1);

/// Lets go of messages.
pub(crate) struct Spent {
    pub(crate) registers: Registers,
    pub(crate) messages: Arc<dyn Store>,
    pub(crate) commands: Commands,
    /// Who signs this node's own messages.
    pub(crate) own: NodePublicKey,
}

/// What there was at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Look {
    /// Position of the newest message.
    newest: u64,
    /// The last certified docket of each register.
    through: BTreeMap<RegisterId, u64>,
}

impl Spent {
    /// Runs until it is dropped.
    pub(crate) async fn run(self) {
        let mut settings = self.registers.replication.subscribe();
        let mut looks: VecDeque<(Instant, Look)> = VecDeque::new();
        // The last look that is a retention old, and whether all that could go then has gone.
        let (mut ripe, mut is_done) = (None::<Look>, true);
        loop {
            let retention = settings.borrow_and_update().message_retention;
            let interval = retention / LOOKS;
            if looks.back().is_none_or(|(at, _)| at.elapsed() >= interval) {
                match self.look().await {
                    Ok(look) => looks.push_back((Instant::now(), look)),
                    Err(error) => tracing::debug!(%error, "messages that dockets hold stay for a while"),
                }
            }
            while looks.front().is_some_and(|(at, _)| at.elapsed() >= retention)
                && let Some((_, look)) = looks.pop_front()
            {
                is_done &= ripe.as_ref() == Some(&look);
                ripe = Some(look);
            }
            if let Some(ripe) = ripe.as_ref().filter(|_| !is_done) {
                match self.let_all_go(ripe).await {
                    Ok(all) => is_done = all,
                    Err(error) => tracing::debug!(%error, "messages that dockets hold stay for a while"),
                }
            }
            // A shorter retention holds at once.
            drop(timeout(interval, settings.changed()).await);
        }
    }

    async fn look(&self) -> Result<Look, StoreError> {
        let newest = self.messages.newest_message().await?.unwrap_or_default();
        let held = self.registers.store.registers().await?;
        let through = held.iter().filter_map(|held| Some((held.register, held.certified_through?))).collect();
        Ok(Look { newest, through })
    }

    /// Lets go of all that was spent at the time of the look; whether nothing of that is left.
    async fn let_all_go(&self, ripe: &Look) -> Result<bool, StoreError> {
        let (mut after, mut is_all) = (None, true);
        loop {
            let mut page = self.messages.messages_after(after, MESSAGES).await?;
            page.retain(|message| message.position <= ripe.newest);
            let Some(last) = page.last() else { return Ok(is_all) };
            after = Some(last.position);
            for batch in batches(page) {
                let begun = Instant::now();
                let (spent, all) = self.spent(batch, ripe).await;
                is_all &= all;
                if !spent.is_empty() {
                    self.let_go(&spent).await?;
                }
                sleep(begun.elapsed().max(SHORTEST_REST)).await;
            }
        }
    }

    /// Those of a batch whose transactions are all in dockets of that time, and whether others like them must wait.
    async fn spent(&self, batch: Vec<ListedMessage>, ripe: &Look) -> (Vec<ListedMessage>, bool) {
        let (mut spent, mut is_all) = (Vec::new(), true);
        let mut of_register: BTreeMap<RegisterId, Vec<ListedMessage>> = BTreeMap::new();
        for message in batch {
            of_register.entry(message.register).or_default().push(message);
        }
        for (register, messages) in of_register {
            // Of two histories nobody knows which one stays.
            let is_forked = self.registers.fork(register).is_some();
            let Some(through) = ripe.through.get(&register).filter(|_| !is_forked) else { continue };
            let ids = messages.iter().flat_map(|message| &message.transactions).copied().collect();
            let places = self.registers.store.find_all(register, ids, Seen::Certified).await;
            let Ok(places) = places.inspect_err(|error| self.registers.repairs.note(error)) else {
                is_all = false;
                continue;
            };
            let mut places = places.into_iter();
            for message in messages {
                let here: Vec<_> = places.by_ref().take(message.transactions.len()).collect();
                let is_sealed = here.iter().all(|place| place.is_some_and(|place| place.number <= *through));
                // Of one that cannot be read nobody knows what it carried.
                if is_sealed && !here.is_empty() {
                    if self.may_go(&message) {
                        spent.push(message);
                    } else {
                        is_all = false;
                    }
                }
            }
        }
        (spent, is_all)
    }

    /// The outbox reads back what this node has published.
    fn may_go(&self, message: &ListedMessage) -> bool {
        let ListedMessage { register, incarnation, register_sequence, .. } = *message;
        message.origin != self.own || self.registers.outbox.is_done_with(register, incarnation, register_sequence)
    }

    async fn let_go(&self, messages: &[ListedMessage]) -> Result<(), StoreError> {
        let gone = rows(messages);
        let ranges = gone.iter().flat_map(|row| {
            let Held { register, origin, incarnation, ref ranges } = *row;
            ranges.iter().map(move |(from, to)| MessageRange { register, origin, incarnation, from: *from, to: *to })
        });
        let removed = self.messages.let_go(ranges.collect()).await?;
        self.registers.telemetry.messages_let_go(removed.messages);
        // Without a driver the node is ending.
        let _ = self.commands.let_go(gone).await;
        Ok(())
    }
}

/// The same messages in batches.
fn batches(messages: Vec<ListedMessage>) -> Vec<Vec<ListedMessage>> {
    let (mut batches, mut transactions) = (Vec::new(), BATCH_TRANSACTIONS);
    for message in messages {
        if transactions >= BATCH_TRANSACTIONS {
            batches.push(Vec::new());
            transactions = 0;
        }
        transactions += message.transactions.len();
        if let Some(batch) = batches.last_mut() {
            batch.push(message);
        }
    }
    batches
}

/// The messages as ranges of their streams.
fn rows(messages: &[ListedMessage]) -> Vec<Held> {
    let place =
        |message: &ListedMessage| (message.register, message.origin, message.incarnation, message.register_sequence);
    let mut places: Vec<_> = messages.iter().map(place).collect();
    places.sort_unstable();
    let mut streams: BTreeMap<_, Vec<(u64, u64)>> = BTreeMap::new();
    for (register, origin, incarnation, number) in places {
        let ranges = streams.entry((register, origin, incarnation)).or_default();
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let rows = streams.into_iter();
    rows.map(|((register, origin, incarnation), ranges)| Held { register, origin, incarnation, ranges }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{driver::Command, testing::sealed::SealedRegister};
    use bytes::Bytes;
    use peerwright_ledger::{DocketBody, Entry, Message, MessageBody, TransactionId};
    use peerwright_secure::NodeKey;
    use peerwright_store::Memory;

    /// What a docket holds, encoded.
    fn of_docket(sealed: &SealedRegister, number: usize) -> Vec<Bytes> {
        let body = DocketBody::decode(sealed.dockets()[number].body.clone()).unwrap();
        body.transactions().map(|encoded| body.encoded().slice_ref(encoded)).collect()
    }

    fn carrying(origin: &NodeKey, register: RegisterId, number: u64, transactions: &[Bytes]) -> Message {
        let body = MessageBody {
            origin: origin.public(),
            incarnation: 5,
            sequence: number,
            floor: 1,
            previous: [0; 32],
            register,
            register_sequence: number,
            created_at_micros: 1,
            expires_at_micros: 2,
            entries: transactions.iter().cloned().map(Entry::Inline).collect(),
        };
        body.sign(origin).unwrap()
    }

    #[tokio::test]
    async fn what_was_in_dockets_at_the_time_goes_but_for_what_the_outbox_has_yet_to_read_back() {
        let (store, mut sealed) = (Arc::new(Memory::new("network")), SealedRegister::of(1, 3));
        sealed.fill(&*store).await;
        let (register, first) = (sealed.register(), of_docket(&sealed, 1));
        sealed.seal(2);
        let later = of_docket(&sealed, 2);
        let (own, other) = (NodeKey::from_seed([1; 32]), NodeKey::from_seed([2; 32]));
        let (commands, mut told) = Commands::new();
        let registers = Registers::new(store.clone(), Arc::default());
        let spent = Spent { registers, messages: store.clone(), commands, own: own.public() };
        let messages = vec![
            carrying(&other, register, 1, &first[..2]),
            carrying(&other, register, 2, &[first[2].clone(), later[0].clone()]),
            carrying(&own, register, 1, &first),
            carrying(&other, register, 3, &later[1..]),
        ];
        store.append(messages, 1).await.unwrap();
        let look = spent.look().await.unwrap();
        sealed.fill(&*store).await;

        for (look, through) in [(look, 1), (spent.look().await.unwrap(), 3)] {
            assert_eq!(spent.let_all_go(&look).await, Ok(false), "the own one has to wait");
            let gone = store.gone(vec![register]).await.unwrap();
            let row = Held { register, origin: other.public(), incarnation: 5, ranges: vec![(1, through)] };
            assert_eq!(gone, [row]);
        }
        let left = store.messages_after(None, 9).await.unwrap();
        assert_eq!(left.iter().map(|message| message.origin).collect::<Vec<_>>(), [own.public()]);
        let mut rows = Vec::new();
        while let Ok(Command::LetGo { gone }) = told.try_recv() {
            rows.extend(gone.into_iter().flat_map(|row| row.ranges));
        }
        assert_eq!(rows, [(1, 1), (2, 3)], "the engine is told");
    }

    fn message(origin: u8, register_sequence: u64, transactions: usize) -> ListedMessage {
        ListedMessage {
            position: 1,
            register: RegisterId::from_bytes([1; 16]),
            origin: NodePublicKey::from_bytes([origin; 32]),
            incarnation: 5,
            register_sequence,
            transactions: vec![TransactionId::from_bytes([7; 32]); transactions],
        }
    }

    #[test]
    fn messages_that_follow_one_another_are_one_range() {
        let rows = rows(&[message(1, 4, 1), message(2, 5, 1), message(1, 3, 1), message(1, 6, 1)]);
        let ranges: Vec<_> = rows.iter().map(|row| (row.origin.as_bytes()[0], row.ranges.clone())).collect();
        assert_eq!(ranges, [(1, vec![(3, 4), (6, 6)]), (2, vec![(5, 5)])]);
    }

    #[test]
    fn a_batch_ends_with_its_transactions() {
        let messages: Vec<_> = (1..=20).map(|number| message(1, number, 64)).collect();
        let sizes: Vec<_> = batches(messages.clone()).iter().map(Vec::len).collect();
        assert_eq!(sizes, [8, 8, 4]);
        assert_eq!(batches(messages.clone()).concat(), messages);
        assert!(batches(Vec::new()).is_empty());
    }
}
