//! Checks signatures away from the driver's task, in batches: while one is checked the next gathers. A few that come alone
//! are checked at once.
//!
//! ```text
//! link 1 ─▶ waiting ─┐
//! link 2 ─▶ waiting ─┼─ in turn, a share each ─▶ a batch ─▶ verdicts
//! link 3 ─▶ waiting ─┘
//! ```
//!
//! Messages, and statements of members, wait by the link that brought them, and the links have turns: one that sends a flood waits behind itself.

use peerwright_engine::{Input, LinkId, Statement, Token};
use peerwright_ledger::Message;
use peerwright_secure::SignatureBatch;
use std::collections::{BTreeMap, VecDeque};
use tokio::task::JoinSet;

/// Signatures of a batch, its last question aside: small enough that an answer comes in a few milliseconds.
const BATCH: usize = 64;
/// Signatures of one link in a turn, its last question aside.
const LINK_SHARE: usize = 16;
/// Batches under way: one a core is enough, and more would take the driver's.
const UNDER_WAY: usize = 2;
/// So few signatures, two messages with a transaction each, are checked sooner than another thread is woken for them.
const FEW: usize = 4;

/// What is to be checked.
#[expect(clippy::large_enum_variant, reason = "nearly all that waits are messages")]
#[derive(Debug)]
pub(super) enum Question {
    /// A message and all in it.
    Message(Message),
    /// What members have signed: all of it holds, or it does not.
    Statements(Vec<Statement>),
}

impl Question {
    /// What it counts for in a batch: messages count alike, whatever they have gathered.
    fn work(&self) -> usize {
        match self {
            Self::Message(_) => 1,
            Self::Statements(statements) => statements.len(),
        }
    }

    /// How many signatures it holds.
    fn signatures(&self) -> usize {
        match self {
            Self::Message(message) => 1 + message.body().entries.len(),
            Self::Statements(statements) => statements.len(),
        }
    }

    /// The verdict, given what was found of the messages of the batch together.
    fn judge(self, token: Token, all_hold: bool) -> Input<'static> {
        match self {
            Self::Message(message) => Input::Verified { token, valid: all_hold || holds(&message) },
            Self::Statements(statements) => {
                Input::StatementsVerified { token, valid: statements.iter().all(Statement::holds) }
            }
        }
    }
}

/// Verdicts, as the engine takes them, in the order of the questions.
pub(super) type Verdicts = Vec<Input<'static>>;

/// Questions that wait for their verdict. As many as the engine's bound allows.
pub(super) struct Verifier {
    waiting: BTreeMap<LinkId, VecDeque<(Token, Question)>>,
    /// The links that have something waiting, in the order of their turns.
    turns: VecDeque<LinkId>,
    batches: JoinSet<Verdicts>,
}

impl Verifier {
    pub(super) fn new() -> Self {
        Self { waiting: BTreeMap::new(), turns: VecDeque::new(), batches: JoinSet::new() }
    }

    pub(super) fn push(&mut self, token: Token, link: LinkId, question: Question) {
        let of_link = self.waiting.entry(link).or_default();
        if of_link.is_empty() {
            self.turns.push_back(link);
        }
        of_link.push_back((token, question));
    }

    /// Checks what waits on this thread, if that is very little and nothing is checked elsewhere.
    pub(super) fn check_few(&mut self) -> Verdicts {
        if self.turns.is_empty() || !self.batches.is_empty() {
            return Verdicts::new();
        }
        let all = self.waiting.values().flatten().take(FEW + 1);
        let signatures: usize = all.map(|(_, question)| question.signatures()).sum();
        if (1..=FEW).contains(&signatures) { judge(self.gather()) } else { Verdicts::new() }
    }

    /// Begins a batch when something waits and a place is free.
    pub(super) fn start_batch(&mut self) {
        while !self.turns.is_empty() && self.batches.len() < UNDER_WAY {
            let batch = self.gather();
            self.batches.spawn_blocking(move || judge(batch));
        }
    }

