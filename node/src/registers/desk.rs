//! The leader's desk: what other nodes hand in because no docket of theirs shows it.
//!
//! ```text
//! handed in ─▶ in a docket already? sealed ─▶ read, times, signature: refused ─▶ group ─▶ sealed | taken | refused
//! ```
//!
//! Only who leads answers: its store has every docket that was ever certified, or knows that one waits for its
//! certificate.

use super::outbox::Handed;
use crate::driver::Clock;
use bytes::Bytes;
use peerwright_ledger::{Limits, Refusal, RegisterId, Transaction, TransactionId};
use peerwright_sealing::{Group, GroupRefused, Outcome};
use peerwright_secure::PeerId;
use peerwright_store::{DocketStore, Seen, StoreError};
use std::time::Duration;
use thiserror::Error;
use tokio::time::timeout;

/// The key under which a sealer that does not lead says who does: its peer id.
pub(super) const LEADER: &str = "peerwright-leader";
/// A proposal that is still under way may hold what has only just expired.
const SETTLING_MICROS: u64 = 5_000_000;

/// Why a sealer takes nothing in.
#[derive(Debug, Error)]
pub(super) enum NotTaken {
    /// The group does not.
    #[error("{code}: {0}", code = .0.code())]
    Group(#[from] GroupRefused),
    /// The store of this sealer does not answer.
    #[error("{code}: {0}", code = .0.code())]
    Store(#[from] StoreError),
    /// Checking failed.
    #[error("internal: what was handed in could not be checked")]
    Unchecked,
}

/// Who leads instead, as far as the refusal says; `None` for any other refusal.
pub(super) fn leader(refused: &NotTaken) -> Option<Option<PeerId>> {
    match refused {
        NotTaken::Group(GroupRefused::NotLeader { leader }) => Some(leader.as_ref().map(PeerId::of)),
        _ => None,
    }
}

/// A transaction that was handed in, as far as it can be told without the group.
enum Looked {
    Readable(TransactionId, Result<(), Refusal>, Bytes),
    Unreadable(Refusal),
}

/// Takes transactions of a register as the leader, in their order, and waits so long for their dockets. One answer for each.
pub(super) async fn take(
    group: &Group,
    store: &dyn DocketStore,
    register: RegisterId,
    transactions: Vec<Bytes>,
    wait: Duration,
) -> Result<Vec<Handed>, NotTaken> {
    let status = group.status();
    if !status.is_leading {
        return Err(GroupRefused::NotLeader { leader: status.leader }.into());
    }
    let now = Clock::wall().0;
    let looking = tokio::task::spawn_blocking(move || {
        transactions.into_iter().map(|encoded| look(register, encoded, now)).collect::<Vec<_>>()
    });
    let looked = looking.await.map_err(|_| NotTaken::Unchecked)?;
    let (mut answers, mut open) = (Vec::with_capacity(looked.len()), Vec::new());
    for (position, looked) in looked.into_iter().enumerate() {
        let (id, verified, encoded) = match looked {
            Looked::Readable(id, verified, encoded) => (id, verified, encoded),
            Looked::Unreadable(refusal) => {
                answers.push(Handed::Refused(refusal.code().to_owned()));
                continue;
            }
        };
        let place = store.find(register, id, Seen::Certified).await?;
        answers.push(match (place, verified) {
            (Some(place), _) => Handed::Sealed(place),
            (None, Err(Refusal::Expired { seconds })) if !is_final(seconds, status.uncertified) => Handed::Taken,
            // Its time comes.
            (None, Err(Refusal::CreatedInFuture { .. })) => Handed::Taken,
            (None, Err(refusal)) => Handed::Refused(refusal.code().to_owned()),
            (None, Ok(())) => {
                open.push((position, id, encoded));
                Handed::Taken
            }
        });
    }
    if open.is_empty() {
        return Ok(answers);
    }
    let handed = open.iter().map(|(_, _, encoded)| encoded.clone()).collect();
    // What is not sealed in time stays in the leader's queue.
    let Ok(outcomes) = timeout(wait, group.submit(register, handed)).await else { return Ok(answers) };
    for ((position, id, _), outcome) in open.into_iter().zip(outcomes?) {
        let answer = match outcome {
            Outcome::Sealed { .. } | Outcome::AlreadySealed => {
                store.find(register, id, Seen::Certified).await?.map_or(Handed::Taken, Handed::Sealed)
            }
            // Asked again in a moment, it is known.
            Outcome::Refused(Refusal::Expired { .. }) => Handed::Taken,
            Outcome::Refused(refusal) => Handed::Refused(refusal.code().to_owned()),
            Outcome::ControlRefused => Handed::Refused("control_refused".to_owned()),
        };
        if let Some(place) = answers.get_mut(position) {
            *place = answer;
        }
    }
    Ok(answers)
}

/// Whether nothing that expired so long ago can come into a docket any more, or be in one that is not certified yet.
const fn is_final(expired_seconds: u64, uncertified: usize) -> bool {
    uncertified == 0 && expired_seconds * 1_000_000 > SETTLING_MICROS
}

fn look(register: RegisterId, encoded: Bytes, now: u64) -> Looked {
    let transaction = match Transaction::decode(encoded) {
        Ok(transaction) => transaction,
        Err(refusal) => return Looked::Unreadable(refusal),
    };
    let of = transaction.body().register;
    let verified =
        if of == register { transaction.verify(now, &Limits::default()) } else { Err(Refusal::OtherRegister(of)) };
    Looked::Readable(transaction.id(), verified, transaction.encoded().clone())
}

#[cfg(test)]
mod tests {
    use super::is_final;

    #[test]
    fn what_has_only_just_expired_may_still_be_in_a_docket_on_its_way() {
        assert!(!is_final(5, 0) && is_final(6, 0) && !is_final(60, 1));
    }
}
