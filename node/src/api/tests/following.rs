//! Following a register by server-sent events.

use super::{
    Api,
    dockets::{Sealed, sealed},
    node::REGISTER,
};
use crate::{
    api::{Node, router},
    registers::MAX_FOLLOWERS_OF_ONE,
};
use axum::{
    body::Body,
    http::{HeaderMap, Request, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http_body_util::BodyExt;
use peerwright_ledger::{DocketHeader, LeafHash, TransactionView};
use peerwright_snapshot::Role;
use serde_json::{Value, json};
use tower::ServiceExt;

/// The events of an answer, as they come.
struct Events {
    body: Body,
    text: String,
}

/// One of them.
#[derive(Debug, PartialEq)]
struct Received {
    name: String,
    id: Option<u64>,
    data: Value,
}

impl Events {
    async fn next(&mut self) -> Option<Received> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                let name = field("event").unwrap().to_owned();
                let id = field("id").map(|id| id.parse().unwrap());
                return Some(Received { name, id, data: serde_json::from_str(field("data").unwrap()).unwrap() });
            }
            let frame = self.body.frame().await?.unwrap().into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&frame).unwrap());
        }
    }

    async fn dockets(&mut self, count: usize) -> Vec<Received> {
        let mut dockets = Vec::new();
        while dockets.len() < count {
            let event = self.next().await.unwrap();
            assert_eq!((event.name.as_str(), event.id), ("docket", event.data["number"].as_u64()));
            dockets.push(event);
        }
        dockets
    }
}

