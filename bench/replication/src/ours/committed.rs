//! Handed in until committed, the way that transactions take: accepted by a node that is the sealer, spread, sealed,
//! certified, stored. Rates are tried until one does not hold.

use super::{
    network::{Member, Network},
    threads,
};
use crate::{
    chain,
    plan::{Outcome, Plan},
    quantile,
};
use anyhow::{Context as _, Result, ensure};
use peerwright_bench_load::payload;
use peerwright_bench_report::say;
use peerwright_ledger::{RegisterId, RegisterPolicy, Transaction, TransactionId};
use peerwright_node::{
    api::Node as _,
    registers::{CreateRefused, NewRegister},
};
use peerwright_secure::NodeKey;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Transactions a second that are tried one after the other.
const RATES: [u64; 7] = [250, 500, 1_000, 2_500, 5_000, 10_000, 20_000];
/// What was handed in may take so long to be committed.
const GRACE: Duration = Duration::from_secs(5);
/// How often is looked at what is committed.
const LOOK: Duration = Duration::from_millis(1);
/// A register begins within this time.
const BEGINNING: Duration = Duration::from_secs(30);
const AUTHORS: u8 = 64;
/// Ids that are read at once.
const IDS: usize = 100_000;

/// A network in which the source seals, and its register.
pub(super) struct Sealed {
    pub(super) network: Network,
    pub(super) source: Member,
    pub(super) register: RegisterId,
    /// Follows it, and ends with it.
    _replica: Option<Member>,
}

pub(super) fn run(plan: &Plan) -> Result<Outcome> {
    let sealed = begin_followed(plan)?;
    let mut best = None;
    for rate in RATES {
        let outcome = sealed.at(rate, plan.seconds)?;
        say(format!("    {rate} a second: {}{}", outcome.note, outcome.processors()));
        let holds = outcome.transactions == rate * u64::from(plan.seconds)
            && outcome.p99_millis.is_some_and(|millis| millis <= 1_000.0);
        if !holds {
            break;
        }
        best = Some(outcome);
    }
    best.context("not even the lowest rate holds")
}

/// Starts a node that seals alone, and another that follows, and begins a register.
fn begin_followed(plan: &Plan) -> Result<Sealed> {
    let network = Network::new(&plan.folder)?;
    let source = network.source()?;
    let replica = network.replica(0, &source)?;
    for member in [&replica, &source] {
        member.settle(2)?;
    }
    let register = register(&network, &source, [&replica, &source])?;
    replica.catch_up(register, 0)?;
    Ok(Sealed { network, source, register, _replica: Some(replica) })
}

/// Starts a node that seals alone, and begins a register.
pub(super) fn begin(plan: &Plan) -> Result<Sealed> {
    let network = Network::new(&plan.folder)?;
    let source = network.source()?;
    let register = register(&network, &source, [&source])?;
    Ok(Sealed { network, source, register, _replica: None })
}

/// Begins a register that `source` seals and all of `members` hold.
fn register<const N: usize>(network: &Network, source: &Member, members: [&Member; N]) -> Result<RegisterId> {
    network.seal([source.handle().identity.peer_id].into(), members)?;
    let deadline = Instant::now() + BEGINNING;
    let register = loop {
        let new = NewRegister {
            name: "bench".to_owned(),
            description: String::new(),
            owner: "a bench".to_owned(),
            authority: None,
            policy: RegisterPolicy { build_interval_millis: 10, ..RegisterPolicy::default() },
        };
        match source.wait(source.handle().create_register(new)) {
            // The members are getting to know each other.
            Err(CreateRefused::NoSealers | CreateRefused::Unreached(_)) if Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(50));
            }
            begun => break begun?,
        }
    };
    network.subscribe(register, members)?;
    source.catch_up(register, 0)?;
    Ok(register)
}

