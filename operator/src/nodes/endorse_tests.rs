use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use peerwright_ledger::{
    Attestation, Chain, CommitCertificate, Docket, GenesisRecord, RegisterPolicy, Role, SealedDocket, SealerSet,
    Verify, seal_genesis,
};
use peerwright_proto::v1::EndorseRequest;
use peerwright_secure::{NodeKey, NodePublicKey, Signature};
use peerwright_snapshot::{Content, Succession};

use crate::{
    identity::fixtures::Keys,
    nodes::fixtures::{Harness, refusal_of},
};

const POD: &str = "demo-peer-0";

/// A register of three sealers whose authority is the network's, and the key of one of the three.
fn register(harness: &Harness) -> (Chain, NodeKey) {
    let sealers = [11, 12, 13].map(|byte| NodeKey::from_seed([byte; 32]));
    let [owner, ..] = &sealers;
    let subject = "a test".to_owned();
    let signature = Signature::from_bytes([0; 64]);
    let attestation = Attestation { role: Role::Owner, subject, attested_at_micros: 1, signature };
    let mut record = GenesisRecord {
        name: "orders".to_owned(),
        description: String::new(),
        authority: harness.authority.over_registers().public(),
        sealers: SealerSet::new(1, sealers.iter().map(NodeKey::public).collect()).expect("a set"),
        policy: RegisterPolicy::default(),
        created_at_micros: 1,
        nonce: [7; 16],
        attestations: BTreeMap::from([(owner.public(), attestation)]),
    };
    record.attest(owner).expect("attested");
    let (header, body) = seal_genesis(&record, owner, owner.public()).expect("sealed");
    (Chain::begin_uncertified(&header, &body).expect("begun"), owner.clone())
}

fn request((header, body): &SealedDocket) -> EndorseRequest {
    EndorseRequest { header: header.encode().into(), body: body.encoded().clone() }
}

fn order(harness: &Harness, revision: u64, survivor: &NodeKey) {
    let succession = Some(Succession { generation: 1, survivor: survivor.peer_id() });
    harness.publish_content(revision, Content { succession, ..Content::default() });
}

async fn refused(harness: &Harness, keys: &Keys, request: EndorseRequest) -> String {
    let mut client = harness.client(Some((harness.leaf(keys, POD), keys)));
    refusal_of(&client.endorse(request).await.expect_err("refused"))
}

#[tokio::test]
async fn the_sealer_that_is_to_go_on_gets_the_word_of_the_network_s_authority() {
    let (harness, keys) = (Harness::leader().await, Keys::of(1));
    let (mut chain, author) = register(&harness);
    order(&harness, 2, &keys.node);
    let alone = BTreeSet::from([keys.node.public()]);
    let docket = chain.replace_sealers(alone.clone(), &author).expect("a docket");

    let mut client = harness.client(Some((harness.leaf(&keys, POD), &keys)));
    let answer = client.endorse(request(&docket)).await.expect("signed").into_inner();

    let certificate = CommitCertificate::decode(&answer.certificate).expect("a certificate");
    let (header, body) = docket;
    chain.extend(&Docket { header, certificate, body }, Verify::EveryTransaction, 2).expect("a stranger takes it");
    assert_eq!(*chain.governance().sealers().sealers(), alone);
}

#[tokio::test]
async fn nothing_is_signed_that_nobody_has_ordered() {
    let (harness, keys, other) = (Harness::leader().await, Keys::of(1), Keys::of(2));
    let (chain, author) = register(&harness);
    let naming = |sealers: &[NodePublicKey]| {
        request(&chain.replace_sealers(sealers.iter().copied().collect(), &author).expect("a docket"))
    };
    let own = naming(&[keys.node.public()]);
    assert_eq!(refused(&harness, &keys, own.clone()).await, "not_ordered", "no order");
    order(&harness, 2, &other.node);
    assert_eq!(refused(&harness, &keys, own.clone()).await, "not_ordered", "another is to go on");
    order(&harness, 3, &keys.node);
    for others in [vec![other.node.public()], vec![keys.node.public(), other.node.public()]] {
        assert_eq!(refused(&harness, &keys, naming(&others)).await, "not_ordered", "not this one alone");
    }
    let unreadable = EndorseRequest { body: Bytes::from_static(b"x"), ..own.clone() };
    assert_eq!(refused(&harness, &keys, unreadable).await, "malformed");
    let anonymous = harness.client(None).endorse(own.clone()).await.expect_err("refused");
    assert_eq!(refusal_of(&anonymous), "certificate_required");
    harness.networks.lose_key("demo-uid");
    assert_eq!(refused(&harness, &keys, own).await, "ca_unavailable");
    let line = "node_refusals_total{rpc=\"endorse\",reason=\"not_ordered\"} 4";
    assert!(harness.metrics().contains(line), "{}", harness.metrics());
}
