//! Port 5000 for those who hand in and follow.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{
    registers::{begin, begin_like, committed, hand_in, orders, sealed},
    strangers::{dial, origin},
};
use crate::{
    RunningNode,
    api::Node,
    dev::Authority,
    testing::{authority, eventually, kill, transaction_in},
    transport::HttpConnection,
};
use bytes::Bytes;
use peerwright_ledger::{DocketHeader, RegisterId, Transaction, TransactionView};
use peerwright_proto::v1::{
    GetTransactionRequest, SubmitAcknowledgement, SubmitRequest, TailFilter, TailRequest, TailResponse,
    get_transaction_response::State, registers_client::RegistersClient, submit_result::Outcome, tail_response::Kind,
};
use peerwright_store::DeadLetter;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;
use tonic::{Code, Streaming};

async fn client(authority: &Authority, node: &RunningNode) -> RegistersClient<HttpConnection> {
    RegistersClient::with_origin(dial(node, authority, "demo-peer-9").await.unwrap().connection, origin())
}

fn id_of(register: RegisterId) -> Bytes {
    Bytes::copy_from_slice(register.as_bytes())
}

/// A sealer and a node that follows it, and a register.
async fn network(authority: &Arc<Authority>) -> (Vec<RunningNode>, RegisterId) {
    let nodes = sealed(authority, 2, 1).await;
    let register = begin(authority, &nodes).await;
    let first = hand_in(&nodes[1], register, "first").await;
    eventually("it is committed", async || committed(&nodes[1], register, first).await).await;
    (nodes, register)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_a_thousand_is_committed_and_answered_in_order() {
    let authority = authority();
    let (nodes, register) = network(&authority).await;
    let mut client = client(&authority, &nodes[1]).await;
    let transactions: Vec<Transaction> =
        (0..1_000).map(|number| transaction_in(nodes[1].handle(), register, &number.to_string())).collect();
    let request = |chunk: &[Transaction]| SubmitRequest {
        register_id: id_of(register),
        transactions: chunk.iter().map(|transaction| transaction.encoded().clone()).collect(),
        acknowledgement: SubmitAcknowledgement::Committed.into(),
    };
    let requests: Vec<SubmitRequest> = transactions.chunks(20).map(request).collect();

    let mut answers = client.submit_stream(tokio_stream::iter(requests)).await.unwrap().into_inner();

    let mut answered = Vec::new();
    while let Some(response) = answers.message().await.unwrap() {
        answered.extend(response.results);
    }
    let ids: Vec<Bytes> = answered.iter().map(|result| result.transaction_id.clone()).collect();
    let expected: Vec<Bytes> = transactions.iter().map(|one| Bytes::copy_from_slice(one.id().as_bytes())).collect();
    assert_eq!(ids, expected);
    for (result, transaction) in answered.iter().zip(&transactions) {
        assert_eq!(result.outcome(), Outcome::Committed, "{result:?}");
        let store = &nodes[1].handle().registers.store;
        let docket = result.committed.unwrap().docket;
        let ids = store.transaction_ids(register, docket, 1).await.unwrap().remove(0).transactions;
        assert_eq!(ids[usize::try_from(result.committed.unwrap().position).unwrap()], transaction.id());
    }
}

/// Hands something in and waits for the node's answer whether it is committed.
async fn wait_for_commit(authority: &Authority, node: &RunningNode, register: RegisterId) -> JoinHandle<Outcome> {
    let mut client = client(authority, node).await;
    let transaction = transaction_in(node.handle(), register, "waited for");
    let request = SubmitRequest {
        register_id: id_of(register),
        transactions: vec![transaction.encoded().clone()],
        acknowledgement: SubmitAcknowledgement::Committed.into(),
    };
    let answer = tokio::spawn(async move {
        let mut answers = client.submit_stream(tokio_stream::iter([request])).await.unwrap().into_inner();
        answers.message().await.unwrap().unwrap().results[0].outcome()
    });
    eventually("the answer waits for a docket", async || node.handle().registers.waiters_of(register)).await;
    answer
}

/// What an orderly end takes at most, and more than it takes when a client waits.
const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_commit_at_a_node_that_ends_hears_of_it() {
    let authority = authority();
    let mut nodes = sealed(&authority, 2, 1).await;
    let mut slow = orders();
    slow.policy.build_interval_millis = 1_000;
    let register = begin_like(&authority, &nodes, &slow).await;
    let first = hand_in(&nodes[1], register, "first").await;
    eventually("it is committed", async || committed(&nodes[1], register, first).await).await;

    let answer = wait_for_commit(&authority, &nodes[1], register).await;
    nodes.remove(1).drain(LIMIT).await;

    assert_eq!(answer.await.unwrap(), Outcome::Committed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_ends_in_time_though_a_client_waits_for_a_commit_that_does_not_come() {
    let authority = authority();
    let (mut nodes, register) = network(&authority).await;
    kill(nodes.remove(0)).await;
    let answer = wait_for_commit(&authority, &nodes[0], register).await;

    let began = Instant::now();
    nodes.remove(0).drain(LIMIT).await;

    assert!(began.elapsed() < LIMIT / 2, "{:?}", began.elapsed());
    assert_eq!(answer.await.unwrap(), Outcome::Accepted);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_a_request_is_answered_on_its_own_and_a_request_that_is_none_ends_the_stream() {
    let authority = authority();
    let (nodes, register) = network(&authority).await;
    let mut client = client(&authority, &nodes[1]).await;
    let node = nodes[1].handle();
    let good: Vec<_> = (0..4).map(|number| transaction_in(node, register, &format!("good {number}"))).collect();
    let mut forged = transaction_in(node, register, "forged").encoded().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let other = transaction_in(node, RegisterId::from_bytes([3; 16]), "elsewhere");
    let mut transactions: Vec<Bytes> = good.iter().map(|one| one.encoded().clone()).collect();
    transactions.insert(1, forged.into());
    transactions.insert(3, "rubbish".into());
    transactions.push(other.encoded().clone());
    // Again, as after a connection that broke.
    transactions.push(good[0].encoded().clone());
    let whole = SubmitRequest { register_id: id_of(register), transactions, acknowledgement: 0 };
    let none = SubmitRequest { register_id: Bytes::new(), ..whole.clone() };

    let mut answers =
        client.submit_stream(tokio_stream::iter([whole.clone(), none, whole])).await.unwrap().into_inner();

    let results = answers.message().await.unwrap().unwrap().results;
    let codes: Vec<&str> = results.iter().map(|result| result.reason.as_str()).collect();
    assert_eq!(codes, ["", "signature_invalid", "", "malformed", "", "", "other_register", ""]);
    assert_eq!(results.iter().filter(|result| result.outcome() == Outcome::Accepted).count(), 5);
    assert_eq!(answers.message().await.unwrap_err().code(), Code::InvalidArgument);
    assert!(answers.message().await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_says_what_has_become_of_it() {
    let authority = authority();
    let (nodes, register) = network(&authority).await;
    let mut client = client(&authority, &nodes[1]).await;
    let node = nodes[1].handle();
    let sent = hand_in(&nodes[1], register, "sent").await;
    eventually("it is committed", async || committed(&nodes[1], register, sent).await).await;
    let ask = |id: peerwright_ledger::TransactionId| GetTransactionRequest {
        register_id: id_of(register),
        transaction_id: Bytes::copy_from_slice(id.as_bytes()),
    };

    let found = client.get_transaction(ask(sent)).await.unwrap().into_inner();
    assert_eq!(found.state(), State::Committed);
    assert!(found.committed.is_some_and(|place| place.docket > 0));

    // What gossip has brought is gone, and the docket is there.
    node.store.purge(register).await.unwrap();
    let found = client.get_transaction(ask(sent)).await.unwrap().into_inner();
    assert_eq!((found.state(), TransactionView::read(&found.transaction).unwrap().id()), (State::Committed, sent));

    let pending = transaction_in(node, crate::testing::REGISTER, "pending");
    node.submit(pending.clone()).await.unwrap();
    let ask = GetTransactionRequest { register_id: id_of(crate::testing::REGISTER), ..ask(pending.id()) };
    let found = client.get_transaction(ask.clone()).await.unwrap().into_inner();
    assert_eq!((found.state(), found.committed), (State::Pending, None));
    for (reason, state, said) in
        [("control_refused", State::Refused, "control_refused"), ("expired", State::Expired, "")]
    {
        let letter =
            DeadLetter { register: crate::testing::REGISTER, id: pending.id(), reason: reason.to_owned(), died_at: 1 };
        node.store.bury(vec![letter]).await.unwrap();
        let found = client.get_transaction(ask.clone()).await.unwrap().into_inner();
        assert_eq!((found.state(), found.reason.as_str()), (state, said));
    }
}

async fn next(messages: &mut Streaming<TailResponse>) -> Kind {
    messages.message().await.unwrap().unwrap().kind.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_follows_what_it_asks_for_with_proofs_until_the_node_stops() {
    let authority = authority();
    let (nodes, register) = network(&authority).await;
    let mut client = client(&authority, &nodes[1]).await;
    let author = hex::encode(nodes[1].handle().identity.public_key.as_bytes());
    let filter = TailFilter { sender: author, r#type: "Action".to_owned(), ..TailFilter::default() };
    let request = TailRequest { register_id: id_of(register), from: Some(0), filter: Some(filter) };

    let mut messages = client.tail(request.clone()).await.unwrap().into_inner();

    let Kind::Held(held) = next(&mut messages).await else { panic!("the first message") };
    assert_eq!((held.first, held.through), (0, 1));
    let sent = hand_in(&nodes[1], register, "live").await;
    let mut found = None;
    for number in 0.. {
        let Kind::Docket(docket) = next(&mut messages).await else { panic!("a docket") };
        let header = DocketHeader::decode(&docket.header).unwrap();
        assert_eq!((header.number, docket.more), (number, false));
        for one in docket.transactions {
            let mut encoded = peerwright_encoding::Writer::new();
            encoded.u64(one.position.into()).u64(header.transaction_count.into());
            let path: Vec<[u8; 32]> = one.path.iter().map(|hash| hash.as_ref().try_into().unwrap()).collect();
            encoded.list(&path, |writer, hash| {
                writer.raw(hash);
            });
            let encoded = encoded.finish();
            let proof = peerwright_ledger::InclusionProof::read(&mut peerwright_encoding::Reader::new(&encoded));
            found = header.holds_transaction(&one.transaction, &proof.unwrap()).unwrap();
            assert!(found.is_some(), "the proof holds");
        }
        if found == Some(sent) {
            break;
        }
    }

    nodes[1].handle().registers.followers.end();
    let ended = messages.message().await.unwrap_err();
    assert_eq!((ended.code(), ended.message().starts_with("draining")), (Code::Unavailable, true));
    let odd = TailFilter { r#type: "action".to_owned(), ..TailFilter::default() };
    let odd = client.tail(TailRequest { filter: Some(odd), ..request.clone() }).await.unwrap_err();
    assert_eq!(odd.code(), Code::InvalidArgument);
    let unknown = TailRequest { register_id: id_of(RegisterId::from_bytes([3; 16])), ..request };
    assert_eq!(client.tail(unknown).await.unwrap_err().code(), Code::NotFound);
}
