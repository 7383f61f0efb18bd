//! What pgbench, PostgreSQL's own load program, hands in.

use super::servers::Servers;
use crate::{
    chain::TRANSACTION_BYTES,
    ours::CLIENTS,
    plan::{Outcome, Plan},
    server,
};
use anyhow::Result;
use std::{fs, path::Path, process::Command, time::Instant};

/// Rows of a transaction, and transactions a second, while lag is measured: 10,000 rows a second.
const ROWS: u64 = 100;
const COMMITS: u64 = 100;
/// Connections that hand in live rows: no commit waits for the one before.
const LIVE_CLIENTS: usize = 4;

/// Each row is of a random id and a body of the length of a transaction.
fn insert(table: &str, rows: usize) -> String {
    format!(
        "INSERT INTO {table} (id, body) SELECT sha256((random()::text || random()::text)::bytea), \
         convert_to(repeat('x', {TRANSACTION_BYTES}), 'UTF8') FROM generate_series(1, {rows});\n"
    )
}

/// Clients that each commit one row, or some, after the other.
pub(super) fn submit(plan: &Plan, rows: usize) -> Result<Outcome> {
    let servers = Servers::prepare(&plan.folder, 0)?;
    servers.source.session()?.ask("CREATE TABLE handed_in (id bytea PRIMARY KEY, body bytea NOT NULL)")?;
    let script = plan.folder.join("script.sql");
    fs::write(&script, insert("handed_in", rows))?;
    let mut command = pgbench(&servers, &script, CLIENTS);
    server::run(command.args(["--time", &plan.seconds.to_string()]))?;
    let counted = servers.source.session()?.ask("SELECT count(*) FROM handed_in")?;
    Ok(Outcome { transactions: counted.parse()?, seconds: plan.seconds.into(), ..Outcome::default() })
}

/// Rows say when they were made, and the copy's table when they were applied.
pub(super) fn live(plan: &Plan) -> Result<Outcome> {
    let mut servers = Servers::prepare(&plan.folder, 1)?;
    let columns = "id bytea PRIMARY KEY, body bytea NOT NULL, made timestamptz NOT NULL DEFAULT clock_timestamp()";
    let mut source = servers.source.session()?;
    source.ask(&format!("CREATE TABLE live ({columns})"))?;
    source.ask("CREATE PUBLICATION bench FOR TABLE live")?;
    let port = servers.source.address().port();
    let mut copy = servers.start_copy(0)?.session()?;
    copy.ask(&format!("CREATE TABLE live ({columns}, seen timestamptz NOT NULL DEFAULT clock_timestamp())"))?;
    copy.ask(&format!(
        "CREATE SUBSCRIPTION bench CONNECTION 'host=127.0.0.1 port={port} user=bench dbname=postgres' PUBLICATION bench"
    ))?;
    super::wait(&mut copy, super::SYNCED, "1")?;

    let script = plan.folder.join("script.sql");
    fs::write(&script, insert("live", usize::try_from(ROWS)?))?;
    let mut command = pgbench(&servers, &script, LIVE_CLIENTS);
    let began = Instant::now();
    server::run(command.args(["--rate", &COMMITS.to_string(), "--time", &plan.seconds.to_string()]))?;
    let seconds = began.elapsed().as_secs_f64();
    let made = source.ask("SELECT count(*) FROM live")?;
    super::wait(&mut copy, "SELECT count(*) FROM live", &made)?;
    let mut quantile = |of_one: &str| -> Result<f64> {
        let select = format!(
            "SELECT 1000 * extract(epoch FROM percentile_disc({of_one}) WITHIN GROUP (ORDER BY seen - made)) FROM live"
        );
        Ok(copy.ask(&select)?.parse()?)
    };
    let (p50_millis, p99_millis) = (Some(quantile("0.5")?), Some(quantile("0.99")?));
    let note = "100 commits of 100 rows a second; from the insertion at the source to the insertion at the copy";
    Ok(Outcome {
        transactions: made.parse()?,
        seconds,
        p50_millis,
        p99_millis,
        note: note.to_owned(),
        ..Outcome::default()
    })
}

fn pgbench(servers: &Servers, script: &Path, clients: usize) -> Command {
    let program = servers.source.programs().join("pgbench");
    let mut command = server::command(&program, server::As::Oneself);
    command.args(["--no-vacuum", "--protocol=prepared", "--jobs=2", "--host=127.0.0.1", "--username=bench"]);
    command.arg(format!("--port={}", servers.source.address().port()));
    command.arg(format!("--client={clients}")).arg("--file").arg(script).arg("postgres");
    command
}
