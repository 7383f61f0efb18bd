//! One side and one case, tried by a process of its own.

use crate::{nats, ours, postgres, single_row};
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, io::Write as _, path::PathBuf};

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Side {
    /// Peer nodes of this project.
    Ours,
    /// Two NATS servers, a stream and its mirror.
    Jetstream,
    /// Two PostgreSQL servers, logical replication.
    Postgres,
    /// SQLite, as an application would use it.
    Sqlite,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Case {
    /// The sides are connected, then the replica is told to replicate a long register.
    Stream,
    /// The same, where each signature is checked: 64 authors.
    Signatures,
    /// The same with one author.
    Author,
    /// From the start of the replica's node; PostgreSQL copies the table.
    Cold,
    /// The same, where the replica keeps registers in a schema of PostgreSQL.
    ColdPostgres,
    /// As `Cold`, each side killed ten times in turns.
    Interrupted,
    /// From one source to three.
    Three,
    /// Lag while the source gets 10,000 transactions a second.
    Live,
    /// Handed in until committed, the sealer's own way.
    Committed,
    /// 64 clients, a transaction at a time.
    Single,
    /// 64 clients, batches.
    Batch,
    /// 64 clients, a stream of single transactions each.
    Streams,
}

impl Side {
    /// In the table.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Jetstream => "JetStream",
            Self::Postgres => "PostgreSQL",
            Self::Sqlite => "SQLite",
        }
    }

    /// Whether it can do that at all.
    pub(crate) const fn has(self, case: Case) -> bool {
        match self {
            Self::Ours => true,
            Self::Jetstream => matches!(case, Case::Stream | Case::Cold | Case::Three | Case::Live),
            Self::Postgres => {
                let copies = matches!(case, Case::Stream | Case::Cold | Case::ColdPostgres | Case::Three);
                copies || matches!(case, Case::Live | Case::Single | Case::Batch)
            }
            Self::Sqlite => matches!(case, Case::Single | Case::Batch),
        }
    }
}

impl Case {
    /// Whether a register that is there is replicated.
    pub(crate) const fn has_corpus(self) -> bool {
        let are_handed_in = matches!(self, Self::Live | Self::Committed | Self::Single | Self::Batch | Self::Streams);
        !are_handed_in
    }

    /// How many replicas there are.
    pub(crate) const fn replicas(self) -> u8 {
        if matches!(self, Self::Three) { 3 } else { 1 }
    }
}

/// What is to be tried.
#[derive(Debug, Clone, Args)]
pub(crate) struct Plan {
    #[arg(long)]
    pub(crate) side: Side,
    #[arg(long)]
    pub(crate) case: Case,
    /// Where the corpus is.
    #[arg(long)]
    pub(crate) corpus: PathBuf,
    /// Where the sides may keep their data: a folder that is there, empty.
    #[arg(long)]
    pub(crate) folder: PathBuf,
    /// Of a load.
    #[arg(long)]
    pub(crate) seconds: u16,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// Transactions that came where they should.
    pub(crate) transactions: u64,
    /// In so much time.
    pub(crate) seconds: f64,
    /// Of that, what the starts of processes that were killed took.
    pub(crate) starting_seconds: f64,
    pub(crate) p50_millis: Option<f64>,
    pub(crate) p99_millis: Option<f64>,
    /// Seconds of processor time by what the threads are for.
    pub(crate) processor: BTreeMap<String, f64>,
    /// How it was done, in words.
    pub(crate) note: String,
}

impl Outcome {
    /// Transactions a second.
    pub(crate) fn rate(&self) -> f64 {
        self.transactions as f64 / self.seconds
    }

    /// What its processor time went to, behind a comma.
    pub(crate) fn processors(&self) -> String {
        let used = self.processor.iter().filter(|(_, seconds)| **seconds > 0.01);
        used.map(|(name, seconds)| format!(", {name} {seconds:.2} s")).collect()
    }
}

impl Plan {
    /// As the command `probe` takes it.
    pub(crate) fn options(&self) -> [(&'static str, String); 5] {
        let name = |value: Option<clap::builder::PossibleValue>| {
            value.map(|value| value.get_name().to_owned()).unwrap_or_default()
        };
        [
            ("--side", name(self.side.to_possible_value())),
            ("--case", name(self.case.to_possible_value())),
            ("--corpus", self.corpus.display().to_string()),
            ("--folder", self.folder.display().to_string()),
            ("--seconds", self.seconds.to_string()),
        ]
    }

    /// Tries it, and prints the outcome as a line of JSON.
    pub(crate) fn run(&self) -> Result<()> {
        let outcome = match self.side {
            Side::Ours => ours::run(self)?,
            Side::Jetstream => nats::run(self)?,
            Side::Postgres => postgres::run(self)?,
            Side::Sqlite => single_row::run(self)?,
        };
        writeln!(std::io::stdout(), "{}", serde_json::to_string(&outcome)?)?;
        Ok(())
    }

    /// A side was asked for what it does not do.
    pub(crate) fn not_done<T>(&self) -> Result<T> {
        bail!("{} does not do {:?}", self.side.name(), self.case)
    }
}
