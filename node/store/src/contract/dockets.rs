//! The contract between a node and what it keeps of registers: their dockets.

use crate::{
    DocketCertificate, DocketTransactions, Extension, HeldDockets, NewDocket, Pending, Seen, StoredDocket,
    StoredHeader, TransactionPlace,
};
use bytes::Bytes;
use peerwright_ledger::{RegisterId, TransactionId};

/// The dockets of registers; used as `Arc<dyn DocketStore>`. The same rules as for [`Store`](crate::Store): a writing
/// call is durable when it answers, calls that are under way at once share one fsync and are applied in their order.
///
/// Of a register, dockets are held from a first number to its head without a hole. Nothing is verified here beyond that:
/// whoever stores a docket has verified it. What is read was compared with its checksums: a docket that the disk has
/// changed is never given, it is [`StoreError::CorruptDocket`](crate::StoreError::CorruptDocket).
pub trait DocketStore: Send + Sync + 'static {
    /// Stores dockets behind the heads of their registers, with the checkpoint after them: all in one database
    /// transaction, or none. A register of which nothing is held begins with whatever number comes first. Refused with
    /// [`StoreError::DocketNotNext`](crate::StoreError::DocketNotNext) when a number does not follow, so that no range
    /// is stored twice, and with [`StoreError::DocketBreaksChain`](crate::StoreError::DocketBreaksChain) when a docket
    /// names another predecessor. An extension without dockets changes nothing.
    fn extend(&self, extensions: Vec<Extension>) -> Pending<'_, ()>;

    /// Adds the certificates of dockets that were stored without, all or none; a certificate that is there stays.
    fn certify(&self, certificates: Vec<DocketCertificate>) -> Pending<'_, ()>;

    /// Writes a docket again over one that is held under its number, after the disk has changed it. Refused when another
    /// docket is held there, whole. Without a certificate, the held one stays.
    fn replace_docket(&self, register: RegisterId, docket: NewDocket) -> Pending<'_, ()>;

    /// Lets go of all dockets below a number, but never of the head. What is left and that it begins there becomes
    /// durable at once; the room comes back little by little.
    fn trim(&self, register: RegisterId, below: u64) -> Pending<'_, ()>;

    /// Lets go of all dockets of a register and of its checkpoint; answers how many dockets that were.
    fn purge_dockets(&self, register: RegisterId) -> Pending<'_, u64>;

    /// Brings the index by transaction some way nearer to the head at once, without waiting for more dockets; answers
    /// how far it reaches. Call again until that is the head.
    fn index(&self, register: RegisterId) -> Pending<'_, Option<u64>>;

    /// Drops the index by transaction; it is made again from the dockets, behind everything else.
    fn drop_index(&self, register: RegisterId) -> Pending<'_, ()>;

    /// What is held of a register; `None` when nothing is.
    fn held_dockets(&self, register: RegisterId) -> Pending<'_, Option<HeldDockets>>;

    /// What is held of each register, in the order of their ids.
    fn registers(&self) -> Pending<'_, Vec<HeldDockets>>;

    /// The checkpoint that was stored with the head; `None` when no docket is held.
    fn checkpoint(&self, register: RegisterId) -> Pending<'_, Option<Bytes>>;

    /// At most `max` headers from a number on.
    fn headers(&self, register: RegisterId, from: u64, seen: Seen, max: usize) -> Pending<'_, Vec<StoredHeader>>;

    /// Dockets from a number on, until a budget of body bytes or of dockets ends; the first is given even when it alone
    /// is above `max_bytes`. Nothing when `from` is not held. Ends before a corrupt docket, which is an error when it is
    /// the first.
    fn dockets(
        &self,
        register: RegisterId,
        from: u64,
        seen: Seen,
        max_dockets: usize,
        max_bytes: usize,
    ) -> Pending<'_, Vec<StoredDocket>>;

    /// The docket with this number; `None` when it is not held.
    fn docket(&self, register: RegisterId, number: u64, seen: Seen) -> Pending<'_, Option<StoredDocket>> {
        Box::pin(async move { Ok(self.dockets(register, number, seen, 1, 0).await?.pop()) })
    }

    /// The transaction ids of dockets from a number on, until `max_ids` are given; the first docket is given whole.
    fn transaction_ids(&self, register: RegisterId, from: u64, max_ids: usize) -> Pending<'_, Vec<DocketTransactions>>;

    /// Where a transaction is: the lowest docket held that has it.
    fn find(&self, register: RegisterId, id: TransactionId, seen: Seen) -> Pending<'_, Option<TransactionPlace>> {
        Box::pin(async move { Ok(self.find_all(register, vec![id], seen).await?.pop().flatten()) })
    }

    /// The same for many at once, in the order of `ids`: what lies above the index is read once for all of them.
    fn find_all(
        &self,
        register: RegisterId,
        ids: Vec<TransactionId>,
        seen: Seen,
    ) -> Pending<'_, Vec<Option<TransactionPlace>>>;
}
