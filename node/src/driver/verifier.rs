//! Checks signatures away from the driver's task, in batches: while one is checked the next gathers.

use peerwright_engine::Token;
use peerwright_ledger::Message;
use std::collections::VecDeque;
use tokio::task::JoinSet;

/// The most messages of a batch: small enough that an answer comes in a few milliseconds.
const BATCH: usize = 64;
/// Batches under way: one a core is enough, and more would take the driver's.
const UNDER_WAY: usize = 2;

/// Verdicts in the order of the questions.
pub(super) type Verdicts = Vec<(Token, bool)>;

/// Messages that wait for their verdict. As many as the engine's bound allows.
pub(super) struct Verifier {
    waiting: VecDeque<(Token, Message)>,
    batches: JoinSet<Verdicts>,
}

impl Verifier {
    pub(super) fn new() -> Self {
        Self { waiting: VecDeque::new(), batches: JoinSet::new() }
    }

    pub(super) fn push(&mut self, token: Token, message: Message) {
        self.waiting.push_back((token, message));
    }

    /// Begins a batch when something waits and a place is free.
    pub(super) fn start_batch(&mut self) {
        while !self.waiting.is_empty() && self.batches.len() < UNDER_WAY {
            let batch: Vec<_> = self.waiting.drain(..self.waiting.len().min(BATCH)).collect();
            self.batches
                .spawn_blocking(move || batch.into_iter().map(|(token, message)| (token, holds(&message))).collect());
        }
    }

    /// The next verdicts; `None` while nothing is under way.
    pub(super) async fn next(&mut self) -> Option<Verdicts> {
        let verdicts = self.batches.join_next().await?;
        self.start_batch();
        match verdicts {
            Ok(verdicts) => Some(verdicts),
            // Checking has no state that a panic could leave broken, and must not take the node with it; the messages
            // stay unanswered and come again by sync.
            Err(panicked) => {
                tracing::error!(%panicked, "checking signatures failed");
                Some(Vec::new())
            }
        }
    }
}

/// Whether the origin signed the message and every author their transaction: decided by the bytes alone.
fn holds(message: &Message) -> bool {
    message.verify().is_ok()
        && message.transactions().all(|transaction| transaction.is_ok_and(|one| one.verify_signature().is_ok()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use super::{super::tests::signed_message, *};

    #[tokio::test]
    async fn what_waited_behind_a_panic_is_checked() {
        let mut verifier = Verifier::new();
        for _ in 0..UNDER_WAY {
            verifier.batches.spawn_blocking(|| panic!("a defect"));
        }
        verifier.push(Token(1), signed_message());
        verifier.start_batch();
        let mut verdicts = Vec::new();
        while let Some(more) = verifier.next().await {
            verdicts.extend(more);
        }
        assert_eq!(verdicts, [(Token(1), true)]);
    }
}
