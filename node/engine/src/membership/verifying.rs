//! Statements that are with the verifier.

use super::Statement;
use crate::{
    LinkId, Micros, Token,
    bounds::{MAX_VERIFYING_STATEMENTS, VERIFY_LIMIT},
};
use std::collections::{BTreeMap, BTreeSet};

/// What one frame brought and is not known.
#[derive(Debug)]
pub(crate) struct Job {
    pub link: LinkId,
    pub since: Micros,
    pub statements: Vec<Pledge>,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Pledge {
    pub statement: Statement,
    pub fingerprint: u64,
    /// One bit for each link that has it.
    pub has: u64,
}

/// Statements that are with the verifier, by what their frame was given as a token.
#[derive(Debug, Default)]
pub(crate) struct Verifying {
    jobs: BTreeMap<Token, Job>,
    /// Fingerprints of all of them: a statement is verified once at a time.
    fingerprints: BTreeSet<u64>,
}

impl Verifying {
    pub(crate) fn has_room(&self) -> bool {
        self.fingerprints.len() < MAX_VERIFYING_STATEMENTS
    }

    pub(crate) fn is_under_way(&self, fingerprint: u64) -> bool {
        self.fingerprints.contains(&fingerprint)
    }

    /// Notes a statement; false when it is being verified already.
    pub(crate) fn begin(&mut self, fingerprint: u64) -> bool {
        self.fingerprints.insert(fingerprint)
    }

    /// The job is not sent after all.
    pub(crate) fn abandon(&mut self, job: &Job) {
        for pledge in &job.statements {
            self.fingerprints.remove(&pledge.fingerprint);
        }
    }

    /// All statements of the job were noted.
    pub(crate) fn sent(&mut self, token: Token, job: Job) {
        self.jobs.insert(token, job);
    }

    /// A link has ended; the next to have its bit has nothing.
    pub(crate) fn link_down(&mut self, bit: u64) {
        let pledges = self.jobs.values_mut().flat_map(|job| &mut job.statements);
        pledges.for_each(|pledge| pledge.has &= !bit);
    }

    /// The verdict came.
    pub(crate) fn take(&mut self, token: Token) -> Option<Job> {
        let job = self.jobs.remove(&token)?;
        self.abandon(&job);
        Some(job)
    }

    /// Jobs whose verdict will not come any more.
    pub(crate) fn overdue(&self, now: Micros) -> Vec<Token> {
        let is_overdue = |job: &Job| job.since + VERIFY_LIMIT <= now;
        self.jobs.iter().filter(|(_, job)| is_overdue(job)).map(|(token, _)| *token).collect()
    }
}
