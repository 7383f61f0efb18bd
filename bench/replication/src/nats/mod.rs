//! NATS JetStream: a stream in files on one server, and mirrors of it on others, which reach it by leaf connections.
//!
//! ```text
//!  corpus ─ publish ─▶ source: stream `BENCH` ── leaf connection, TCP ──▶ copy: mirror ─ consumer ─▶ compared
//! ```
//!
//! Its own defaults: what is written is synced to the disk every two minutes, messages are not checked beyond the checksum
//! of each record, and the connection is plain.

mod client;
mod jetstream;
mod servers;

use crate::{
    corpus::Corpus,
    plan::{Case, Outcome, Plan},
    quantile,
};
use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use client::{Client, Message};
use jetstream::{MIRROR, STREAM, SUBJECT};
use servers::Servers;
use std::{
    thread,
    time::{Duration, Instant, SystemTime},
};
use tokio::runtime::Builder;

/// Messages that are published before it is looked whether the server has them.
const TOGETHER: u64 = 20_000;
/// How often a mirror is asked how far it is.
const LOOK: Duration = Duration::from_millis(10);
/// A stream is there within this time.
const PATIENCE: Duration = Duration::from_secs(3_600);
/// What was published may take so long to arrive.
const GRACE: Duration = Duration::from_secs(10);
/// Live: messages a second, published a hundred at a time.
const LIVE: u32 = 10_000;
const LIVE_TOGETHER: u32 = 100;

pub(crate) fn run(plan: &Plan) -> Result<Outcome> {
    match plan.case {
        Case::Stream | Case::Three => replicate(plan, false),
        Case::Cold => replicate(plan, true),
        Case::Live => live(plan),
        _ => plan.not_done(),
    }
}

/// The stream is there; then it is mirrored. With `cold`, the copy's server starts as well.
fn replicate(plan: &Plan, cold: bool) -> Result<Outcome> {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let corpus = Corpus::open(&runtime, &plan.corpus)?;
    let mut servers = Servers::start(&plan.folder, if cold { 0 } else { plan.case.replicas() })?;
    let mut source = Client::connect(servers.source())?;
    jetstream::create_stream(&mut source)?;
    let mut published = 0;
    corpus.each(|transactions| {
        for (_, bytes) in transactions {
            source.publish(SUBJECT, bytes)?;
        }
        let before = published / TOGETHER;
        published += transactions.len() as u64;
        if published / TOGETHER > before { wait(&mut source, STREAM, published) } else { Ok(()) }
    })?;
    wait(&mut source, STREAM, published)?;

    let began = Instant::now();
    if cold {
        servers.add_copy()?;
    }
    let starting_seconds = began.elapsed().as_secs_f64();
    let mut copies = Vec::new();
    for address in servers.copies() {
        let mut copy = Client::connect(address)?;
        jetstream::create_mirror(&mut copy)?;
        copies.push(copy);
    }
    for copy in &mut copies {
        wait(copy, MIRROR, published)?;
    }
    let seconds = began.elapsed().as_secs_f64();
    for (number, copy) in copies.iter_mut().enumerate() {
        check(&corpus, copy, number)?;
    }
    corpus.close()?;
    let transactions = published * copies.len() as u64;
    Ok(Outcome { transactions, seconds, starting_seconds, ..Outcome::default() })
}

/// Returns when a stream has so many messages.
fn wait(client: &mut Client, stream: &str, messages: u64) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while jetstream::messages(client, stream)? < messages {
        ensure!(Instant::now() < deadline, "{stream} does not get {messages} messages");
        thread::sleep(LOOK);
    }
    Ok(())
}

/// What a consumer of the mirror is given is the corpus, in its order.
fn check(corpus: &Corpus<'_>, copy: &mut Client, number: usize) -> Result<()> {
    let delivered = jetstream::consume(copy, MIRROR, number)?;
    corpus.each(|transactions| {
        for (id, bytes) in transactions {
            let message = copy.next_of(delivered, GRACE)?;
            ensure!(message.payload == *bytes, "the mirror has something else where {id} should be");
        }
        Ok(())
    })
}

/// Published at a rate; from when the source has stored each until a consumer of the mirror has it.
fn live(plan: &Plan) -> Result<Outcome> {
    let servers = Servers::start(&plan.folder, 1)?;
    let mut source = Client::connect(servers.source())?;
    jetstream::create_stream(&mut source)?;
    let mut copy = Client::connect(*servers.copies().first().context("no copy")?)?;
    jetstream::create_mirror(&mut copy)?;
    let delivered = jetstream::consume(&mut copy, MIRROR, 0)?;
    // Until the mirror is connected, nothing is measured.
    source.publish(SUBJECT, &Bytes::from_static(&[0; crate::chain::TRANSACTION_BYTES]))?;
    source.flush()?;
    copy.next_of(delivered, PATIENCE)?;

    let count = u32::from(plan.seconds) * LIVE;
    let began = Instant::now();
    let publishing = thread::spawn(move || -> Result<Duration> {
        let payload = Bytes::from(peerwright_bench_load::payload(1, crate::chain::TRANSACTION_BYTES));
        for number in 0..count {
            if number % LIVE_TOGETHER == 0 {
                source.flush_out()?;
                let due = began + Duration::from_secs(1) * number / LIVE;
                if let Some(early) = due.checked_duration_since(Instant::now()) {
                    thread::sleep(early);
                }
            }
            source.publish(SUBJECT, &payload)?;
        }
        source.flush()?;
        Ok(began.elapsed())
    });
    let mut lags = Vec::new();
    for _ in 0..count {
        let message = copy.next_of(delivered, GRACE)?;
        lags.push(since_stored(&message).context("a message does not tell when it was stored")?);
    }
    let fed = publishing.join().map_err(|_| anyhow::anyhow!("publishing failed"))??;
    Ok(Outcome {
        transactions: count.into(),
        seconds: fed.as_secs_f64(),
        p50_millis: quantile::millis(&mut lags, 500),
        p99_millis: quantile::millis(&mut lags, 990),
        note: "100 messages every 10 ms".to_owned(),
        ..Outcome::default()
    })
}

/// The subject for acknowledgements tells when the source has stored a message:
/// `$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.<sequence>.<nanoseconds>.<pending>`.
fn since_stored(message: &Message) -> Option<Duration> {
    let nanoseconds: u64 = message.reply.as_deref()?.rsplit('.').nth(1)?.parse().ok()?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(now.saturating_sub(Duration::from_nanos(nanoseconds)))
}
