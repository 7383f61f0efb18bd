//! What clients hand in, at any node, and what they are told.

use super::{HOSTS, world::World};
use crate::{api::Node, driver::Clock, registers::Settled, testing::text_body};
use peerwright_ledger::{RegisterId, Transaction, TransactionId};
use peerwright_secure::NodeKey;
use std::{ops::Range, rc::Rc, time::Duration};
use tokio::time::timeout;

/// Most that is handed in within a step.
const A_STEP: u64 = 8;
/// How long a client waits to hear that a transaction is committed.
const COMMIT_PATIENCE: Duration = Duration::from_secs(30);
const HOUR_MICROS: u64 = 3_600_000_000;
/// How long a client with little patience wants its transaction to be valid, at most.
const SHORT_MILLIS: u64 = 8_000;
/// Above 32 KiB a body is not in its message: it is announced, and pulled.
const LARGE_BYTES: usize = 40 * 1024;

/// What a client waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Accepted,
    Committed,
}

/// Everything that clients have signed.
pub(super) struct Load {
    /// All clients have one key, and no node's.
    key: NodeKey,
    signed: Vec<Transaction>,
}

impl Load {
    pub(super) fn new() -> Self {
        Self { key: NodeKey::from_seed([0xc1; 32]), signed: Vec::new() }
    }

    pub(super) fn count(&self) -> usize {
        self.signed.len()
    }

    /// A transaction that nobody has handed in yet.
    pub(super) fn sign(&mut self, register: RegisterId, now: u64, valid: u64, bytes: usize) -> Transaction {
        let mut content = format!("number {}", self.signed.len()).into_bytes();
        content.resize(content.len().max(bytes), b'.');
        let body = text_body(register, &self.key.public(), now..now + valid, content);
        let signed = body.sign(&self.key).unwrap();
        self.signed.push(signed.clone());
        signed
    }
}

impl World {
    /// Clients hand in something new, or again what they or others have handed in elsewhere.
    pub(super) fn hand_in(&mut self) {
        for _ in 0..self.chance.below(A_STEP + 1) {
            let again = if self.chance.one_in(4) { self.chance.pick(&self.load.signed) } else { None };
            let transaction = again.unwrap_or_else(|| self.draw());
            let level = if self.chance.one_in(2) { Level::Committed } else { Level::Accepted };
            let host = usize::try_from(self.chance.below(HOSTS as u64)).unwrap();
            self.hand_in_at(host, transaction, level);
        }
    }

    fn draw(&mut self) -> Transaction {
        let valid = if self.chance.one_in(6) { 1_000 * (1 + self.chance.below(SHORT_MILLIS)) } else { HOUR_MICROS };
        let bytes = if self.chance.one_in(12) { LARGE_BYTES } else { 0 };
        let now = self.now();
        self.load.sign(self.register, now, valid, bytes)
    }

    /// Something new at each of these, to be committed.
    pub(super) fn hand_in_at_each(&mut self, hosts: Range<usize>) -> Vec<TransactionId> {
        let at = |host| {
            let transaction = self.sign_unsent();
            let id = transaction.id();
            self.hand_in_at(host, transaction, Level::Committed);
            id
        };
        hosts.map(at).collect()
    }

    /// Something that is handed in nowhere.
    pub(super) fn sign_unsent(&mut self) -> Transaction {
        let now = self.now();
        self.load.sign(self.register, now, HOUR_MICROS, 0)
    }

    /// Hands in at a node, and checks each answer at the moment at which it comes. Who is not answered is promised nothing.
    fn hand_in_at(&self, host: usize, transaction: Transaction, level: Level) {
        let (acknowledged, broken) = (Rc::clone(&self.acknowledged), Rc::clone(&self.broken));
        let register = self.register;
        self.hosts[host].run(move |node| async move {
            if node.submit(transaction.clone()).await.is_err() {
                return;
            }
            let mut checked = acknowledged.borrow_mut().accepted(host, &transaction);
            if level == Level::Committed && checked.is_ok() {
                let settled = timeout(COMMIT_PATIENCE, node.registers.settled(register, transaction.id())).await;
                let mut acknowledged = acknowledged.borrow_mut();
                checked = match settled {
                    Ok(Ok(Settled::Committed(place))) => acknowledged.committed(host, &transaction, place),
                    Ok(Ok(Settled::Dead(reason))) => acknowledged.dead(host, &transaction, &reason, Clock::wall().0),
                    Ok(Err(_)) | Err(_) => Ok(()),
                };
            }
            if let Err(first) = checked {
                broken.borrow_mut().get_or_insert(first);
            }
        });
    }
}
