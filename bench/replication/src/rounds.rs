//! Rounds: every side has a turn in each, in another order.

use crate::{
    Bench,
    chain::{DOCKET_TRANSACTIONS, Recipe, TRANSACTION_BYTES},
    corpus,
    limits::Limits,
    plan::{Case, Outcome, Plan, Side},
    programs, rows,
};
use anyhow::{Context as _, Result};
use clap::ValueEnum as _;
use peerwright_bench_apart::Place;
use peerwright_bench_report::{Report, say};
use peerwright_ledger::register::VerifyPolicy;
use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};
use tempfile::TempDir;
use tokio::runtime::Builder;

/// A probe may take so long, and longer by so much for each transaction that it replicates.
const LIMIT: Duration = Duration::from_secs(300);
const LIMIT_EACH: Duration = Duration::from_micros(200);
/// And for each second of a load: what is handed in is signed before.
const LIMIT_LOAD: u32 = 20;

/// What was measured, by side and case.
pub(crate) type Measured = BTreeMap<(Side, Case), Vec<Outcome>>;

/// The registers that are replicated, each in a folder of its own.
struct Corpora {
    folder: TempDir,
}

/// Measures, and writes the report.
pub(crate) fn run(bench: &Bench) -> Result<()> {
    fs::create_dir_all(&bench.output).with_context(|| format!("{}", bench.output.display()))?;
    let output = bench.output.canonicalize()?;
    let sides = sides(bench);
    let place = Place::find();
    introduce(bench, place, &sides);
    let corpora = Corpora::make(bench, TempDir::with_prefix_in("replication-", &output)?)?;
    let limits = Limits::measure(corpora.folder.path(), bench.transactions())?;
    let mut measured = Measured::new();
    for round in 1..=usize::from(bench.rounds()) {
        let mut sides = sides.clone();
        let first = (round - 1) % sides.len().max(1);
        sides.rotate_left(first);
        for case in Case::value_variants().iter().copied().filter(|case| bench.includes(*case) && is_possible(*case)) {
            for side in sides.iter().copied().filter(|side| side.has(case)) {
                say(format!("round {round}, {case:?}, {}", side.name()));
                match (probe(bench, place, &corpora, side, case), side) {
                    (Ok(outcome), _) => {
                        tell(&outcome);
                        measured.entry((side, case)).or_default().push(outcome);
                    }
                    (Err(error), Side::Ours) => return Err(error),
                    (Err(error), _) => say(format!("  not measured: {error:#}")),
                }
            }
        }
    }
    let report = Report {
        name: "replication",
        title: format!(
            "{} transactions of {TRANSACTION_BYTES} B, {DOCKET_TRANSACTIONS} a docket, {} rounds; the rival is named with the row",
            bench.transactions(),
            bench.rounds()
        ),
        rows: rows::rows(bench, &measured, &limits),
        plot: rows::plot(&measured),
    };
    report.write(&bench.output).context("the report cannot be written")
}

/// Those that are there.
fn sides(bench: &Bench) -> Vec<Side> {
    let missing = |what: &str, package: &str| {
        say(format!("{what} is not there (Debian package {package}): its column stays empty"));
    };
    let mut sides = vec![Side::Ours];
    if bench.alone {
        return sides;
    }
    match programs::nats_server() {
        Some(_) => sides.push(Side::Jetstream),
        None => missing("NATS", "nats-server"),
    }
    match programs::postgres() {
        Some(_) => sides.push(Side::Postgres),
        None => missing("PostgreSQL", "postgresql"),
    }
    sides.push(Side::Sqlite);
    sides
}

/// Whether what a case needs of others is there.
fn is_possible(case: Case) -> bool {
    !matches!(case, Case::ColdPostgres) || programs::postgres().is_some()
}

/// Policies and indexes of all sides.
fn introduce(bench: &Bench, place: Place, sides: &[Side]) {
    let names: Vec<&str> = sides.iter().map(|side| side.name()).collect();
    say(format!(
        "{} transactions of {TRANSACTION_BYTES} B, {} rounds, {}; {}",
        bench.transactions(),
        bench.rounds(),
        names.join(", "),
        match place {
            Place::Apart => "each probe in a network namespace of its own",
            Place::Shared => "on the host's loopback (no network namespace may be made)",
        }
    ));
    for line in [
        "ours        SQLite, synced commits (where a row says so, PostgreSQL); mutual TLS; header, certificate, Merkle root, every hash, 1 in 100 signatures; index by id",
        "JetStream   file storage, synced every two minutes; plain TCP; nothing is checked; no index by id",
        "PostgreSQL  logical replication; fsync and synchronous_commit on, applied rows synced at the end; plain TCP; nothing is checked; primary key on the id",
        "SQLite      one connection, WAL, synchronous=FULL; primary key on the id",
    ] {
        say(line);
    }
}

impl Corpora {
    fn make(bench: &Bench, folder: TempDir) -> Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let corpora = Self { folder };
        for (case, verify, authors, transactions) in [
            (Case::Stream, VerifyPolicy::Docket, 64, bench.transactions()),
            (Case::Signatures, VerifyPolicy::EveryTransaction, 64, bench.signed_transactions()),
            (Case::Author, VerifyPolicy::EveryTransaction, 1, bench.signed_transactions()),
        ] {
            let folder = corpora.of(case);
            let is_wanted = Case::value_variants()
                .iter()
                .any(|other| bench.includes(*other) && other.has_corpus() && corpora.of(*other) == folder);
            if is_wanted {
                say(format!(
                    "{transactions} transactions are signed, sealed and stored ({verify:?}, {authors} authors)"
                ));
                corpus::make(&runtime, &folder, Recipe { verify, authors }, transactions)?;
            }
        }
        Ok(corpora)
    }

    fn of(&self, case: Case) -> PathBuf {
        let name = match case {
            Case::Signatures => "signatures",
            Case::Author => "author",
            _ => "dockets",
        };
        self.folder.path().join(name)
    }
}

fn probe(bench: &Bench, place: Place, corpora: &Corpora, side: Side, case: Case) -> Result<Outcome> {
    let folder = TempDir::with_prefix_in("probe-", corpora.folder.path())?;
    let (corpus, folder_path) = (corpora.of(case), folder.path().to_owned());
    let plan = Plan { side, case, corpus, folder: folder_path, seconds: bench.seconds() };
    let each = LIMIT_EACH.mul_f64(bench.transactions() as f64 * f64::from(case.replicas()));
    let limit = LIMIT + each + Duration::from_secs(bench.seconds().into()) * LIMIT_LOAD;
    let line = place.run(&plan.options(), limit)?;
    serde_json::from_str(&line).with_context(|| format!("a probe said {line:?}"))
}

fn tell(outcome: &Outcome) {
    let mut line = format!("  {:9.0} a second, {:.2} s", outcome.rate(), outcome.seconds);
    if let (Some(p50), Some(p99)) = (outcome.p50_millis, outcome.p99_millis) {
        line.push_str(&format!(", p50 {p50:.1} ms, p99 {p99:.1} ms"));
    }
    if outcome.starting_seconds > 0.0 {
        line.push_str(&format!(", of it starts {:.2} s", outcome.starting_seconds));
    }
    line.push_str(&outcome.processors());
    if !outcome.note.is_empty() {
        line.push_str("; ");
        line.push_str(&outcome.note);
    }
    say(line);
}
