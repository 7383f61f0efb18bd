//! Every message that an honest node published, once for all nodes, and what is true of it.
//!
//! A node's store is a set of numbers into this pool, so that 10,000 stores fit into memory. The pool is also the side
//! table of verdicts: a message holds exactly when an origin has handed it to its own store, or when the simulation has
//! entered it itself. Numbers depend on the order of threads and never reach an output.

use crate::store::Numbers;
use bytes::Bytes;
use peerwright_engine::{Held, MessageRange, Micros};
use peerwright_ledger::{
    Message, MessageHeader, MessageId, RegisterId, TransactionId,
    message::{Opened, Packed, PredecessorName, predecessor_name},
};
use peerwright_secure::NodePublicKey;
use std::collections::{BTreeMap, HashMap};

/// A message's number in the pool.
pub(crate) type Number = u32;

type Name = (NodePublicKey, u64, u64);
type Place = (RegisterId, NodePublicKey, u64, u64, Number);

/// One message.
#[derive(Debug)]
pub(crate) struct Entry {
    pub message: Message,
    /// When its origin had it ready to spread.
    pub published: Micros,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    numbers: HashMap<MessageId, Number>,
    /// By what stands for a message in the one that follows it.
    followed: HashMap<PredecessorName, Number>,
    entries: Vec<Entry>,
    /// By register, origin, incarnation, register sequence.
    places: BTreeMap<Place, ()>,
    /// By origin, incarnation, sequence: the first that had that name.
    names: BTreeMap<Name, Number>,
    /// All messages of a name that was given to several.
    rivals: BTreeMap<Name, Vec<Number>>,
    bodies: BTreeMap<TransactionId, Bytes>,
}

impl Pool {
    /// Enters a message. Gives its number, and that of another that had its name before.
    pub(crate) fn publish(&mut self, message: &Message, now: Micros) -> (Number, Option<Number>) {
        if let Some(number) = self.number(message) {
            return (number, None);
        }
        let number = Number::try_from(self.entries.len()).expect("fewer messages than that");
        let body = message.body();
        self.numbers.insert(message.id(), number);
        self.followed.insert(predecessor_name(&message.id()), number);
        self.places.insert((body.register, body.origin, body.incarnation, body.register_sequence, number), ());
        let name = (body.origin, body.incarnation, body.sequence);
        let first = *self.names.entry(name).or_insert(number);
        if first != number {
            self.rivals.entry(name).or_insert_with(|| vec![first]).push(number);
        }
        self.entries.push(Entry { message: message.clone(), published: now });
        (number, (first != number).then_some(first))
    }

    /// The number of a message that holds; `None` is the verdict that it does not.
    pub(crate) fn number(&self, message: &Message) -> Option<Number> {
        self.numbers.get(&message.id()).copied()
    }

    /// What a packed message says, if the one that it follows was published.
    pub(crate) fn unpack(&self, packed: &[u8]) -> Option<Bytes> {
        let packed = Packed::read(packed).ok()?;
        let before = match packed.follows() {
            None => None,
            Some(name) => Some(self.entry(*self.followed.get(name)?).message.as_predecessor()),
        };
        packed.open(before.as_ref()).and_then(Opened::unpack).ok()
    }

    /// The message of that name.
    pub(crate) fn named(&self, header: &MessageHeader) -> Option<Number> {
        self.names.get(&(header.origin, header.incarnation, header.sequence)).copied()
    }

    /// The other messages of its name; none but where an origin has signed several.
    pub(crate) fn rivals(&self, number: Number) -> impl Iterator<Item = Number> {
        let body = self.entry(number).message.body();
        let rivals = match self.rivals.is_empty() {
            true => None,
            false => self.rivals.get(&(body.origin, body.incarnation, body.sequence)),
        };
        rivals.into_iter().flatten().copied().filter(move |rival| *rival != number)
    }

    /// What a store that has these numbers holds, and what it cannot hold beside them.
    pub(crate) fn with_rivals(&self, held: &Numbers) -> Numbers {
        let mut all = held.clone();
        for rivals in self.rivals.values().filter(|rivals| rivals.iter().any(|rival| held.contains(*rival))) {
            all.insert_all(rivals.iter().copied());
        }
        all
    }

    /// Whether the origin has said since that it no longer stands for the message.
    pub(crate) fn is_below_floor(&self, number: Number) -> bool {
        let body = self.entry(number).message.body();
        let bodies = self.entries.iter().map(|entry| entry.message.body());
        let mut later = bodies.filter(|other| (other.origin, other.incarnation) == (body.origin, body.incarnation));
        later.any(|other| other.floor > body.sequence)
    }

    pub(crate) fn entry(&self, number: Number) -> &Entry {
        &self.entries[number as usize]
    }

    pub(crate) fn put_body(&mut self, id: TransactionId, bytes: Bytes) {
        self.bodies.entry(id).or_insert(bytes);
    }

    pub(crate) fn body(&self, id: &TransactionId) -> Option<&Bytes> {
        self.bodies.get(id)
    }

    /// What a store that has these numbers holds of registers.
    pub(crate) fn held(&self, registers: &[RegisterId], has: impl Fn(Number) -> bool) -> Vec<Held> {
        let mut rows: Vec<Held> = Vec::new();
        for (register, origin, incarnation, sequence, number) in self.places.keys() {
            if !registers.contains(register) || !has(*number) {
                continue;
            }
            let is_of = |row: &Held| (&row.register, &row.origin, &row.incarnation) == (register, origin, incarnation);
            match rows.last_mut().filter(|row| is_of(row)) {
                Some(row) => match row.ranges.last_mut() {
                    Some((_, to)) if *to + 1 >= *sequence => *to = *sequence,
                    _ => row.ranges.push((*sequence, *sequence)),
                },
                None => rows.push(Held {
                    register: *register,
                    origin: *origin,
                    incarnation: *incarnation,
                    ranges: vec![(*sequence, *sequence)],
                }),
            }
        }
        rows
    }

    /// Messages of ranges that a store has, until a budget ends; the first whatever its size.
    pub(crate) fn read(
        &self,
        ranges: &[MessageRange],
        max_messages: usize,
        max_bytes: usize,
        has: impl Fn(Number) -> bool,
    ) -> Vec<Bytes> {
        let (mut read, mut bytes) = (Vec::new(), 0);
        for range in ranges {
            let place = |sequence, number| (range.register, range.origin, range.incarnation, sequence, number);
            for ((.., number), ()) in self.places.range(place(range.from, 0)..=place(range.to, Number::MAX)) {
                if !has(*number) {
                    continue;
                }
                let encoded = self.entry(*number).message.encoded();
                bytes += encoded.len();
                if read.len() >= max_messages || (!read.is_empty() && bytes > max_bytes) {
                    return read;
                }
                read.push(encoded.clone());
            }
        }
        read
    }
}