async fn open(api: &Api, path: &str, last: Option<u64>) -> Response<Body> {
    let request = Request::get(path).header("authorization", format!("Bearer {}", api.issuer.token("reader")));
    let request = match last {
        Some(last) => request.header("last-event-id", last.to_string()),
        None => request,
    };
    router(api.state.clone()).oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn follow(api: &Api, path: &str, last: Option<u64>) -> Events {
    let response = open(api, path, last).await;
    assert_eq!(response.status(), 200);
    assert_eq!(content_type(response.headers()), "text/event-stream");
    let mut events = Events { body: response.into_body(), text: String::new() };
    let held = events.next().await.unwrap();
    assert_eq!((held.name.as_str(), held.id, &held.data["first"]), ("held", None, &json!(0)));
    events
}

fn content_type(headers: &HeaderMap) -> &str {
    headers["content-type"].to_str().unwrap()
}

fn path(register: &impl ToString, query: &str) -> String {
    format!("/api/registers/{}/follow{query}", register.to_string())
}

#[tokio::test]
async fn who_follows_sees_each_docket_once_also_after_connecting_again() {
    let mut sealed = sealed(3).await;
    let api = sealed.api.clone();
    let mut events = follow(&api, &path(&sealed.register, "?from=0"), None).await;
    let mut seen: Vec<_> = events.dockets(2).await.into_iter().map(|event| event.id.unwrap()).collect();
    assert_eq!(seen, [0, 1]);

    sealed.seal(&[sealed.entry("live")]).await;
    let live = events.dockets(1).await.remove(0);
    seen.extend(live.id);
    let whole = &live.data["transactions"][0];
    assert_eq!(whole.get("path"), None, "without a filter all leaves are there");
    drop(events);
    sealed.seal(&[sealed.entry("meanwhile")]).await;

    // A browser connects again with the query that it began with.
    let mut events = follow(&api, &path(&sealed.register, "?from=0"), seen.last().copied()).await;
    sealed.seal(&[sealed.entry("later")]).await;
    seen.extend(events.dockets(2).await.into_iter().filter_map(|event| event.id));

    assert_eq!(seen, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn who_names_no_docket_follows_what_comes_from_now_on() {
    let mut sealed = sealed(3).await;
    let api = sealed.api.clone();
    let mut events = follow(&api, &path(&sealed.register, ""), None).await;
    sealed.seal(&[sealed.entry("new")]).await;
    assert_eq!(events.dockets(1).await[0].id, Some(2));
}

#[tokio::test]
async fn what_a_filter_lets_through_is_proven_to_be_in_its_docket() {
    let Sealed { api, register, transactions, .. } = sealed(5).await;
    let author = hex::encode(transactions[0].body().author.as_bytes());
    let query = format!("?from=0&type=Action&sender={author}");
    let mut events = follow(&api, &path(&register, &query), None).await;

    let dockets = events.dockets(2).await;

    assert_eq!(dockets[0].data["transactions"], json!([]), "the genesis is a control transaction");
    let header = STANDARD.decode(dockets[1].data["encoded"].as_str().unwrap()).unwrap();
    let header = DocketHeader::decode(&header).unwrap();
    let rows = dockets[1].data["transactions"].as_array().unwrap();
    assert_eq!(rows.len(), 5);
    for row in rows {
        let signed = STANDARD.decode(row["signed"].as_str().unwrap()).unwrap();
        let view = TransactionView::read(&signed).unwrap();
        assert_eq!(row["transactionId"], json!(view.id().to_string()));
        let leaf = view.leaf(&view.id());
        let path = row["path"].as_array().unwrap().iter().map(|hash| hex::decode(hash.as_str().unwrap()).unwrap());
        let root = climb(leaf, row["position"].as_u64().unwrap(), header.transaction_count.into(), path);
        assert_eq!(root, *header.transactions_root.as_bytes());
    }

    let mut nobody = follow(&api, &path(&register, "?from=1&recipient=nobody"), None).await;
    assert_eq!(nobody.dockets(1).await[0].data["transactions"], json!([]));
}

/// RFC 9162, 2.1.3.2, as a client would write it.
fn climb(leaf: LeafHash, index: u64, size: u64, path: impl Iterator<Item = Vec<u8>>) -> [u8; 32] {
    let (mut place, mut last, mut node) = (index, size - 1, *leaf.as_bytes());
    let parent = |left: &[u8], right: &[u8]| peerwright_secure::sha256(&[&[1], left, right].concat());
    for beside in path {
        if place % 2 == 1 || place == last {
            node = parent(&beside, &node);
            while place % 2 == 0 && place != 0 {
                (place, last) = (place / 2, last / 2);
            }
        } else {
            node = parent(&node, &beside);
        }
        (place, last) = (place / 2, last / 2);
    }
    node
}

#[tokio::test]
async fn the_stream_says_why_it_ends() {
    let Sealed { api, register, .. } = sealed(1).await;
    let mut revoked = follow(&api, &path(&register, ""), None).await;
    api.node.change_snapshot(|content| {
        content.api.access.insert("reader".to_owned(), Role::None);
    });
    let end = revoked.next().await.unwrap();
    assert_eq!((end.name.as_str(), &end.data), ("end", &json!({"reason": "role_required"})));
    assert_eq!(revoked.next().await, None);

    api.node.change_snapshot(|content| {
        content.api.access.insert("reader".to_owned(), Role::Reader);
    });
    let mut stopped = follow(&api, &path(&register, ""), None).await;
    api.node.registers().followers.end();
    assert_eq!(stopped.next().await.unwrap().data, json!({"reason": "draining"}));
    assert_eq!(stopped.next().await, None);
}

#[tokio::test]
async fn what_cannot_be_followed_is_refused_before_it_begins() {
    let Sealed { api, register, .. } = sealed(1).await;
    api.get(&path(&REGISTER, "")).await.assert_refused(404, "nothing_committed");
    api.get(&path(&"orders", "")).await.assert_refused(400, "register_invalid");
    for query in ["?from=x", "?colour=red", "?type=action"] {
        api.get(&path(&register, query)).await.assert_refused(400, "query_invalid");
    }
    let request = Request::get(path(&register, "")).header("last-event-id", "x");
    let request = request.header("authorization", format!("Bearer {}", api.issuer.token("reader")));
    api.call(request.body(Body::empty()).unwrap()).await.assert_refused(400, "query_invalid");
    peerwright_store::DocketStore::trim(&*api.node.store, register, 1).await.unwrap();
    api.get(&path(&register, "?from=0")).await.assert_refused(410, "trimmed");
}

#[tokio::test]
async fn one_subject_has_its_share_of_followers_and_gives_it_back() {
    let Sealed { api, register, .. } = sealed(1).await;
    let mut all = Vec::new();
    for _ in 0..MAX_FOLLOWERS_OF_ONE {
        all.push(follow(&api, &path(&register, ""), None).await);
    }
    assert_eq!(api.node.registers().followers.count(), MAX_FOLLOWERS_OF_ONE);
    api.get(&path(&register, "")).await.assert_refused(429, "too_many_follows");

    all.pop();

    follow(&api, &path(&register, ""), None).await;
}
