//! Which transactions of a docket a client wants, and the proof that they are in it. Pure.

use bytes::Bytes;
use peerwright_encoding::DecodeError;
use peerwright_ledger::{
    DocketBody, InclusionProof, Kind, MAX_NAME_BYTES, Refusal, Transaction, TransactionBody, TransactionId,
    TransactionView,
};
use peerwright_secure::NodePublicKey;
use peerwright_store::{StoredDocket, StoredHeader};
use thiserror::Error;

/// Lets a transaction through when it is as everything says that is said here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    sender: Option<Sender>,
    recipient: Option<String>,
    kind: Option<Kind>,
    blueprint: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Sender {
    /// Who signed it.
    Author(NodePublicKey),
    /// For whom a node signed it.
    Subject(String),
}

/// A filter that would never let anything through.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum FilterInvalid {
    /// No such type.
    #[error("type is {0}: accepted is Control, Action, Docket or Participant")]
    Kind(String),
    /// No name is so long.
    #[error("{0} is longer than 512 bytes")]
    TooLong(&'static str),
}

/// A docket, and what of it was let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MatchedDocket {
    pub(crate) header: StoredHeader,
    pub(crate) transactions: Vec<Matched>,
}

/// A transaction that was let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Matched {
    /// Its place in the docket, from 0.
    pub(crate) position: u32,
    pub(crate) id: TransactionId,
    pub(crate) encoded: Bytes,
    /// From its leaf to the docket's transactions root; `None` without a filter, for then all leaves are there.
    pub(crate) path: Option<Vec<[u8; 32]>>,
}

/// As REST and gRPC write it.
pub(crate) const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Control => "Control",
        Kind::Action => "Action",
        Kind::Docket => "Docket",
        Kind::Participant => "Participant",
    }
}

impl Filter {
    /// Reads a filter; what is empty is not asked for.
    pub(crate) fn read(sender: &str, recipient: &str, kind: &str, blueprint: &str) -> Result<Self, FilterInvalid> {
        let name = |what, text: &str| match text.len() {
            0 => Ok(None),
            length if length > MAX_NAME_BYTES => Err(FilterInvalid::TooLong(what)),
            _ => Ok(Some(text.to_owned())),
        };
        let kinds = [Kind::Control, Kind::Action, Kind::Docket, Kind::Participant];
        let kind = match kind {
            "" => None,
            asked => match kinds.into_iter().find(|kind| kind_name(*kind) == asked) {
                Some(kind) => Some(kind),
                None => return Err(FilterInvalid::Kind(asked.chars().take(32).collect())),
            },
        };
        Ok(Self {
            sender: name("sender", sender)?.map(|sender| match author(&sender) {
                Some(author) => Sender::Author(author),
                None => Sender::Subject(sender),
            }),
            recipient: name("recipient", recipient)?,
            kind,
            blueprint: name("blueprint", blueprint)?,
        })
    }

    /// Whether everything is let through.
    pub(crate) fn is_open(&self) -> bool {
        *self == Self::default()
    }

    fn lets_through(&self, body: &TransactionBody) -> bool {
        let is_sender = |sender: &Sender| match sender {
            Sender::Author(author) => body.author == *author,
            Sender::Subject(subject) => body.subject.as_ref() == Some(subject),
        };
        self.sender.as_ref().is_none_or(is_sender)
            && self.recipient.as_ref().is_none_or(|recipient| body.recipients.contains(recipient))
            && self.kind.is_none_or(|kind| body.kind == kind)
            && self.blueprint.as_ref().is_none_or(|blueprint| body.metadata.blueprint.as_ref() == Some(blueprint))
    }

    /// What of a docket is let through, in its order, each with the way to the docket's root.
    pub(crate) fn apply(&self, docket: StoredDocket) -> Result<MatchedDocket, Refusal> {
        let body = DocketBody::decode(docket.body)?;
        let encoded = body.transactions().map(|encoded| body.encoded().slice_ref(encoded));
        if self.is_open() {
            let all = (0..).zip(encoded).map(|(position, encoded)| {
                let id = TransactionView::read(&encoded)?.id();
                Ok(Matched { position, id, encoded, path: None })
            });
            let transactions = all.collect::<Result<_, DecodeError>>()?;
            return Ok(MatchedDocket { header: docket.header, transactions });
        }
        let (mut leaves, mut transactions) = (Vec::new(), Vec::new());
        for (position, encoded) in (0u32..).zip(encoded) {
            let view = TransactionView::read(&encoded)?;
            let id = view.id();
            leaves.push(view.leaf(&id));
            if self.kind.is_none_or(|kind| kind == view.kind)
                && self.lets_through(Transaction::decode(encoded.clone())?.body())
            {
                transactions.push(Matched { position, id, encoded, path: None });
            }
        }
        let places: Vec<u64> = transactions.iter().map(|matched| matched.position.into()).collect();
        let proofs = InclusionProof::of_each(&places, &leaves).unwrap_or_default();
        for (matched, proof) in transactions.iter_mut().zip(proofs) {
            matched.path = Some(proof.path().to_vec());
        }
        Ok(MatchedDocket { header: docket.header, transactions })
    }
}

/// The key that 64 hex digits name.
fn author(text: &str) -> Option<NodePublicKey> {
    let bytes = hex::decode(text).ok()?;
    <[u8; 32]>::try_from(bytes).ok().map(NodePublicKey::from_bytes)
}
