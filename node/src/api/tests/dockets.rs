//! Registers, dockets and proofs as REST shows them.

use super::{Api, node::REGISTER};
use base64::{Engine, engine::general_purpose::STANDARD};
use peerwright_ledger::{
    Attestation, Chain, CommitCertificate, Docket, GenesisRecord, InclusionProof, Kind, LeafHash, Metadata, Payload,
    Proposal, RegisterId, RegisterPolicy, Role, SealedDocket, SealerSet, Transaction, TransactionBody, TransactionView,
    Verify, merkle_root, seal_genesis,
};
use peerwright_secure::{NodeKey, Signature, sha256};
use peerwright_snapshot::Subscription;
use peerwright_store::{DocketStore, Extension, NewDocket};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// A register of one sealer, whose docket 1 holds these transactions.
struct Sealed {
    api: Api,
    register: RegisterId,
    transactions: Vec<Transaction>,
}

fn certified((header, body): SealedDocket, sealer: &NodeKey) -> Docket {
    let signatures = BTreeMap::from([(sealer.public(), header.hash().sign(sealer))]);
    Docket { header, certificate: CommitCertificate::Sealers(signatures), body }
}

fn stored(docket: &Docket) -> NewDocket {
    let id = |encoded| TransactionView::read(encoded).unwrap().id();
    NewDocket::of(docket, docket.body.transactions().map(id).collect())
}

fn entry(register: RegisterId, author: &NodeKey, text: &str, now: u64) -> Transaction {
    let body = TransactionBody {
        register,
        previous: None,
        author: author.public(),
        subject: None,
        recipients: BTreeSet::new(),
        created_at_micros: now,
        valid_until_micros: now + 3_600_000_000,
        kind: Kind::Action,
        metadata: Metadata::default(),
        payloads: vec![Payload::new(text.as_bytes().to_vec())],
    };
    body.sign(author).unwrap()
}

async fn sealed(count: usize) -> Sealed {
    let api = Api::new().await;
    let (key, now) = (NodeKey::from_seed([42; 32]), crate::api::time::now_micros());
    let place = Attestation {
        role: Role::Owner,
        subject: "somebody".to_owned(),
        attested_at_micros: now,
        signature: Signature::from_bytes([0; 64]),
    };
    let mut record = GenesisRecord {
        name: "orders".to_owned(),
        description: "what was ordered".to_owned(),
        authority: key.public(),
        sealers: SealerSet::new(1, BTreeSet::from([key.public()])).unwrap(),
        policy: RegisterPolicy::default(),
        created_at_micros: now,
        nonce: [1; 16],
        attestations: BTreeMap::from([(key.public(), place)]),
    };
    record.attest(&key).unwrap();
    let register = record.register();
    let genesis = certified(seal_genesis(&record, &key, key.public()).unwrap(), &key);
    let mut chain = Chain::begin(&genesis, now).unwrap();
    let transactions: Vec<_> = (0..count).map(|number| entry(register, &key, &number.to_string(), now)).collect();
    let proposal = Proposal {
        time_micros: now,
        proposer: key.public(),
        transactions: transactions.iter().map(|transaction| transaction.encoded().clone()).collect(),
    };
    let next = certified(chain.seal(&proposal).unwrap(), &key);
    chain.extend(&next, Verify::EveryTransaction, now).unwrap();
    let extension = Extension { register, dockets: vec![stored(&genesis), stored(&next)], checkpoint: chain.encode() };
    api.node.store.extend(vec![extension]).await.unwrap();
    api.node.change_snapshot(|content| {
        content.subscriptions.insert(Subscription { register: *register.as_bytes() });
    });
    Sealed { api, register, transactions }
}

#[tokio::test]
async fn a_register_says_what_its_genesis_says_and_how_far_it_has_come() {
    let Sealed { api, register, .. } = sealed(3).await;

    let answer = api.get(&format!("/api/registers/{register}")).await;

    let body = answer.assert_ok();
    assert_eq!((&body["name"], &body["description"]), (&json!("orders"), &json!("what was ordered")));
    assert!(body["genesis"].as_str().unwrap().starts_with(&register.to_string()));
    assert_eq!((&body["head"]["number"], &body["first"], &body["transactions"]), (&json!(1), &json!(0), &json!(4)));
    assert_eq!((&body["sealers"]["majority"], &body["policy"]["quorum"]), (&json!(1), &json!("StrictMajority")));
    assert!(body.get("replica").is_none(), "nobody follows it here: {body}");
}

