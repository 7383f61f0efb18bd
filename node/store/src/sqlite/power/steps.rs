//! What a store is asked for, one after the other or several things at once.

use crate::tests::{
    docket_fixtures::Nth,
    docket_model,
    fixtures::{Place, drawn},
    model::{self, Contents},
};
use proptest::prelude::*;

#[derive(Debug, Clone)]
pub(super) enum Step {
    Dockets(docket_model::Operation),
    /// Handed in at once: one commit may take them, or each takes some.
    Messages(Vec<model::Operation>),
}

impl Step {
    /// Each of its operations alone.
    pub(super) fn parts(&self) -> Vec<Self> {
        match self {
            Self::Dockets(_) => vec![self.clone()],
            Self::Messages(operations) => {
                operations.iter().map(|operation| Self::Messages(vec![operation.clone()])).collect()
            }
        }
    }

    /// Whether it asks for an incarnation, as one alone.
    pub(super) fn asks_for_incarnation(&self) -> bool {
        matches!(self, Self::Messages(operations) if matches!(operations[..], [model::Operation::NextIncarnation(_)]))
    }

    /// Whether the store is closed and opened again after it.
    pub(super) fn reopens(&self) -> bool {
        match self {
            Self::Dockets(operation) => matches!(operation, docket_model::Operation::Reopen),
            Self::Messages(operations) => {
                operations.iter().any(|operation| matches!(operation, model::Operation::Reopen))
            }
        }
    }
}

/// Large transactions whose bodies may be put, of each register.
pub(super) const BODIES: u32 = 2;

/// So many steps, the same for the same seed.
pub(super) fn drawn_steps(seed: u8, count: usize) -> Vec<Step> {
    let step = prop_oneof![
        1 => docket_model::operation().prop_map(Step::Dockets),
        1 => prop::collection::vec(model::operation().prop_map(of_few_bodies), 1..4).prop_map(Step::Messages),
    ];
    drawn(step, seed, count)
}

/// Each body that may be there is looked for in every image.
fn of_few_bodies(operation: model::Operation) -> model::Operation {
    match operation {
        model::Operation::PutBody { register, number } => {
            model::Operation::PutBody { register, number: number % BODIES }
        }
        other => other,
    }
}

/// A life in which each thing happens that a node keeps something of, and few more.
pub(super) fn short_life() -> Vec<Step> {
    use docket_model::Operation as D;
    use model::Operation as M;
    let nth = |sequence| Place { register: 0, incarnation: 7, ..Place::nth(sequence) };
    let messages = (1..4).map(|sequence| (nth(sequence), Contents::Inline(vec![u32::from(sequence.to_be_bytes()[7])])));
    vec![
        Step::Dockets(D::Next { register: 0, begin: 0, count: 3, certified: false }),
        Step::Dockets(D::Certify(vec![Nth::of(0, 0), Nth::of(0, 1)])),
        Step::Messages(vec![
            M::Append(messages.collect()),
            M::PutDocument(vec![1; 100]),
            M::Bury(vec![(0, 1, true), (1, 2, false)]),
        ]),
        Step::Dockets(D::AppendLog { skip: 0, count: 3 }),
        Step::Dockets(D::Vote(1)),
        Step::Dockets(D::Apply { rise: 1, registers: vec![0, 1] }),
        Step::Messages(vec![M::PutBody { register: 0, number: 1 }]),
        Step::Messages(vec![M::LetGo(vec![(nth(1), 2)]), M::NextIncarnation(9)]),
        Step::Dockets(D::Index(0)),
        Step::Dockets(D::PurgeLog(1)),
        Step::Dockets(D::Reopen),
        Step::Dockets(D::Trim { register: 0, below: 2 }),
        Step::Messages(vec![M::PutDocument(vec![2; 100]), M::Exhume(vec![(0, 1)]), M::Purge(0)]),
        Step::Dockets(D::Purge(1)),
    ]
}
