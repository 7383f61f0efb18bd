//! The row of a register: from where to where its dockets are held, and what is known of them.

use crate::{
    HeldDockets, StoreError,
    codec::{from_ordered, key},
    docket::Link,
    prepared::PreparedDocket,
};
use peerwright_ledger::{DocketHash, RegisterId};

/// Id, first, head, its hash, certified, indexed, dockets and transactions above that, transactions, bytes of bodies,
/// register.
pub(crate) type Columns = (i64, i64, i64, Vec<u8>, Option<i64>, Option<i64>, i64, i64, i64, i64, Vec<u8>);

/// The row of a register that is held.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chain {
    pub(crate) id: i64,
    pub(crate) held: HeldDockets,
    pub(crate) unindexed_dockets: u64,
    pub(crate) unindexed_transactions: u64,
}

impl Chain {
    pub(crate) fn read(row: Columns) -> Result<Self, StoreError> {
        let (id, first, head, hash, certified, indexed, dockets, ids, transactions, body_bytes, register) = row;
        let held = HeldDockets {
            register: RegisterId::from_bytes(key(register)?),
            first: from_ordered(first),
            head: from_ordered(head),
            head_hash: DocketHash::from_bytes(key(hash)?),
            certified_through: certified.map(from_ordered),
            indexed_through: indexed.map(from_ordered),
            transactions: transactions.cast_unsigned(),
            body_bytes: body_bytes.cast_unsigned(),
        };
        Ok(Self { id, held, unindexed_dockets: dockets.cast_unsigned(), unindexed_transactions: ids.cast_unsigned() })
    }

    /// A register that begins with a docket which is yet to be inserted.
    pub(crate) const fn begun(id: i64, register: RegisterId, first: Link) -> Self {
        let (number, hash) = first;
        let held = HeldDockets {
            register,
            first: number,
            head: number,
            head_hash: hash,
            certified_through: None,
            indexed_through: None,
            transactions: 0,
            body_bytes: 0,
        };
        Self { id, held, unindexed_dockets: 0, unindexed_transactions: 0 }
    }

    pub(crate) const fn head(&self) -> Link {
        (self.held.head, self.held.head_hash)
    }

    /// The lowest number that the index lacks.
    pub(crate) fn unindexed_from(&self) -> u64 {
        self.held.indexed_through.map_or(0, |last| last.saturating_add(1)).max(self.held.first)
    }

    /// The lowest number that may lack its certificate.
    pub(crate) fn uncertified_from(&self) -> u64 {
        self.held.certified_through.map_or(0, |last| last.saturating_add(1)).max(self.held.first)
    }

    /// Moves `certified_through` up to the first docket that lacks its certificate, if one does.
    pub(crate) fn certify_up_to(&mut self, lacking: Option<u64>) {
        self.held.certified_through = match lacking {
            None => Some(self.held.head),
            Some(lacking) => lacking.checked_sub(1).filter(|last| *last >= self.held.first),
        };
    }

    /// Lets go of the dockets below a number, which have so many transactions and bytes.
    pub(crate) fn cut(&mut self, below: u64, transactions: u64, body_bytes: u64) {
        self.held.transactions = self.held.transactions.saturating_sub(transactions);
        self.held.body_bytes = self.held.body_bytes.saturating_sub(body_bytes);
        self.held.first = below;
    }

    /// What a docket behind the head changes.
    pub(crate) fn append(&mut self, docket: &PreparedDocket) {
        let number = docket.docket.number;
        let next_certified = self.held.certified_through.map_or(Some(self.held.first), |last| last.checked_add(1));
        if next_certified == Some(number) && docket.docket.certificate.is_some() {
            self.held.certified_through = Some(number);
        }
        self.held.head = number;
        self.held.head_hash = docket.hash;
        self.held.transactions += docket.transactions();
        self.held.body_bytes += docket.body_bytes();
        self.unindexed_dockets += 1;
        self.unindexed_transactions += docket.transactions();
    }

    /// Dockets of the register, up to this one, are in the index now.
    pub(crate) fn indexed(&mut self, through: u64, dockets: u64, transactions: u64) {
        self.held.indexed_through = Some(through);
        self.unindexed_dockets = self.unindexed_dockets.saturating_sub(dockets);
        self.unindexed_transactions = self.unindexed_transactions.saturating_sub(transactions);
    }
}