#[tokio::test]
async fn dockets_are_read_page_by_page_and_one_by_one() {
    let Sealed { api, register, transactions } = sealed(3).await;

    let first = api.get(&format!("/api/registers/{register}/dockets?limit=1")).await.assert_ok().clone();
    assert_eq!((first["dockets"].as_array().unwrap().len(), &first["next"]), (1, &json!(1)));
    let rest = api.get(&format!("/api/registers/{register}/dockets?from=1")).await.assert_ok().clone();
    assert_eq!((&rest["dockets"][0]["number"], &rest["next"]), (&json!(1), &json!(null)));
    assert_eq!(rest["dockets"][0]["previous"], first["dockets"][0]["hash"]);

    let one = api.get(&format!("/api/registers/{register}/dockets/1")).await.assert_ok().clone();
    let ids: Vec<_> = transactions.iter().map(|transaction| transaction.id().to_string()).collect();
    assert_eq!(one["transactions"], json!(ids));
    let header = STANDARD.decode(one["encoded"].as_str().unwrap()).unwrap();
    assert_eq!(one["hash"], json!(hex::encode(sha256(&header))));
}

#[tokio::test]
async fn a_proof_holds_for_whoever_hashes_it() {
    let Sealed { api, register, transactions } = sealed(5).await;
    let wanted = &transactions[3];

    let answer = api.get(&format!("/api/registers/{register}/transactions/{}/proof", wanted.id())).await;

    let body = answer.assert_ok();
    let leaf = LeafHash::of(&[wanted.id().as_bytes(), wanted.signature().as_bytes()]);
    assert_eq!((&body["leaf"], &body["position"], &body["size"]), (&json!(leaf.to_string()), &json!(3), &json!(5)));
    let leaves = transactions.iter().map(|one| LeafHash::of(&[one.id().as_bytes(), one.signature().as_bytes()]));
    let leaves: Vec<_> = leaves.collect();
    let expected: Vec<_> = InclusionProof::of(3, &leaves).unwrap().path().iter().map(hex::encode).collect();
    assert_eq!(body["path"], json!(expected));
    assert_eq!(body["docket"]["transactionsRoot"], json!(merkle_root(leaves).to_string()));
}

#[tokio::test]
async fn a_committed_transaction_that_gossip_never_brought_is_read_from_its_docket() {
    let Sealed { api, register, transactions } = sealed(2).await;

    let answer = api.get(&format!("/api/registers/{register}/transactions/{}", transactions[1].id())).await;

    let body = answer.assert_ok();
    assert_eq!((&body["status"], &body["committed"]), (&json!("committed"), &json!({"docket": 1, "position": 1})));
    assert_eq!((&body["payloads"][0]["size"], &body["origin"]), (&json!(1), &json!(null)));
}

#[tokio::test]
async fn what_is_accepted_and_in_no_docket_is_pending() {
    let api = Api::new().await;
    let path = format!("/api/registers/{REGISTER}/transactions");
    let accepted = api.post(&path, &json!({"payloads": [{"text": "x"}]})).await;
    let id = accepted.body["transactionId"].as_str().unwrap();

    let body = api.get(&format!("{path}/{id}")).await.assert_ok().clone();
    assert_eq!((&body["status"], body.get("committed")), (&json!("pending"), None));
    api.get(&format!("{path}/{id}/proof")).await.assert_refused(404, "not_committed");
}

#[tokio::test]
async fn whoever_waits_for_committed_hears_the_docket() {
    let Sealed { api, register, transactions } = sealed(1).await;
    let path = format!("/api/registers/{register}/transactions?ack=committed");

    let answer = api.post(&path, &json!({"signed": STANDARD.encode(transactions[0].encoded())})).await;

    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body["committed"], json!({"docket": 1, "position": 0}));
    api.post(&path.replace("committed", "certified"), &json!({})).await.assert_refused(400, "query_invalid");
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let Sealed { api, register, .. } = sealed(1).await;
    api.get(&format!("/api/registers/{REGISTER}")).await.assert_refused(404, "nothing_committed");
    api.get(&format!("/api/registers/{register}/dockets/2")).await.assert_refused(404, "docket_unknown");
    api.get(&format!("/api/registers/{register}/dockets/two")).await.assert_refused(400, "docket_invalid");
    api.get(&format!("/api/registers/{register}/dockets?limit=0")).await.assert_refused(400, "query_invalid");
    api.get("/api/registers/orders").await.assert_refused(400, "register_invalid");
}

#[tokio::test]
async fn beginning_a_register_wants_a_writer_readable_fields_and_sealers() {
    let api = Api::new().await;
    api.call_as("reader", "POST", "/api/registers", "{}").await.assert_refused(403, "role_required");
    let path = "/api/registers";
    assert!(api.post(path, &json!({})).await.assert_refused(400, "json_invalid").contains("name"));
    let body = json!({"name": "orders", "colour": 1});
    assert!(api.post(path, &body).await.assert_refused(400, "json_invalid").contains("colour"));
    let body = json!({"name": "orders", "authority": "00"});
    assert!(api.post(path, &body).await.assert_refused(400, "authority_invalid").contains("64 hex digits"));
    api.post(path, &json!({"name": "orders"})).await.assert_refused(503, "no_sealers");
}
