//! The one task that proposes dockets.

use super::{
    Outcome,
    lane::Lane,
    submission::{Item, expired},
};
use crate::{
    GroupRefused,
    command::Command,
    core::Core,
    mutant::{Mutant, is_mutant},
    propose::propose,
    raft::{Answer, Raft},
};
use futures::{
    StreamExt,
    future::{BoxFuture, FutureExt},
    stream::FuturesUnordered,
};
use peerwright_ledger::{Chain, Proposal, RegisterId};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::{sync::mpsc, time::Instant};

/// What became of a proposal.
type Proposed = (RegisterId, Vec<Item>, Result<Answer, GroupRefused>);

struct Builder {
    core: Arc<Core>,
    raft: Raft,
    uncertified_dockets: usize,
    lanes: BTreeMap<RegisterId, Lane>,
    proposals: FuturesUnordered<BoxFuture<'static, Proposed>>,
    /// Transactions whose dockets want their certificates.
    settling: FuturesUnordered<BoxFuture<'static, ()>>,
}

/// Proposes what comes in by `queue`, until it is cancelled.
pub(crate) async fn run(
    core: Arc<Core>,
    raft: Raft,
    uncertified_dockets: u32,
    mut queue: mpsc::Receiver<(RegisterId, Vec<Item>)>,
) {
    let cancelled = core.durable.cancelled.clone();
    let mut recorded = core.recorded.subscribe();
    let mut builder = Builder {
        core,
        raft,
        uncertified_dockets: usize::try_from(uncertified_dockets).unwrap_or(usize::MAX),
        lanes: BTreeMap::new(),
        proposals: FuturesUnordered::new(),
        settling: FuturesUnordered::new(),
    };
    loop {
        let due = builder.propose_due();
        let is_due = async {
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = cancelled.cancelled() => break,
            Some(proposed) = builder.proposals.next() => builder.take(proposed),
            Some(()) = builder.settling.next() => {}
            Some((register, items)) = queue.recv() => builder.lanes.entry(register).or_default().push(items),
            Ok(()) = recorded.changed() => {}
            () = is_due => {}
        }
    }
    builder.fail_all(&GroupRefused::Stopped);
}

impl Builder {
    /// Proposes for each register what is due; gives when the next will be.
    fn propose_due(&mut self) -> Option<Instant> {
        let (now, mut next) = (Instant::now(), None::<Instant>);
        let registers: Vec<RegisterId> = self.lanes.keys().copied().collect();
        for register in registers {
            let Some(lane) = self.lanes.get(&register).filter(|lane| !lane.is_proposing) else { continue };
            let tip = self.core.registers(|registers| {
                let state = registers.get(&register)?;
                Some((state.tip()?.clone(), state.pending().len()))
            });
            let Some((chain, pending)) = tip else {
                self.drop_lane(register, &GroupRefused::UnknownRegister(register));
                continue;
            };
            match lane.due(chain.governance().policy()) {
                None => drop(self.lanes.remove(&register)),
                Some(_) if pending >= self.uncertified_dockets => {}
                Some(due) if due > now => next = Some(next.map_or(due, |next| next.min(due))),
                Some(_) => self.propose(register, &chain),
            }
        }
        next
    }

    fn propose(&mut self, register: RegisterId, chain: &Chain) {
        let Some(lane) = self.lanes.get_mut(&register) else { return };
        let mut items = lane.take(chain.governance().policy());
        let time_micros = self.core.now().max(chain.head().sealed_at_micros);
        self.leave_out(register, chain, time_micros, &mut items);
        if items.is_empty() {
            return;
        }
        let transactions = items.iter().map(|item| item.encoded.clone()).collect();
        let proposal = Proposal { time_micros, proposer: self.core.me(), transactions };
        let Some((header, body)) = chain.seal(&proposal) else {
            let is_sealer = chain.governance().sealers().contains(&self.core.me());
            for item in items {
                if is_sealer && item.is_control {
                    item.settle(Outcome::ControlRefused);
                } else {
                    item.fail(GroupRefused::NotLeader { leader: None });
                }
            }
            return;
        };
        if let Some(lane) = self.lanes.get_mut(&register) {
            lane.is_proposing = true;
        }
        let raft = self.raft.clone();
        let proposing = async move { (register, items, propose(&raft, Command { header, body }).await) };
        self.proposals.push(proposing.boxed());
    }

    /// Takes out what the docket must not hold, and answers it.
    fn leave_out(&mut self, register: RegisterId, chain: &Chain, time_micros: u64, items: &mut Vec<Item>) {
        let mut ids = BTreeSet::new();
        let sealed: BTreeSet<_> = self.core.registers(|registers| {
            let horizon = registers.get(&register).map(crate::registers::Register::horizon);
            let is_sealed = |item: &&Item| horizon.is_some_and(|horizon| horizon.contains(&item.id));
            items.iter().filter(is_sealed).map(|item| item.id).collect()
        });
        let (mut kept, mut again) = (Vec::with_capacity(items.len()), Vec::new());
        let mut twice = Vec::new();
        for item in items.drain(..) {
            if item.valid_until_micros <= time_micros {
                let refusal = expired(item.valid_until_micros, time_micros);
                item.settle(Outcome::Refused(refusal));
            } else if sealed.contains(&item.id) {
                again.push(item);
            } else if ids.insert(item.id) {
                kept.push(item);
            } else {
                twice.push(item);
            }
        }
        *items = kept;
        self.settle(register, chain.head().number, again, |_| Outcome::AlreadySealed);
        // What comes twice at once is looked at again when the first is formed.
        if let Some(lane) = self.lanes.get_mut(&register)
            && !twice.is_empty()
        {
            lane.push(twice);
        }
    }

    fn take(&mut self, (register, items, answer): Proposed) {
        let lane = self.lanes.entry(register).or_default();
        lane.is_proposing = false;
        match answer {
            Ok(Answer::Formed { number, .. }) => {
                self.settle(register, number, items, |docket| Outcome::Sealed { docket });
            }
            Ok(Answer::Stale | Answer::Nothing) => lane.put_back(items),
            Err(refused) => {
                items.into_iter().for_each(|item| item.fail(refused.clone()));
                self.drop_lane(register, &refused);
            }
        }
    }

    /// Answers when the certificate of the docket stands.
    fn settle(&mut self, register: RegisterId, number: u64, items: Vec<Item>, outcome: fn(u64) -> Outcome) {
        if items.is_empty() {
            return;
        }
        let waiting = self.core.registers(|registers| registers.wait(register, number));
        let settling = async move {
            let is_stored = match waiting {
                _ if is_mutant(Mutant::AnswersUncertified) => true,
                None => true,
                Some(waiting) => waiting.await.is_ok(),
            };
            for item in items {
                if is_stored { item.settle(outcome(number)) } else { item.fail(GroupRefused::Stopped) }
            }
        };
        self.settling.push(settling.boxed());
    }

    fn drop_lane(&mut self, register: RegisterId, refused: &GroupRefused) {
        if let Some(mut lane) = self.lanes.remove(&register) {
            lane.drain().for_each(|item| item.fail(refused.clone()));
        }
    }

    fn fail_all(&mut self, refused: &GroupRefused) {
        for (_, mut lane) in std::mem::take(&mut self.lanes) {
            lane.drain().for_each(|item| item.fail(refused.clone()));
        }
    }
}