impl Sealed {
    /// New transactions, signed by the authors in turns.
    pub(super) fn transactions(&self, count: u64) -> Result<Vec<Transaction>> {
        let authors: Vec<NodeKey> = (0..AUTHORS).map(|number| NodeKey::from_seed([100 + number; 32])).collect();
        let now = chain::now_micros();
        let overhead = chain::transaction(self.register, authors.first().context("no author")?, now, Vec::new())?;
        let payload_bytes = chain::TRANSACTION_BYTES.saturating_sub(overhead.encoded().len());
        let sign = |(number, author): (u64, &NodeKey)| {
            // Runs of one bench follow each other: no two have the same.
            chain::transaction(self.register, author, now, payload(now.wrapping_add(number), payload_bytes))
        };
        (0..count).zip(authors.iter().cycle()).map(sign).collect()
    }

    /// One rate.
    fn at(&self, rate: u64, seconds: u16) -> Result<Outcome> {
        let count = rate * u64::from(seconds);
        let transactions = self.transactions(count)?;
        let ids: BTreeMap<TransactionId, u64> = transactions.iter().map(Transaction::id).zip(0..).collect();
        let refused = Arc::new(AtomicU64::new(0));
        let from = self.source.certified(self.register)?;
        let (used, began) = (threads::now(), Instant::now());
        let runtime = self.source.runtime();
        let load = {
            let (handle, runtime, refused) = (self.source.handle().clone(), runtime.handle().clone(), refused.clone());
            thread::spawn(move || {
                for (number, transaction) in (0u64..).zip(transactions) {
                    if let Some(early) = due(began, number, rate).checked_duration_since(Instant::now()) {
                        thread::sleep(early);
                    }
                    let (handle, refused) = (handle.clone(), refused.clone());
                    runtime.spawn(async move {
                        if handle.submit(transaction).await.is_err() {
                            refused.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                }
            })
        };
        let mut latencies = self.watch(&ids, from, began, rate)?;
        let processor = threads::since(&used);
        load.join().map_err(|_| anyhow::anyhow!("the load failed"))?;
        let (p50, p99) = (quantile::millis(&mut latencies, 500), quantile::millis(&mut latencies, 990));
        let refused = refused.load(Ordering::Relaxed);
        let note = format!(
            "{} of {count} committed, {refused} refused, p50 {:.1} ms, p99 {:.1} ms",
            latencies.len(),
            p50.unwrap_or_default(),
            p99.unwrap_or_default()
        );
        let transactions = latencies.len() as u64;
        Ok(Outcome {
            transactions,
            seconds: f64::from(seconds),
            p50_millis: p50,
            p99_millis: p99,
            processor,
            note,
            ..Outcome::default()
        })
    }

    /// From when each was due until it was in a certified docket, as far as they are in time.
    fn watch(&self, ids: &BTreeMap<TransactionId, u64>, from: u64, began: Instant, rate: u64) -> Result<Vec<Duration>> {
        let (mut latencies, mut next) = (Vec::with_capacity(ids.len()), from);
        let end = due(began, ids.len() as u64, rate) + GRACE;
        while latencies.len() < ids.len() && Instant::now() < end {
            let certified = self.source.certified(self.register)?;
            let now = Instant::now();
            while next < certified {
                let read = self.source.store().transaction_ids(self.register, next, IDS);
                let dockets = self.source.wait(read)?;
                ensure!(!dockets.is_empty(), "docket {next} is not there");
                for docket in dockets.into_iter().take_while(|docket| docket.number < certified) {
                    let numbers = docket.transactions.iter().filter_map(|id| ids.get(id));
                    latencies.extend(numbers.map(|number| now.saturating_duration_since(due(began, *number, rate))));
                    next = docket.number + 1;
                }
            }
            thread::sleep(LOOK);
        }
        Ok(latencies)
    }
}

fn due(began: Instant, number: u64, rate: u64) -> Instant {
    began + Duration::from_nanos(number.saturating_mul(1_000_000_000) / rate.max(1))
}
