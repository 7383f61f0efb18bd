//! What is handed in is checked together: a batch of signatures takes a fraction of the time of as many single ones.

use peerwright_ledger::{Limits, Refusal, Transaction};
use peerwright_secure::SignatureBatch;

/// Checks what can be checked of transactions without the engine: against the limits, and their authors' signatures
/// together; only where that fails one by one. One answer for each, in order. It takes milliseconds.
pub(crate) fn check_all<E>(
    read: Vec<Result<Transaction, E>>,
    now_micros: u64,
    limits: &Limits,
    refused: impl Fn(&Transaction, Refusal) -> E,
) -> Vec<Result<Transaction, E>> {
    let mut batch = SignatureBatch::new();
    let within = read.into_iter().map(|read| {
        let transaction = read?;
        transaction.check(now_micros, limits).map_err(|refusal| refused(&transaction, refusal))?;
        transaction.add_signature(&mut batch);
        Ok(transaction)
    });
    let within: Vec<Result<Transaction, E>> = within.collect();
    if batch.holds() {
        return within;
    }
    let one_by_one = |transaction: Transaction| match transaction.verify_signature() {
        Ok(()) => Ok(transaction),
        Err(refusal) => Err(refused(&transaction, refusal)),
    };
    within.into_iter().map(|checked| checked.and_then(one_by_one)).collect()
}
