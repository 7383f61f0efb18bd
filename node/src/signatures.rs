//! What is handed in is checked together: a batch of signatures takes a fraction of the time of as many single ones.

use crate::together::{Bounds, Together};
use futures::FutureExt;
use peerwright_ledger::{Limits, Refusal, Transaction, TransactionId};
use peerwright_secure::SignatureBatch;

/// Signatures of a batch: it takes a millisecond or two.
const BATCH: usize = 64;
/// Batches under way: one a core is enough, and more would take the driver's.
const UNDER_WAY: usize = 2;
/// So many signatures and more are checked off the threads that serve everybody.
const MANY: usize = 4;

/// Checks authors' signatures, those of concurrent callers together.
pub(crate) struct Signatures(Together<Transaction, Result<Transaction, (TransactionId, Refusal)>>);

impl Signatures {
    pub(crate) fn new() -> Self {
        let bounds = Bounds { batch: BATCH, under_way: UNDER_WAY };
        Self(Together::new(bounds, |transactions| {
            async move {
                if transactions.len() < MANY {
                    return verify(transactions);
                }
                tokio::task::spawn_blocking(move || verify(transactions)).await.unwrap_or_default()
            }
            .boxed()
        }))
    }

    /// Checks what can be checked of transactions without the engine: against the limits, and their authors' signatures.
    /// One answer for each, in order; what was refused before stays so. `None` when checking failed.
    pub(crate) async fn check<E>(
        &self,
        read: Vec<Result<Transaction, E>>,
        now_micros: u64,
        limits: &Limits,
        refused: impl Fn(TransactionId, Refusal) -> E,
    ) -> Option<Vec<Result<Transaction, E>>> {
        let mut within = Vec::with_capacity(read.len());
        let waiting: Vec<Result<(), E>> = read
            .into_iter()
            .map(|read| {
                let transaction = read?;
                transaction.check(now_micros, limits).map_err(|refusal| refused(transaction.id(), refusal))?;
                within.push(transaction);
                Ok(())
            })
            .collect();
        let mut verified = self.0.ask(within).await?.into_iter();
        waiting
            .into_iter()
            .map(|waiting| match waiting {
                Ok(()) => Some(verified.next()?.map_err(|(id, refusal)| refused(id, refusal))),
                Err(error) => Some(Err(error)),
            })
            .collect()
    }
}

/// All together; only where that fails one by one.
fn verify(transactions: Vec<Transaction>) -> Vec<Result<Transaction, (TransactionId, Refusal)>> {
    let mut batch = SignatureBatch::new();
    transactions.iter().for_each(|transaction| transaction.add_signature(&mut batch));
    if batch.holds() {
        return transactions.into_iter().map(Ok).collect();
    }
    let judge = |transaction: Transaction| match transaction.verify_signature() {
        Ok(()) => Ok(transaction),
        Err(refusal) => Err((transaction.id(), refusal)),
    };
    transactions.into_iter().map(judge).collect()
}
