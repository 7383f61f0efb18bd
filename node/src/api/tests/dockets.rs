//! Registers, dockets and proofs as REST shows them.

use super::{Api, node::REGISTER};
use crate::{
    api::Node,
    testing::{HOUR_MICROS, text_body},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use peerwright_ledger::{
    Attestation, Chain, CommitCertificate, Docket, GenesisRecord, InclusionProof, LeafHash, Proposal, RegisterId,
    RegisterPolicy, Role, SealedDocket, SealerSet, Transaction, TransactionView, Verify, merkle_root, seal_genesis,
};
use peerwright_secure::{NodeKey, Signature, sha256};
use peerwright_snapshot::Subscription;
use peerwright_store::{DocketStore, Extension, NewDocket, Store};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// A register of one sealer, whose docket 1 holds these transactions.
pub(super) struct Sealed {
    pub(super) api: Api,
    pub(super) register: RegisterId,
    pub(super) transactions: Vec<Transaction>,
    key: NodeKey,
    chain: Chain,
}

impl Sealed {
    /// One more docket, with these transactions.
    pub(super) async fn seal(&mut self, transactions: &[Transaction]) {
        let (register, now) = (self.register, crate::api::time::now_micros());
        let proposal = Proposal {
            time_micros: now,
            proposer: self.key.public(),
            transactions: transactions.iter().map(|transaction| transaction.encoded().clone()).collect(),
        };
        let next = certified(self.chain.seal(&proposal).unwrap(), &self.key);
        self.chain.extend(&next, Verify::EveryTransaction, now).unwrap();
        let extension = Extension { register, dockets: vec![stored(&next)], checkpoint: self.chain.encode() };
        self.api.node.store.extend(vec![extension]).await.unwrap();
        self.api.node.registers().advance(register, next.header.number + 1);
    }

    /// A transaction for the register that is in no docket.
    pub(super) fn entry(&self, text: &str) -> Transaction {
        entry(self.register, &self.key, text, crate::api::time::now_micros())
    }
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
    text_body(register, &author.public(), now..now + HOUR_MICROS, text.to_owned()).sign(author).unwrap()
}

pub(super) async fn sealed(count: usize) -> Sealed {
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
    let chain = Chain::begin(&genesis, now).unwrap();
    let extension = Extension { register, dockets: vec![stored(&genesis)], checkpoint: chain.encode() };
    api.node.store.extend(vec![extension]).await.unwrap();
    api.node.registers().advance(register, 1);
    api.node.change_snapshot(|content| {
        content.subscriptions.insert(*register.as_bytes(), Subscription::default());
    });
    let transactions: Vec<_> = (0..count).map(|number| entry(register, &key, &number.to_string(), now)).collect();
    let mut sealed = Sealed { api, register, transactions: transactions.clone(), key, chain };
    sealed.seal(&transactions).await;
    sealed
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
    let Sealed { api, register, transactions, .. } = sealed(3).await;

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
    let Sealed { api, register, transactions, .. } = sealed(5).await;
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
    let Sealed { api, register, transactions, .. } = sealed(2).await;

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
    let Sealed { api, register, transactions, .. } = sealed(1).await;
    let path = format!("/api/registers/{register}/transactions?ack=committed");

    let answer = api.post(&path, &json!({"signed": STANDARD.encode(transactions[0].encoded())})).await;

    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body["committed"], json!({"docket": 1, "position": 0}));
    api.post(&path.replace("committed", "certified"), &json!({})).await.assert_refused(400, "query_invalid");
}

#[tokio::test]
async fn whoever_waits_for_committed_is_woken_by_the_docket() {
    let mut sealed = sealed(1).await;
    let path = format!("/api/registers/{}/transactions?ack=committed", sealed.register);
    let batch = [sealed.entry("first"), sealed.entry("second")];
    let body = batch.iter().map(|one| json!({"signed": STANDARD.encode(one.encoded())})).collect::<Vec<_>>();
    let api = sealed.api.clone();
    let waiting = tokio::spawn(async move { api.post(&path, &json!(body)).await });
    let (store, register) = (sealed.api.node.store.clone(), sealed.register);
    for one in &batch {
        crate::testing::eventually("it is accepted", async || {
            store.transaction(register, one.id()).await.unwrap().is_some()
        })
        .await;
    }

    sealed.seal(&batch).await;

    let answer = waiting.await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    let places: Vec<_> = (0..2).map(|number| answer.body["results"][number]["committed"].clone()).collect();
    assert_eq!(places, [json!({"docket": 2, "position": 0}), json!({"docket": 2, "position": 1})]);
}

#[tokio::test]
async fn whoever_waits_for_committed_hears_that_the_sealers_refuse() {
    let sealed = sealed(1).await;
    let (register, refused) = (sealed.register, sealed.entry("refused"));
    let path = format!("/api/registers/{register}/transactions?ack=committed");
    let api = sealed.api.clone();
    let body = json!({"signed": STANDARD.encode(refused.encoded())});
    let waiting = tokio::spawn(async move { api.post(&path, &body).await });
    let registers = sealed.api.node.registers().clone();
    crate::testing::eventually("somebody waits", async || registers.waiters_of(register)).await;

    registers.tell_dead(register, refused.id(), "control_refused");

    waiting.await.unwrap().assert_refused(422, "sealers_refuse");
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

#[tokio::test]
async fn checkpoints_name_the_last_docket_of_each_register_whoever_it_comes_from() {
    let mut sealed = sealed(3).await;
    let source = peerwright_secure::PeerId::from_bytes([5; 32]);
    let api = sealed.api.clone();
    let checkpoint = async || api.get("/api/sync/checkpoints").await.assert_ok()[0].clone();
    let before = checkpoint().await;
    assert_eq!((&before["register"], &before["docket"]), (&json!(sealed.register.to_string()), &json!(1)));
    assert_eq!((&before["hash"], &before["source"]), (&json!(sealed.chain.head().hash.to_string()), &json!(null)));

    let standing = &api.node.registers().standing;
    standing.begin(sealed.register, peerwright_snapshot::ReplicaMode::FullReplica, 2);
    standing.heard(sealed.register, source, 3, 1);
    let more = [sealed.entry("more")];
    sealed.seal(&more).await;

    let after = checkpoint().await;
    assert_eq!((&after["docket"], &after["source"]), (&json!(2), &json!(source.to_string())));
    assert_eq!((&after["hash"], &after["state"]), (&json!(sealed.chain.head().hash.to_string()), &json!("Syncing")));
}
