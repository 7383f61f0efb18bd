//! What a filter lets through, and that its proofs hold.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::filter::{Filter, FilterInvalid};
use bytes::Bytes;
use peerwright_ledger::{
    DocketBody, DocketHash, InclusionProof, Kind, LeafHash, MerkleRoot, Metadata, Payload, RegisterId, Transaction,
    TransactionBody, TransactionView, merkle_root,
};
use peerwright_secure::NodeKey;
use peerwright_store::{StoredDocket, StoredHeader};
use proptest::prelude::*;

fn transaction(number: u8) -> Transaction {
    let author = NodeKey::from_seed([number % 3 + 1; 32]);
    let body = TransactionBody {
        register: RegisterId::from_bytes([7; 16]),
        previous: None,
        author: author.public(),
        subject: number.is_multiple_of(2).then(|| format!("subject {}", number % 4)),
        recipients: [format!("to {}", number % 5)].into(),
        created_at_micros: 1,
        valid_until_micros: 2,
        kind: if number.is_multiple_of(4) { Kind::Participant } else { Kind::Action },
        metadata: Metadata { blueprint: number.is_multiple_of(3).then(|| "loan".to_owned()), ..Metadata::default() },
        payloads: vec![Payload::new(vec![number])],
    };
    body.sign(&author).unwrap()
}

fn docket(transactions: &[Transaction]) -> (StoredDocket, MerkleRoot) {
    let body = DocketBody::gather(transactions.iter().map(|one| &**one.encoded())).unwrap();
    let leaves: Vec<LeafHash> = transactions.iter().map(leaf).collect();
    let header =
        StoredHeader { number: 3, hash: DocketHash::from_bytes([1; 32]), header: Bytes::new(), certificate: None };
    (StoredDocket { header, body: body.encoded().clone() }, merkle_root(leaves))
}

fn leaf(transaction: &Transaction) -> LeafHash {
    TransactionView::read(transaction.encoded()).unwrap().leaf(&transaction.id())
}

fn filter(sender: &str, recipient: &str, kind: &str, blueprint: &str) -> Filter {
    Filter::read(sender, recipient, kind, blueprint).unwrap()
}

#[test]
fn each_part_of_a_filter_is_asked_for_and_what_is_empty_is_not() {
    let transactions: Vec<_> = (0..24).map(transaction).collect();
    let (docket, _) = docket(&transactions);
    let author = hex::encode(NodeKey::from_seed([2; 32]).public().as_bytes());
    let wanted = |keep: fn(u32) -> bool| (0..24).filter(|number| keep(*number)).collect::<Vec<u32>>();
    for (filter, expected) in [
        (filter("", "", "", ""), wanted(|_| true)),
        (filter(&author, "", "", ""), wanted(|number| number % 3 == 1)),
        (filter("subject 2", "", "", ""), wanted(|number| number % 4 == 2)),
        (filter("", "to 4", "", ""), wanted(|number| number % 5 == 4)),
        (filter("", "", "Participant", ""), wanted(|number| number % 4 == 0)),
        (filter("", "", "", "loan"), wanted(|number| number % 3 == 0)),
        (filter("subject 0", "to 0", "Participant", "loan"), vec![0]),
        (filter("nobody", "", "", ""), vec![]),
    ] {
        let matched = filter.apply(docket.clone()).unwrap();
        let positions: Vec<u32> = matched.transactions.iter().map(|matched| matched.position).collect();
        assert_eq!(positions, expected, "{filter:?}");
        assert!(matched.transactions.iter().all(|matched| matched.path.is_none() == filter.is_open()));
    }
}

#[test]
fn a_filter_that_lets_nothing_through_is_refused() {
    assert_eq!(Filter::read("", "", "action", ""), Err(FilterInvalid::Kind("action".to_owned())));
    assert_eq!(Filter::read("", &"x".repeat(513), "", ""), Err(FilterInvalid::TooLong("recipient")));
}

proptest! {
    #[test]
    fn whatever_is_let_through_is_proven_to_be_in_its_docket(
        numbers in prop::collection::vec(any::<u8>(), 1..40),
        recipient in 0..5u8,
    ) {
        let transactions: Vec<_> = numbers.into_iter().map(transaction).collect();
        let (docket, root) = docket(&transactions);

        let matched = filter("", &format!("to {recipient}"), "", "").apply(docket).unwrap();

        for one in matched.transactions {
            let position = usize::try_from(one.position).unwrap();
            let transaction = &transactions[position];
            prop_assert_eq!((&one.encoded, one.id), (transaction.encoded(), transaction.id()));
            let leaves: Vec<LeafHash> = transactions.iter().map(leaf).collect();
            let proof = InclusionProof::of(one.position.into(), &leaves).unwrap();
            prop_assert_eq!(one.path.unwrap(), proof.path());
            prop_assert!(proof.holds(&leaf(transaction), &root));
        }
    }
}
