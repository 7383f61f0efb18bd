//! 64 clients hand in transactions that their authors signed, by TLS: by REST, each the next when the last is acknowledged,
//! or by a stream of gRPC each. What is acknowledged is checked and on the disk.

use super::{
    client::{self, Client},
    committed::{self, Sealed},
    stream::{StreamClient, UNDER_WAY},
    threads,
};
use crate::{
    plan::{Outcome, Plan},
    quantile,
};
use anyhow::Result;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::future::try_join_all;
use std::{
    collections::VecDeque,
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
    time::sleep,
};

/// Clients at once.
pub(crate) const CLIENTS: usize = 64;
/// Transactions of a batch: the most that REST takes.
pub(crate) const BATCH: usize = 64;
/// A client whose transactions are refused, for too much waits to be sealed, tries the next after this.
const REFUSED_FOR: Duration = Duration::from_millis(10);
/// No more than so many transactions a second are made ready, one by one and in batches or streams.
const READY: [u64; 2] = [24_000, 60_000];

/// What is ready to be handed in.
type Ready<T> = Arc<Mutex<VecDeque<T>>>;

/// What the clients have seen.
#[derive(Default)]
struct Seen {
    accepted: u64,
    refused: u64,
    latencies: Vec<Duration>,
}

/// By REST, so many transactions in each request.
pub(super) fn post(plan: &Plan, batch: usize) -> Result<Outcome> {
    let sealed = committed::begin(plan)?;
    let [single, batched] = READY;
    let rate = if batch == 1 { single } else { batched };
    let transactions = sealed.transactions(rate * u64::from(plan.seconds))?;
    let bodies = transactions
        .chunks(batch)
        .map(|chunk| (chunk.len(), body(chunk.iter().map(|transaction| transaction.encoded().as_ref()))));
    let bodies = Arc::new(Mutex::new(bodies.collect()));
    let path = format!("/api/registers/{}/transactions", sealed.register);
    let (address, config) = (sealed.source.api_address(), client::config(&sealed.network.authority)?);
    let runtime = runtime()?;
    let clients = (0..CLIENTS).map(|_| Client::connect(address, config.clone()));
    let clients = runtime.block_on(try_join_all(clients))?;
    let end = Duration::from_secs(plan.seconds.into());
    measure(&sealed, &runtime, || {
        let begin = |client| tokio::spawn(by_posts(client, path.clone(), bodies.clone(), Instant::now() + end));
        clients.into_iter().map(begin).collect()
    })
}

/// By gRPC, a transaction in each request of a stream.
pub(super) fn stream(plan: &Plan) -> Result<Outcome> {
    let sealed = committed::begin(plan)?;
    let [_, rate] = READY;
    let transactions = sealed.transactions(rate * u64::from(plan.seconds))?;
    let transactions = transactions.iter().map(|transaction| transaction.encoded().clone()).collect();
    let transactions = Arc::new(Mutex::new(transactions));
    let address = sealed.source.peer_address();
    let runtime = runtime()?;
    let clients = (0..CLIENTS).map(|number| StreamClient::connect(&sealed.network, number, address, sealed.register));
    let clients = runtime.block_on(try_join_all(clients))?;
    let end = Duration::from_secs(plan.seconds.into());
    measure(&sealed, &runtime, || {
        let begin = |client| tokio::spawn(by_stream(client, transactions.clone(), Instant::now() + end));
        clients.into_iter().map(begin).collect()
    })
}

fn runtime() -> Result<Runtime> {
    Ok(Builder::new_multi_thread().worker_threads(2).thread_name("clients").enable_all().build()?)
}

/// Waits for clients that begin now.
fn measure(
    sealed: &Sealed,
    runtime: &Runtime,
    clients: impl FnOnce() -> Vec<JoinHandle<Result<Seen>>>,
) -> Result<Outcome> {
    let (seen, seconds, processor) = runtime.block_on(async {
        let (used, began) = (threads::now(), Instant::now());
        let seen = try_join_all(clients()).await?.into_iter().collect::<Result<Vec<Seen>>>()?;
        anyhow::Ok((seen, began.elapsed().as_secs_f64(), threads::since(&used)))
    })?;
    let mut latencies: Vec<Duration> = seen.iter().flat_map(|seen| seen.latencies.iter().copied()).collect();
    let refused: u64 = seen.iter().map(|seen| seen.refused).sum();
    let sealed_dockets = sealed.source.certified(sealed.register)?;
    Ok(Outcome {
        transactions: seen.iter().map(|seen| seen.accepted).sum(),
        seconds,
        p50_millis: quantile::millis(&mut latencies, 500),
        p99_millis: quantile::millis(&mut latencies, 990),
        processor,
        note: format!("{refused} refused; the node seals meanwhile, {sealed_dockets} dockets"),
        ..Outcome::default()
    })
}

/// Hands in what is ready until the time is over; what is refused counts, and is left.
async fn by_posts(mut client: Client, path: String, bodies: Ready<(usize, Vec<u8>)>, end: Instant) -> Result<Seen> {
    let mut seen = Seen::default();
    while Instant::now() < end {
        let Some((count, body)) = next(&bodies) else { break };
        let began = Instant::now();
        let status = client.post(&path, &body).await?;
        if matches!(status, 200 | 202) {
            seen.accepted += count as u64;
            seen.latencies.push(began.elapsed());
        } else {
            seen.refused += count as u64;
            sleep(REFUSED_FOR).await;
        }
    }
    Ok(seen)
}

/// The same by a stream, which is kept full.
async fn by_stream(mut client: StreamClient, transactions: Ready<Bytes>, end: Instant) -> Result<Seen> {
    let (mut seen, mut sent) = (Seen::default(), VecDeque::new());
    loop {
        while sent.len() < UNDER_WAY && Instant::now() < end {
            let Some(transaction) = next(&transactions) else { break };
            client.send(transaction).await?;
            sent.push_back(Instant::now());
        }
        let Some(began) = sent.pop_front() else { return Ok(seen) };
        if client.is_taken().await? {
            seen.accepted += 1;
            seen.latencies.push(began.elapsed());
        } else {
            seen.refused += 1;
            sleep(REFUSED_FOR).await;
        }
    }
}

fn next<T>(ready: &Ready<T>) -> Option<T> {
    ready.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

/// One transaction alone, several as a list.
fn body<'t>(transactions: impl ExactSizeIterator<Item = &'t [u8]>) -> Vec<u8> {
    let is_batch = transactions.len() > 1;
    let mut text = String::new();
    for (number, transaction) in transactions.enumerate() {
        let separator = if number > 0 { "," } else { "" };
        // Writing to a string does not fail.
        let _ = write!(text, "{separator}{{\"signed\":\"{}\"}}", STANDARD.encode(transaction));
    }
    if is_batch { format!("[{text}]").into_bytes() } else { text.into_bytes() }
}

#[cfg(test)]
mod tests {
    use super::body;

    #[test]
    fn one_stands_alone_and_several_are_a_list() {
        assert_eq!(body([&b"a"[..]].into_iter()), br#"{"signed":"YQ=="}"#);
        assert_eq!(body([&b"a"[..], b"b"].into_iter()), br#"[{"signed":"YQ=="},{"signed":"Yg=="}]"#);
    }
}
