//! Exchanges signatures until every docket has its certificate.
//!
//! ```text
//! formed ─▶ each other sealer: "I signed this; what have you?" ─▶ its signatures of it, when it has formed it too
//!    └──── no majority after a while: the same again
//! ```
//!
//! One question is under way to each sealer, with all that came up meanwhile in the next. What fails is dropped: who lacks
//! a signature asks.

use crate::{
    core::Core,
    registers::{Question, Standing},
    transport::Transport,
    wire::{Answer, MAX_SIGNATURES, Request, Signatures, SignedDocket},
};
use bytes::Bytes;
use peerwright_ledger::CommitCertificate;
use peerwright_secure::NodePublicKey;
use peerwright_store::{Seen, StoreError};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::{task::JoinSet, time::Instant};

/// How long a sealer is given to answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// Questions that wait for one sealer. Full: the sealer asks by itself.
const MAX_WAITING: usize = 1_024;

type Answered = (NodePublicKey, Vec<SignedDocket>, Option<Vec<Signatures>>);

/// Asks, until it is cancelled.
pub(crate) async fn run(core: Arc<Core>, transport: Arc<dyn Transport>, retry: Duration) {
    let cancelled = core.durable.cancelled.clone();
    let mut exchange =
        Exchange { core, transport, waiting: BTreeMap::new(), busy: BTreeSet::new(), calls: JoinSet::new() };
    let mut again_at = Instant::now();
    loop {
        let lacks = exchange.core.registers(|registers| registers.pending() > 0);
        if !lacks {
            again_at = Instant::now() + retry;
        }
        tokio::select! {
            biased;
            () = cancelled.cancelled() => return,
            Some(answered) = exchange.calls.join_next() => {
                if let Ok(answered) = answered {
                    exchange.take(answered);
                }
            }
            () = exchange.core.formed.notified() => {}
            () = tokio::time::sleep_until(again_at), if lacks => {
                exchange.ask_again();
                again_at = Instant::now() + retry;
            }
        }
        let unsent = exchange.core.registers(crate::registers::Registers::take_unsent);
        exchange.add(&unsent);
        exchange.send();
    }
}

struct Exchange {
    core: Arc<Core>,
    transport: Arc<dyn Transport>,
    waiting: BTreeMap<NodePublicKey, Vec<SignedDocket>>,
    busy: BTreeSet<NodePublicKey>,
    calls: JoinSet<Answered>,
}

impl Exchange {
    fn ask_again(&mut self) {
        let lacking = self.core.registers(|registers| registers.lacking(MAX_WAITING));
        self.waiting.clear();
        self.add(&lacking);
    }

    fn add(&mut self, questions: &[Question]) {
        let me = self.core.me();
        for question in questions {
            for sealer in question.sealers.sealers().iter().filter(|sealer| **sealer != me) {
                let waiting = self.waiting.entry(*sealer).or_default();
                if waiting.len() < MAX_WAITING {
                    waiting.push(question.docket);
                }
            }
        }
    }

    fn send(&mut self) {
        for (sealer, waiting) in &mut self.waiting {
            if waiting.is_empty() || !self.busy.insert(*sealer) {
                continue;
            }
            let asked: Vec<SignedDocket> = waiting.drain(..waiting.len().min(MAX_SIGNATURES)).collect();
            let call = self.transport.call(*sealer, Request::Signatures(asked.clone()).encode(), PATIENCE);
            let sealer = *sealer;
            self.calls.spawn(async move { (sealer, asked, call.await.ok().and_then(|answer| read(&answer))) });
        }
    }

    fn take(&mut self, (sealer, asked, answer): Answered) {
        self.busy.remove(&sealer);
        let mut is_certified = false;
        for (docket, signatures) in asked.iter().zip(answer.unwrap_or_default()) {
            is_certified |= count(&self.core, docket, signatures);
        }
        if is_certified {
            self.core.certified.notify_one();
        }
    }
}

fn read(answer: &Bytes) -> Option<Vec<Signatures>> {
    match Answer::decode(answer) {
        Ok(Answer::Signatures(signatures)) => Some(signatures),
        _ => None,
    }
}

/// Counts signatures of a docket that another sealer has sent; whether they complete the certificate.
fn count(core: &Core, docket: &SignedDocket, signatures: Signatures) -> bool {
    let mut is_certified = false;
    for (sealer, signature) in signatures {
        let Standing::Pending(_, known) =
            core.registers(|registers| registers.standing(&docket.register, docket.number))
        else {
            return is_certified;
        };
        if known.contains(&(sealer, signature)) || docket.hash.verify(&sealer, &signature).is_err() {
            continue;
        }
        is_certified |=
            core.registers(|registers| registers.sign(docket.register, docket.number, docket.hash, sealer, signature));
    }
    is_certified
}

/// Answers another sealer's question.
pub(crate) async fn answer(
    core: &Core,
    from: NodePublicKey,
    dockets: Vec<SignedDocket>,
) -> Result<Vec<Signatures>, StoreError> {
    let mut is_certified = false;
    let mut answers = Vec::with_capacity(dockets.len());
    for docket in dockets {
        let standing = core.registers(|registers| registers.standing(&docket.register, docket.number));
        if let Some(signature) = docket.signature {
            match &standing {
                Standing::Certified => {}
                Standing::Pending(..) => is_certified |= count(core, &docket, vec![(from, signature)]),
                Standing::Ahead => {
                    let early = (from, docket.hash, signature);
                    core.registers(|registers| registers.keep_early(docket.register, docket.number, early));
                }
            }
        }
        answers.push(match standing {
            Standing::Pending(hash, signatures) if hash == docket.hash => signatures,
            Standing::Pending(..) | Standing::Ahead => Vec::new(),
            Standing::Certified => stored_signatures(core, &docket).await?,
        });
    }
    if is_certified {
        core.certified.notify_one();
    }
    Ok(answers)
}

/// The signatures in a certificate that is stored.
async fn stored_signatures(core: &Core, docket: &SignedDocket) -> Result<Signatures, StoreError> {
    let headers = core.store.headers(docket.register, docket.number, Seen::Certified, 1).await?;
    let found = headers.into_iter().find(|header| header.number == docket.number && header.hash == docket.hash);
    let certificate = found.and_then(|header| header.certificate);
    Ok(match certificate.map(|certificate| CommitCertificate::decode(&certificate)) {
        Some(Ok(CommitCertificate::Sealers(signatures))) => signatures.into_iter().collect(),
        _ => Vec::new(),
    })
}