    /// The next batch: the links have turns of a share each until it is full.
    fn gather(&mut self) -> Vec<(Token, Question)> {
        let (mut batch, mut work) = (Vec::new(), 0);
        while let Some(link) = self.turns.pop_front_if(|_| work < BATCH) {
            let Some(of_link) = self.waiting.get_mut(&link) else { continue };
            let limit = BATCH.min(work + LINK_SHARE);
            while let Some(asked) = of_link.pop_front_if(|_| work < limit) {
                work += asked.1.work();
                batch.push(asked);
            }
            if of_link.is_empty() {
                self.waiting.remove(&link);
            } else {
                self.turns.push_back(link);
            }
        }
        batch
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

/// All signatures of messages are checked as one sum, which is quicker; each message by itself only where that fails.
fn judge(batch: Vec<(Token, Question)>) -> Verdicts {
    let all_hold = all_hold(batch.iter().filter_map(|(_, question)| match question {
        Question::Message(message) => Some(message),
        Question::Statements(_) => None,
    }));
    batch.into_iter().map(|(token, question)| question.judge(token, all_hold)).collect()
}

/// Whether every message can be read and all signatures in them hold.
fn all_hold<'a>(messages: impl Iterator<Item = &'a Message>) -> bool {
    let mut signatures = SignatureBatch::new();
    for message in messages {
        message.add_signature(&mut signatures);
        for transaction in message.transactions() {
            let Ok(transaction) = transaction else { return false };
            transaction.add_signature(&mut signatures);
        }
    }
    signatures.holds()
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
        verifier.push(Token(1), LinkId(1), Question::Message(signed_message()));
        verifier.start_batch();
        let mut verdicts = Vec::new();
        while let Some(more) = verifier.next().await {
            verdicts.extend(more);
        }
        assert!(matches!(verdicts.as_slice(), [Input::Verified { token: Token(1), valid: true }]));
    }

    #[tokio::test]
    async fn a_few_are_checked_at_once_unless_more_wait_or_are_under_way() {
        let mut verifier = Verifier::new();
        let push = |verifier: &mut Verifier, numbers: std::ops::Range<u64>| {
            numbers.for_each(|number| verifier.push(Token(number), LinkId(1), Question::Message(signed_message())));
        };
        assert!(verifier.check_few().is_empty());
        push(&mut verifier, 0..2);
        let verdicts = verifier.check_few();
        let tokens = verdicts.iter().map(|verdict| matches!(verdict, Input::Verified { valid: true, .. }));
        assert_eq!(tokens.collect::<Vec<_>>(), [true; 2]);
        push(&mut verifier, 2..5);
        assert!(verifier.check_few().is_empty(), "many");
        verifier.start_batch();
        push(&mut verifier, 5..6);
        assert!(verifier.check_few().is_empty(), "others are checked before it");
    }

    #[test]
    fn a_long_list_of_statements_fills_a_batch() {
        let mut verifier = Verifier::new();
        let list = || Question::Statements(vec![Statement::Record(bytes::Bytes::new()); 400]);
        for number in 0..3 {
            verifier.push(Token(number), LinkId(1), list());
        }
        assert_eq!(verifier.gather().len(), 1);
    }

    #[test]
    fn a_flood_on_one_link_waits_behind_itself() {
        let mut verifier = Verifier::new();
        for number in 0..1_000 {
            verifier.push(Token(number), LinkId(1), Question::Message(signed_message()));
        }
        verifier.push(Token(5_000), LinkId(2), Question::Message(signed_message()));
        let first: Vec<Token> = verifier.gather().into_iter().map(|(token, _)| token).collect();
        assert_eq!((first.len(), first[LINK_SHARE]), (BATCH, Token(5_000)));
        let mut rest = Vec::new();
        while !verifier.turns.is_empty() {
            rest.extend(verifier.gather().into_iter().map(|(token, _)| token.0));
        }
        assert!(rest.iter().copied().eq(63..1_000), "each link's order is kept");
        assert!(verifier.waiting.is_empty());
    }
}
