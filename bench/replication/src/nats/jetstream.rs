//! The requests of JetStream that the bench makes.

use super::client::Client;
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::{
    thread,
    time::{Duration, Instant},
};

/// The stream, what is published to it, and its mirror.
pub(super) const STREAM: &str = "BENCH";
pub(super) const SUBJECT: &str = "bench.transaction";
pub(super) const MIRROR: &str = "COPY";
/// Where consumed messages come, with the number of the copy behind it: the servers are connected, and what one of them
/// delivers would reach whoever listens at another.
const DELIVERED: &str = "_INBOX.delivered";
/// Servers that have just started answer within this time.
const ANSWERING: Duration = Duration::from_secs(20);

pub(super) fn create_stream(client: &mut Client) -> Result<()> {
    create(client, STREAM, &json!({ "name": STREAM, "subjects": [SUBJECT], "storage": "file", "num_replicas": 1 }))
}

pub(super) fn create_mirror(client: &mut Client) -> Result<()> {
    let mirror = json!({ "name": STREAM, "external": { "api": "$JS.source.API" } });
    create(client, MIRROR, &json!({ "name": MIRROR, "storage": "file", "num_replicas": 1, "mirror": mirror }))
}

/// JetStream begins a moment after its server listens: asked again until then.
fn create(client: &mut Client, name: &str, configuration: &Value) -> Result<()> {
    let deadline = Instant::now() + ANSWERING;
    loop {
        match ask(client, &format!("$JS.API.STREAM.CREATE.{name}"), configuration) {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// How many messages a stream has.
pub(super) fn messages(client: &mut Client, stream: &str) -> Result<u64> {
    let answer = ask(client, &format!("$JS.API.STREAM.INFO.{stream}"), &Value::Null)?;
    answer.pointer("/state/messages").and_then(Value::as_u64).with_context(|| format!("no state in {answer}"))
}

/// Has the server send all messages of a stream as fast as it can; the subscription with which they come.
pub(super) fn consume(client: &mut Client, stream: &str, copy: usize) -> Result<u32> {
    let delivered = format!("{DELIVERED}.{copy}");
    let subscription = client.subscribe(&delivered)?;
    let config = json!({ "deliver_subject": delivered, "deliver_policy": "all", "ack_policy": "none", "replay_policy": "instant" });
    let request = json!({ "stream_name": stream, "config": config });
    ask(client, &format!("$JS.API.CONSUMER.CREATE.{stream}"), &request)?;
    Ok(subscription)
}

fn ask(client: &mut Client, subject: &str, request: &Value) -> Result<Value> {
    let request = if request.is_null() { Vec::new() } else { serde_json::to_vec(request)? };
    let answer: Value = serde_json::from_slice(&client.request(subject, request.into())?)?;
    match answer.get("error") {
        None => Ok(answer),
        Some(error) => bail!("{subject}: {error}"),
    }
}
