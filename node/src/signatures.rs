//! What is handed in is checked together: a batch of signatures takes a fraction of the time of as many single ones.

use crate::together::{Bounds, Together};
use futures::FutureExt;
use peerwright_ledger::{Limits, Refusal, Transaction, TransactionId};
use peerwright_secure::SignatureBatch;

/// Signatures of a batch: it takes some milliseconds, a third of what it took in parts.
const BATCH: usize = 512;
/// Where a batch does not hold, so many are checked together again: one bad signature is not to cost all others the
/// advantage.
const PART: usize = 32;
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

/// All together; where that fails in parts, and where a part fails one by one.
fn verify(transactions: Vec<Transaction>) -> Vec<Result<Transaction, (TransactionId, Refusal)>> {
    if hold(&transactions) {
        return transactions.into_iter().map(Ok).collect();
    }
    // What is no longer than a part was just looked at.
    let good: Vec<bool> = match transactions.len() {
        ..=PART => Vec::new(),
        _ => transactions.chunks(PART).map(hold).collect(),
    };
    let judge = |(place, transaction): (usize, Transaction)| {
        if good.get(place / PART).copied().unwrap_or_default() {
            return Ok(transaction);
        }
        match transaction.verify_signature() {
            Ok(()) => Ok(transaction),
            Err(refusal) => Err((transaction.id(), refusal)),
        }
    };
    transactions.into_iter().enumerate().map(judge).collect()
}

fn hold(transactions: &[Transaction]) -> bool {
    let mut batch = SignatureBatch::new();
    transactions.iter().for_each(|transaction| transaction.add_signature(&mut batch));
    batch.holds()
}

#[cfg(test)]
mod tests {
    use super::{BATCH, PART, Signatures};
    use crate::testing::{REGISTER, text_body, with_another_signature};
    use peerwright_ledger::{Limits, Refusal, Transaction};
    use peerwright_secure::NodeKey;

    const NOW: u64 = 1;

    fn good(number: usize) -> Transaction {
        let key = NodeKey::from_seed([1; 32]);
        text_body(REGISTER, &key.public(), NOW..NOW + 1, number.to_string()).sign(&key).unwrap()
    }

    fn bad(number: usize) -> Transaction {
        Transaction::decode(with_another_signature(good(number).encoded())).unwrap()
    }

    #[tokio::test]
    async fn of_many_that_are_checked_together_the_bad_ones_are_refused_wherever_they_are() {
        let places = [0, PART - 1, PART, BATCH / 2, BATCH];
        let handed_in = (0..=BATCH).map(|number| Ok(if places.contains(&number) { bad(number) } else { good(number) }));
        let refused = |id, refusal| (id, matches!(refusal, Refusal::Signature(_)));
        let checked = Signatures::new().check(handed_in.collect(), NOW, &Limits::default(), refused).await.unwrap();
        let refused: Vec<_> =
            (0..).zip(&checked).filter_map(|(place, one)| Some((place, *one.as_ref().err()?))).collect();
        assert_eq!(refused, places.map(|place| (place, (bad(place).id(), true))));
    }

    #[tokio::test]
    async fn what_was_refused_before_and_what_the_limits_refuse_keep_their_places() {
        let late = NOW + 10;
        let handed_in = vec![Err("before"), Ok(good(1)), Err("before too")];
        let limits = Limits::default();
        let check = async |now| {
            let checked = Signatures::new().check(handed_in.clone(), now, &limits, |_, _| "now").await.unwrap();
            checked.into_iter().map(Result::err).collect::<Vec<_>>()
        };
        assert_eq!(check(NOW).await, [Some("before"), None, Some("before too")]);
        assert_eq!(check(late).await, [Some("before"), Some("now"), Some("before too")]);
    }
}
