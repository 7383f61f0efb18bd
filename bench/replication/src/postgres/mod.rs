//! PostgreSQL: a table on one server, and logical replication of it to others.
//!
//! ```text
//!  corpus ─ COPY, a commit for each thousand ─▶ source: table, publication ── walsender, TCP ──▶ copy: subscription
//! ```
//!
//! Its own defaults but for what [`servers`] says; the connection is plain, and what comes is applied as it is. Both sides
//! have one index, the primary key on the transaction's id.

mod load;
mod servers;
mod session;

use crate::{
    corpus::Corpus,
    plan::{Case, Outcome, Plan},
};
use anyhow::{Context as _, Result, ensure};
use peerwright_ledger::TransactionId;
use servers::{Cluster, Postgres, Servers};
use session::Session;
use std::{
    fmt::Write as _,
    path::Path,
    thread,
    time::{Duration, Instant},
};
use tokio::runtime::Builder;

const TABLE: &str = "CREATE TABLE transactions (number bigint NOT NULL, id bytea PRIMARY KEY, body bytea NOT NULL)";
const COPY: &str = "COPY transactions FROM STDIN";
/// How many tables have been copied.
const SYNCED: &str = "SELECT count(*) FROM pg_subscription_rel WHERE srsubstate = 'r'";
/// How often a copy is asked how far it is.
const LOOK: Duration = Duration::from_millis(10);
/// A table is there within this time.
const PATIENCE: Duration = Duration::from_secs(3_600);

pub(crate) fn run(plan: &Plan) -> Result<Outcome> {
    match plan.case {
        Case::Stream | Case::Three => replicate(plan, false),
        Case::Cold | Case::ColdPostgres => replicate(plan, true),
        Case::Live => load::live(plan),
        Case::Single => load::submit(plan, 1),
        Case::Batch => load::submit(plan, crate::ours::BATCH),
        _ => plan.not_done(),
    }
}

/// A server for a node's store, with the settings of the others.
pub(crate) fn database(folder: &Path) -> Result<Postgres> {
    Cluster::make(folder)?.start()
}

/// Without `cold`: the copies subscribe, pause, the source is filled, and they go on: every row comes by the log. With it:
/// the source is filled, then the copy's server starts and subscribes, which copies the table.
fn replicate(plan: &Plan, cold: bool) -> Result<Outcome> {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let corpus = Corpus::open(&runtime, &plan.corpus)?;
    let mut servers = Servers::prepare(&plan.folder, plan.case.replicas())?;
    let mut source = servers.source.session()?;
    source.ask(TABLE)?;
    source.ask("CREATE PUBLICATION bench FOR TABLE transactions")?;
    let mut copies = Vec::new();
    if !cold {
        for number in 0..plan.case.replicas() {
            copies.push(subscribe(&mut servers, number)?);
        }
        for copy in &mut copies {
            wait(copy, SYNCED, "1")?;
            copy.ask("ALTER SUBSCRIPTION bench DISABLE")?;
        }
    }
    let last = fill(&corpus, &mut source)?;

    let began = Instant::now();
    if cold {
        copies.push(subscribe(&mut servers, 0)?);
    } else {
        for copy in &mut copies {
            copy.ask("ALTER SUBSCRIPTION bench ENABLE")?;
        }
    }
    for copy in &mut copies {
        wait(copy, &format!("SELECT count(*) FROM transactions WHERE id = '\\x{last}'"), "1")?;
        // Applied rows are committed without waiting for the disk; this commit waits, and with it come all before.
        copy.ask("CREATE TABLE durable ()")?;
    }
    let seconds = began.elapsed().as_secs_f64();
    for copy in &mut copies {
        check(&corpus, copy)?;
    }
    let transactions = corpus.transactions() * copies.len() as u64;
    corpus.close()?;
    Ok(Outcome { transactions, seconds, ..Outcome::default() })
}

/// Asks until this is the answer.
fn wait(session: &mut Session, question: &str, answer: &str) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while session.ask(question)? != answer {
        ensure!(Instant::now() < deadline, "it does not come to {answer}: {question}");
        thread::sleep(LOOK);
    }
    Ok(())
}

/// Starts a copy's server and has it subscribe.
fn subscribe(servers: &mut Servers, number: u8) -> Result<Session> {
    let source = servers.source.address().port();
    let copy: &Postgres = servers.start_copy(number)?;
    let mut session = copy.session()?;
    session.ask(TABLE)?;
    session.ask(&format!(
        "CREATE SUBSCRIPTION bench CONNECTION 'host=127.0.0.1 port={source} user=bench dbname=postgres' \
         PUBLICATION bench WITH (slot_name = 'copy{number}')"
    ))?;
    Ok(session)
}

/// Fills the source, a commit for each docket; the last id.
fn fill(corpus: &Corpus<'_>, source: &mut Session) -> Result<TransactionId> {
    let (mut number, mut last) = (0u64, None);
    corpus.each(|transactions| {
        let mut rows = String::new();
        for (id, bytes) in transactions {
            write!(rows, "{number}\t\\\\x{id}\t\\\\x")?;
            for byte in bytes.iter() {
                write!(rows, "{byte:02x}")?;
            }
            rows.push('\n');
            number += 1;
            last = Some(*id);
        }
        source.copy_in(COPY, &rows)
    })?;
    last.context("the corpus is empty")
}

/// What the copy has is the corpus.
fn check(corpus: &Corpus<'_>, copy: &mut Session) -> Result<()> {
    let mut from = 0u64;
    copy.ask("CREATE INDEX ON transactions (number)")?;
    corpus.each(|transactions| {
        let to = from + transactions.len() as u64;
        let select = format!(
            "SELECT encode(sha256(string_agg(id || body, ''::bytea ORDER BY number)), 'hex') FROM transactions \
             WHERE number >= {from} AND number < {to}"
        );
        let bytes: Vec<u8> = transactions
            .iter()
            .flat_map(|(id, body)| [id.as_bytes().as_slice(), body.as_ref()])
            .flatten()
            .copied()
            .collect();
        let expected = TransactionId::from_bytes(peerwright_secure::sha256(&bytes)).to_string();
        ensure!(copy.ask(&select)? == expected, "the copy differs between rows {from} and {to}");
        from = to;
        Ok(())
    })?;
    ensure!(copy.ask("SELECT count(*) FROM transactions")? == from.to_string(), "the copy has rows of its own");
    Ok(())
}
