//! One life of a store on a recorded disk, beside the model.

use super::{
    state::{State, observe},
    steps::Step,
};
use crate::{
    Memory, Sqlite, Store, StoreError,
    sqlite::options::Options,
    tests::{docket_model, docket_model::Whole, fixtures::NETWORK, model},
};
use peerwright_disk::{Disk, History};
use std::path::{Path, PathBuf};

/// What is otherwise than on a node.
pub(super) type Tuning = fn(Options) -> Options;

/// The writer moves the log itself, and begins it anew every few commits.
pub(super) fn short_log(options: Options) -> Options {
    options.log_pages(16)
}

/// Opens the ordinary store of a folder, on a recorded disk.
pub(super) async fn open_on(disk: &Disk, path: &Path, tuning: Tuning) -> Result<Sqlite, StoreError> {
    Sqlite::open_with(tuning(Options::writer(path)).vfs(disk.vfs()), path, NETWORK).await
}

/// The store of a folder.
pub(super) fn file_in(folder: &Path) -> PathBuf {
    folder.join("store.sqlite")
}

pub(super) struct Life {
    pub(super) disk: Disk,
    /// `None` only between two lives of the process.
    store: Option<Sqlite>,
    path: PathBuf,
    tuning: Tuning,
    model: Memory,
    past: Past,
}

/// What the disk has refused of a step.
#[derive(Debug)]
pub(super) struct Refused {
    /// How the first operation was answered.
    pub(super) refusal: String,
    /// The operations.
    pub(super) rest: Vec<Step>,
    /// When they were handed in.
    pub(super) begun: usize,
}

/// What has happened, by the moments of the disk.
pub(super) struct Past {
    /// When the store was open for the first time.
    pub(super) opened: usize,
    /// The model's, before the first operation and after each.
    states: Vec<State>,
    /// When each operation was handed in.
    begun: Vec<usize>,
    /// When each was answered, and with which incarnation if it asked for one.
    answered: Vec<(usize, Option<u64>)>,
}

impl Past {
    /// What may be found after power is lost at this moment: all that was answered is there, and of what was under way
    /// the first so many.
    pub(super) fn allowed(&self, moment: usize) -> &[State] {
        let answered = self.answered.iter().filter(|(when, _)| *when <= moment).count();
        let begun = self.begun.iter().filter(|when| **when < moment).count();
        &self.states[answered..=begun.max(answered)]
    }

    /// The highest incarnation that was given by then.
    pub(super) fn incarnation(&self, moment: usize) -> Option<u64> {
        self.answered.iter().filter(|(when, _)| *when <= moment).filter_map(|(_, incarnation)| *incarnation).max()
    }

    /// The state after all that was answered.
    pub(super) fn last(&self) -> &State {
        &self.states[self.answered.len()]
    }
}

impl Life {
    pub(super) async fn begin(folder: &Path, tuning: Tuning) -> Self {
        let (disk, path) = (Disk::attach(folder), file_in(folder));
        let store = open_on(&disk, &path, tuning).await.unwrap();
        let model = Memory::new(NETWORK);
        let states = vec![observe(&model).await.unwrap()];
        let past = Past { opened: disk.now(), states, begun: Vec::new(), answered: Vec::new() };
        Self { disk, store: Some(store), path, tuning, model, past }
    }

    pub(super) fn store(&self) -> &Sqlite {
        self.store.as_ref().unwrap()
    }

    /// A whole life.
    pub(super) async fn of(folder: &Path, tuning: Tuning, steps: &[Step]) -> (Past, History) {
        let mut life = Self::begin(folder, tuning).await;
        for step in steps {
            life.step(step).await.unwrap();
        }
        life.end().await
    }

    /// Does what the model does, and answers as it does. What the disk has refused the model has not done.
    pub(super) async fn step(&mut self, step: &Step) -> Result<(), Refused> {
        let begun = self.disk.now();
        let answers = perform(self.store(), step).await;
        let answered = self.disk.now();
        let (mut refusal, mut rest) = (None, Vec::new());
        for (part, answer) in step.parts().into_iter().zip(answers) {
            if is_of_disk(&answer) {
                refusal.get_or_insert(answer);
                rest.push(part);
                continue;
            }
            assert_eq!(answer, self.follow(&part, begun).await, "{part:?} of {step:?}");
            let number = part.asks_for_incarnation();
            let number = number.then(|| answer.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap());
            self.past.answered.push((answered, number));
        }
        if let Some(refusal) = refusal {
            return Err(Refused { refusal, rest, begun });
        }
        if step.reopens() {
            self.reopen().await.unwrap();
        }
        Ok(())
    }

    /// How often what is committed was moved from the log into the file.
    pub(super) fn moves(&self) -> usize {
        self.disk.syncs("store.sqlite")
    }

    /// Only the model does it, one operation: the store has not answered, or refused what may be there all the same.
    pub(super) async fn follow(&mut self, part: &Step, begun: usize) -> String {
        let mut answers = perform(&self.model, part).await;
        self.past.begun.push(begun);
        self.past.states.push(observe(&self.model).await.unwrap());
        answers.pop().unwrap()
    }

    pub(super) async fn reopen(&mut self) -> Result<(), StoreError> {
        if let Some(store) = self.store.take() {
            store.close().await?;
        }
        self.store = Some(open_on(&self.disk, &self.path, self.tuning).await?);
        Ok(())
    }

    /// What it reads now is the model's after all that was answered.
    pub(super) async fn assert_reads_on(&self) {
        let found = observe(self.store()).await.unwrap();
        assert_eq!(found, *self.past.last());
    }

    pub(super) async fn end(mut self) -> (Past, History) {
        if let Some(store) = self.store.take() {
            store.close().await.unwrap();
        }
        (self.past, self.disk.detach())
    }
}

/// What was answered to each operation. All of a step are handed in before any is answered.
async fn perform(store: &dyn Whole, step: &Step) -> Vec<String> {
    match step {
        Step::Dockets(operation) => vec![docket_model::perform(store, operation).await],
        Step::Messages(operations) => {
            futures::future::join_all(operations.iter().map(|operation| model::perform(store, operation))).await
        }
    }
}

/// Whether an answer is a refusal for what the disk does.
fn is_of_disk(answer: &str) -> bool {
    ["Err(Failed", "Err(DiskFull", "Err(Damaged"].iter().any(|refusal| answer.starts_with(refusal))
}
