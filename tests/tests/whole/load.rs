//! A steady stream of transactions while something happens to the network.
//!
//! ```text
//! senders ─▶ lists, each in its time, to one pod after the other ─▶ ids that were accepted
//! probers ─▶ one transaction after the other, until committed    ─▶ how long each took
//! ```

use crate::{client::Client, kept::Kept, network::Network};
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

const SENDERS: usize = 4;
/// Transactions in a list.
const LIST: usize = 50;
const PROBERS: usize = 4;
/// Between two transactions of one of them.
const PROBE_EVERY: Duration = Duration::from_millis(200);

/// What became of a load.
#[derive(Default)]
pub(crate) struct Handed {
    /// Ids that a node has answered for.
    pub(crate) accepted: BTreeSet<String>,
    /// Single transactions that were handed in and waited for.
    pub(crate) commits: Vec<Commit>,
    /// Those of them of which a node that ended said no more than that they are accepted.
    pub(crate) open: usize,
    /// Calls that a node which was away or leaving did not answer well.
    pub(crate) failed: usize,
}

/// A transaction that was handed in and waited for.
pub(crate) struct Commit {
    /// From handing it in to the answer that it is committed.
    pub(crate) took: Duration,
    /// Where it was handed in.
    pub(crate) pod: String,
    /// How long the load had lasted then.
    pub(crate) at: Duration,
}

impl Handed {
    /// The time that so many of a thousand commits took at most.
    pub(crate) fn commit_time(&mut self, of_thousand: usize) -> Duration {
        self.commits.sort_by_key(|commit| commit.took);
        let place = (self.commits.len() * of_thousand / 1000).min(self.commits.len() - 1);
        self.commits[place].took
    }

    /// Those that took longer than this, as they were handed in.
    pub(crate) fn slow_commits(&mut self, than: Duration) -> Vec<&Commit> {
        self.commits.sort_by_key(|commit| commit.at);
        self.commits.iter().filter(|commit| commit.took > than).collect()
    }
}

/// Hands in `rate` transactions a second, at all pods in turns, while `happens` runs.
pub(crate) fn during(
    network: &Network,
    client: &Client<'_>,
    register: &str,
    pods: &[String],
    rate: usize,
    happens: impl FnOnce(),
) -> Handed {
    let client = Kept::of(network, client);
    let is_over = AtomicBool::new(false);
    let every = Duration::from_secs(1) * u32::try_from(SENDERS * LIST).unwrap() / u32::try_from(rate).unwrap();
    thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let turns = Turns { pods, next: sender };
                let (client, is_over) = (&client, &is_over);
                scope.spawn(move || send(client, register, turns, every, is_over))
            })
            .collect();
        let probers: Vec<_> = (0..PROBERS)
            .map(|prober| {
                let turns = Turns { pods, next: SENDERS + prober };
                let (client, is_over) = (&client, &is_over);
                scope.spawn(move || probe(client, register, turns, is_over))
            })
            .collect();
        let ending = Ending(&is_over);
        happens();
        drop(ending);
        let mut all = Handed::default();
        for thread in senders.into_iter().chain(probers) {
            let handed = thread.join().unwrap();
            all.accepted.extend(handed.accepted);
            all.commits.extend(handed.commits);
            all.open += handed.open;
            all.failed += handed.failed;
        }
        all
    })
}

/// Ends the senders when it is dropped, also by a failure: whoever waits for them would wait for ever.
pub(crate) struct Ending<'a>(pub(crate) &'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn send(client: &Kept, register: &str, mut turns: Turns<'_>, every: Duration, is_over: &AtomicBool) -> Handed {
    let (mut handed, mut due, mut number) = (Handed::default(), Instant::now(), 0u64);
    while !is_over.load(Ordering::Relaxed) {
        let texts: Vec<String> = (0..LIST).map(|place| format!("{} {number} {place}", turns.next)).collect();
        number += 1;
        match client.hand_in(turns.take(), register, &texts) {
            Ok(accepted) => handed.accepted.extend(accepted),
            Err(_away) => handed.failed += 1,
        }
        due += every;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    handed
}

fn probe(client: &Kept, register: &str, mut turns: Turns<'_>, is_over: &AtomicBool) -> Handed {
    let (mut handed, mut number, start) = (Handed::default(), 0u64, Instant::now());
    while !is_over.load(Ordering::Relaxed) {
        number += 1;
        let (pod, began) = (turns.take(), Instant::now());
        match client.commit(pod, register, &format!("probe {} {number}", turns.next)) {
            Ok((id, is_committed)) => {
                if is_committed {
                    handed.commits.push(Commit { took: began.elapsed(), pod: pod.to_owned(), at: began - start });
                } else {
                    handed.open += 1;
                }
                handed.accepted.insert(id);
            }
            Err(_away) => handed.failed += 1,
        }
        thread::sleep(PROBE_EVERY);
    }
    handed
}

/// One pod after the other.
struct Turns<'a> {
    pods: &'a [String],
    next: usize,
}

impl<'a> Turns<'a> {
    fn take(&mut self) -> &'a str {
        self.next += 1;
        &self.pods[self.next % self.pods.len()]
    }
}
