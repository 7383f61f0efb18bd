//! The way straight to the sealers' leader, for what gossip does not bring there.
//!
//! ```text
//! the leader of the last time ─▶ every other sealer ─▶ none leads: later
//!             └ not_leader, and who does ─▶ that one next
//! ```

use crate::{
    member::Membership,
    registers::{Callers, desk, sealer::Sealer},
    transport::MAX_FRAMED_BYTES,
};
use bytes::Bytes;
use peerwright_ledger::RegisterId;
use peerwright_proto::v1::{HandInRequest, HandInResult, hand_in_result::Outcome, sealing_client::SealingClient};
use peerwright_secure::PeerId;
use peerwright_store::TransactionPlace;
use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use thiserror::Error;
use tokio::time::timeout;
use tonic::{Code, Status};

/// A sealer answers in this time, beside the time that it is given to seal.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// The longest reason that is kept of a refusal.
const MAX_REASON_BYTES: usize = 64;

/// What the leader says of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Handed {
    /// It is in this certified docket.
    Sealed(TransactionPlace),
    /// It waits for its docket.
    Taken,
    /// No docket will hold it.
    Refused(String),
}

impl Handed {
    /// As a metric label.
    pub(super) const fn label(&self) -> &'static str {
        match self {
            Self::Sealed(_) => "sealed",
            Self::Taken => "taken",
            Self::Refused(_) => "refused",
        }
    }
}

/// Why nothing was handed in.
#[derive(Debug, Error)]
pub(super) enum Unhanded {
    #[error("the network names no sealers")]
    NoSealers,
    #[error("no sealer leads ({0})")]
    NoLeader(String),
}

/// Why one sealer does not take what is handed in.
enum Declined {
    NotLeader(Option<PeerId>),
    Later(String),
}

/// Hands transactions to whoever leads.
pub(crate) struct HandIn {
    membership: Arc<Membership>,
    callers: Arc<Callers>,
    sealer: Arc<Sealer>,
    /// Who took something last.
    leader: Mutex<Option<PeerId>>,
}

impl HandIn {
    pub(crate) fn new(membership: Arc<Membership>, callers: Arc<Callers>, sealer: Arc<Sealer>) -> Self {
        Self { membership, callers, sealer, leader: Mutex::default() }
    }

    /// Hands transactions of a register to the leader, which is given `wait` to seal them; one answer for each, in order.
    pub(super) async fn hand_in(
        &self,
        register: RegisterId,
        transactions: Vec<Bytes>,
        wait: Duration,
    ) -> Result<Vec<Handed>, Unhanded> {
        let named = self.membership.snapshot().map(|current| current.snapshot.content.sealers.clone());
        let named = named.filter(|named| !named.is_empty()).ok_or(Unhanded::NoSealers)?;
        let last = *self.leader.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next: VecDeque<PeerId> = last.filter(|last| named.contains(last)).into_iter().collect();
        next.extend(&named);
        let (mut asked, mut why) = (BTreeSet::new(), String::new());
        while let Some(sealer) = next.pop_front() {
            if !asked.insert(sealer) {
                continue;
            }
            let asking = self.ask(sealer, register, transactions.clone(), wait);
            match timeout(wait + ANSWER_WITHIN, asking).await {
                Ok(Ok(answers)) if answers.len() == transactions.len() => {
                    *self.leader.lock().unwrap_or_else(PoisonError::into_inner) = Some(sealer);
                    return Ok(answers);
                }
                Ok(Ok(_)) => why = "another number of answers came than there were questions".to_owned(),
                Ok(Err(Declined::NotLeader(leader))) => {
                    // Only who is named seals.
                    if let Some(leader) = leader.filter(|leader| named.contains(leader)) {
                        next.push_front(leader);
                    }
                }
                Ok(Err(Declined::Later(later))) => why = later,
                Err(_) => {
                    self.callers.unanswered(sealer);
                    why = "no answer in time".to_owned();
                }
            }
        }
        Err(Unhanded::NoLeader(why))
    }

    async fn ask(
        &self,
        sealer: PeerId,
        register: RegisterId,
        transactions: Vec<Bytes>,
        wait: Duration,
    ) -> Result<Vec<Handed>, Declined> {
        if sealer == self.membership.peer_id() {
            let group = self.sealer.group().ok_or(Declined::NotLeader(None))?;
            let taken = desk::take(&group, &*self.sealer.registers.store, register, transactions, wait).await;
            return taken.map_err(|refused| match desk::leader(&refused) {
                Some(leader) => Declined::NotLeader(leader),
                None => Declined::Later(refused.to_string()),
            });
        }
        let connection = self.callers.reach(sealer).await.map_err(|error| Declined::Later(error.to_string()))?;
        let (channel, origin) = connection.channel();
        let mut client = SealingClient::with_origin(channel, origin).max_encoding_message_size(MAX_FRAMED_BYTES);
        let request = HandInRequest {
            register_id: Bytes::copy_from_slice(register.as_bytes()),
            transactions,
            wait_milliseconds: u32::try_from(wait.as_millis()).unwrap_or(u32::MAX),
        };
        let response = client.hand_in(request).await.map_err(|status| declined(&status))?.into_inner();
        response.results.into_iter().map(answer).collect()
    }
}

fn answer(result: HandInResult) -> Result<Handed, Declined> {
    match (Outcome::try_from(result.outcome), result.place) {
        (Ok(Outcome::Sealed), Some(place)) => {
            Ok(Handed::Sealed(TransactionPlace { number: place.docket, position: place.position }))
        }
        (Ok(Outcome::Taken), _) => Ok(Handed::Taken),
        (Ok(Outcome::Refused), _) => Ok(Handed::Refused(word(result.reason))),
        _ => Err(Declined::Later("an answer that this version does not know".to_owned())),
    }
}

/// Another node's word is kept only if it is one.
fn word(reason: String) -> String {
    let is_word = !reason.is_empty()
        && reason.len() <= MAX_REASON_BYTES
        && reason.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if is_word { reason } else { "refused".to_owned() }
}

fn declined(status: &Status) -> Declined {
    if status.code() != Code::FailedPrecondition {
        return Declined::Later(status.message().to_owned());
    }
    let leader = status.metadata().get(desk::LEADER).and_then(|leader| leader.to_str().ok());
    Declined::NotLeader(leader.and_then(|leader| leader.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_a_word_or_is_not_kept() {
        assert_eq!(word("control_refused".to_owned()), "control_refused");
        for other in ["", "Not a word", "a\nb", &"x".repeat(65)] {
            assert_eq!(word(other.to_owned()), "refused");
        }
    }

    #[test]
    fn who_does_not_lead_names_the_leader_if_it_knows_one() {
        let mut status = Status::failed_precondition("not_leader");
        assert!(matches!(declined(&status), Declined::NotLeader(None)));
        let leader = PeerId::from_bytes([7; 32]);
        status.metadata_mut().insert(desk::LEADER, leader.to_string().parse().unwrap());
        assert!(matches!(declined(&status), Declined::NotLeader(Some(named)) if named == leader));
        assert!(matches!(declined(&Status::unavailable("full")), Declined::Later(why) if why == "full"));
    }
}
