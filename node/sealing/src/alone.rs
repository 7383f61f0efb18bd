//! One sealer goes on alone, when most of its group are lost for good.
//!
//! ```text
//!  log before     . . s o o o        s: settled     o: in the log, not certified
//!                       └─┴─┴──────────── their transactions, in their order
//!  registers      ... 9 10                          ▼
//!                        └─▶ 11: sealed by this one alone, signed by the register's authority ─▶ 12 13 ...
//!  log after      [begin: this one is the only member] 12 13 ...       vote, members and generation: new
//! ```
//!
//! What is certified stays, whoever certified it: the log is written anew, the dockets are not. An entry that is not certified
//! can never be, for it names sealers who sign nothing any more; its transactions are put into dockets of the new sealer,
//! behind the authority's. All of it is one database transaction of the store, so a sealer is of the group before or of
//! the one after.
//!
//! The group after has another *generation*. Every message between sealers names it, and who is of another answers nothing:
//! a sealer that was lost and comes back with its volume can neither elect nor be elected, and gets no signature. Where it
//! has a docket that nobody else had, that was certified before, the two dockets with one number are a fork, and proof of
//! itself: nothing hides it. That is what may be lost, so whoever orders this first has everything fetched that the
//! other nodes hold.
//!
//! A register whose authority does not sign is *stranded*: it is kept and served as it is, and nothing more is sealed in it.

use crate::{
    Clock,
    command::Command,
    core::extension,
    durable::Durable,
    raft::{Ballot, Entry, Kept, LogId, Membership, SealerId, StoredMembership, Unreadable, Vote},
    registers::{Pending, Registers},
    restore::{NotRestored, Restored, restore},
    settled::Settled,
    wire::{decode_entry, encode_ballot, encode_entry, encode_log_id},
};
use bytes::Bytes;
use futures::{StreamExt, future::BoxFuture, stream};
use openraft::{CommittedLeaderId, EntryPayload};
use peerwright_encoding::DecodeError;
use peerwright_ledger::{
    Chain, CommitCertificate, Docket, Proposal, RegisterId, SealedDocket, TransactionId, TransactionView, Verify,
    endorse,
};
use peerwright_secure::{NodeKey, NodePublicKey};
use peerwright_store::{Applied, Extension, LogEntry, LogState, NewLog, SealingStore, StoreError};
use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU64,
    sync::Arc,
};
use thiserror::Error;

/// Authorities that are asked at once.
const ASKED_AT_ONCE: usize = 16;
/// Bytes of the log that are read at once.
const READ_BYTES: usize = 16 << 20;

/// The way to those who sign for registers' authorities.
pub trait Authorities: Send + Sync {
    /// The certificate of a docket that makes the asking sealer the only one of its register, signed by `authority`; or why
    /// there is none. Which docket is signed is the authority's to check: [`endorse`].
    fn endorse(
        &self,
        authority: NodePublicKey,
        docket: SealedDocket,
    ) -> BoxFuture<'_, Result<CommitCertificate, String>>;
}

/// What a sealer that goes on alone is made of.
pub struct Survivor<'a> {
    /// The node's key.
    pub key: NodeKey,
    /// Where log and dockets are kept. Nobody else uses it meanwhile.
    pub store: Arc<dyn SealingStore>,
    /// Who signs for registers of which this node's key is not the authority.
    pub authorities: &'a dyn Authorities,
    /// The time: unix microseconds.
    pub clock: Clock,
    /// The group that begins. Higher than that of the group before.
    pub generation: NonZeroU64,
}

/// A register that nobody seals any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranded {
    /// Whose signature alone names other sealers.
    pub authority: NodePublicKey,
    /// Why it is not there.
    pub why: String,
}

/// What a sealer went on with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WentOn {
    /// The registers that it seals, with the number of the last docket of the sealers before.
    pub continued: BTreeMap<RegisterId, u64>,
    /// The registers that nobody seals any more.
    pub stranded: BTreeMap<RegisterId, Stranded>,
    /// Transactions of dockets that were not certified, which it puts into others.
    pub sealed_anew: u64,
    /// Transactions of such dockets that it does not: expired, against the register's rules by now, or of a register
    /// that it does not seal. Whoever accepted them hands them in again.
    pub left_out: u64,
}

/// Why a sealer does not go on alone. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotAlone {
    /// It is of a later group.
    #[error("the sealer is of generation {0} already")]
    LaterGeneration(u64),
    /// It holds neither a log nor a register.
    #[error("the sealer holds no log and no register: choose one that has kept its volume")]
    NothingHeld,
    /// The store does not hold what a sealer can begin with.
    #[error(transparent)]
    NotRestored(#[from] NotRestored),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something in it is not what this program wrote.
    #[error("the store holds something that is no entry of a sealer: {0}; restore the volume")]
    Unreadable(#[from] DecodeError),
}

impl From<Unreadable> for NotAlone {
    fn from(error: Unreadable) -> Self {
        match error {
            Unreadable::Store(error) => error.into(),
            Unreadable::Encoding(error) => error.into(),
        }
    }
}

/// Which group a sealer's store is of; 0 when it is of none yet.
pub async fn generation_of(store: Arc<dyn SealingStore>) -> Result<u64, NotAlone> {
    Ok(Ballot::open(store, Arc::default()).await?.generation().await)
}

/// Makes a sealer the only member of a new group, and the only sealer of those registers whose authorities sign that. Its
/// [`Group`](crate::Group) must not run meanwhile, and is started with the new generation afterwards. `None` when it has been
/// done: asked again it does nothing.
pub async fn go_on_alone(survivor: Survivor<'_>) -> Result<Option<WentOn>, NotAlone> {
    let Survivor { key, store, authorities, clock, generation } = survivor;
    let durable = Arc::new(Durable::default());
    let ballot = Ballot::open(Arc::clone(&store), Arc::clone(&durable)).await?;
    match ballot.generation().await {
        before if before == generation.get() => return Ok(None),
        later if later > generation.get() => return Err(NotAlone::LaterGeneration(later)),
        _ => {}
    }
    let Restored { mut registers, .. } = restore(store.as_ref(), key.clone(), &durable).await?;
    let state = durable.ask(|| store.log_state()).await?;
    if registers.ids().is_empty() && state.last.is_none() && state.purged.is_none() {
        return Err(NotAlone::NothingHeld);
    }
    let settled = registers.stored().0.map(|id| id.index);
    let mut went_on = WentOn::default();
    let extensions = take_over(&mut registers, &key, authorities, clock(), &mut went_on).await;
    let term = ballot.vote().await.map_or(0, |vote| vote.leader_id.term) + 1;
    let mut log = Restated::begin(SealerId::from(key.public()), term, end(&state).map_or(0, |end| end + 1));
    let mut next = settled.map_or(0, |settled| settled + 1);
    while let Some(through) = state.last.as_ref().map(|last| last.index).filter(|through| next <= *through) {
        let read = durable.ask(|| store.read_log(next, through + 1, READ_BYTES)).await?;
        let Some(last) = read.last() else { break };
        next = last.index + 1;
        for entry in read {
            if let EntryPayload::Normal(command) = decode_entry(&entry.bytes)?.payload {
                log.restate(&mut registers, command, &key, clock(), &mut went_on);
            }
        }
    }
    let log = log.finish(generation);
    durable.write(|| store.begin_log(extensions.clone(), log.clone())).await?;
    tracing::warn!(
        generation,
        registers = went_on.continued.len(),
        stranded = went_on.stranded.len(),
        sealed_anew = went_on.sealed_anew,
        left_out = went_on.left_out,
        "this sealer goes on alone"
    );
    Ok(Some(went_on))
}

/// The highest index that was ever given, as far as is known here.
fn end(state: &LogState) -> Option<u64> {
    let entries = [&state.last, &state.purged].into_iter().flatten().map(|entry| entry.index);
    entries.chain(state.applied.as_ref().map(|applied| applied.index)).max()
}

/// A docket with which its register is sealed by this one alone, and the register with it.
type TakenOver = (Chain, Docket, Vec<TransactionId>);

/// Has the authorities sign; gives the dockets that are to be stored.
async fn take_over(
    registers: &mut Registers,
    key: &NodeKey,
    authorities: &dyn Authorities,
    now: u64,
    went_on: &mut WentOn,
) -> Vec<Extension> {
    let mut asked = Vec::new();
    for chain in registers.ids().iter().filter_map(|register| registers.tip(register)) {
        if *chain.governance().sealers().sealers() == BTreeSet::from([key.public()]) {
            went_on.continued.insert(chain.register(), chain.head().number);
        } else {
            asked.push(replaced(chain, key, authorities, now));
        }
    }
    let mut answers = stream::iter(asked).buffer_unordered(ASKED_AT_ONCE);
    let mut extensions = Vec::new();
    while let Some((before, answer)) = answers.next().await {
        let register = before.register();
        match answer {
            Ok((chain, docket, ids)) => {
                went_on.continued.insert(register, before.head().number);
                let dockets = [(docket, ids)];
                let checkpoint = chain.encode();
                registers.adopt(register, chain, &dockets);
                extensions.push(extension(register, dockets, checkpoint));
            }
            Err(why) => {
                let authority = *before.governance().authority();
                tracing::warn!(%register, ?authority, why, "the register's authority does not name this sealer");
                went_on.stranded.insert(register, Stranded { authority, why });
            }
        }
    }
    extensions
}

async fn replaced(
    before: Chain,
    key: &NodeKey,
    authorities: &dyn Authorities,
    now: u64,
) -> (Chain, Result<TakenOver, String>) {
    let answer = async {
        let (authority, alone) = (*before.governance().authority(), BTreeSet::from([key.public()]));
        let told = |refused: peerwright_ledger::DocketRefused| refused.to_string();
        let (header, body) = before.replace_sealers(alone.clone(), key).map_err(told)?;
        let certificate = if authority == key.public() {
            endorse(&header, &body, &alone, key).map_err(told)?
        } else {
            authorities.endorse(authority, (header, body.clone())).await?
        };
        let (mut chain, docket) = (before.clone(), Docket { header, certificate, body });
        // The docket has its predecessor's time, whatever this node's clock says.
        let ids = chain.extend(&docket, Verify::Docket, now.max(before.head().sealed_at_micros)).map_err(told)?;
        Ok((chain, docket, ids))
    };
    let answer = answer.await;
    (before, answer)
}

/// The log of the new group.
struct Restated {
    me: SealerId,
    /// Its members are these from here on; entries come behind.
    begins: LogId,
    entries: Vec<LogEntry>,
}

impl Restated {
    fn begin(me: SealerId, term: u64, index: u64) -> Self {
        Self { me, begins: LogId::new(CommittedLeaderId::new(term, me), index), entries: Vec::new() }
    }

    /// Puts what is not sealed yet of an entry into an entry of the new log.
    fn restate(&mut self, registers: &mut Registers, command: Command, key: &NodeKey, now: u64, went_on: &mut WentOn) {
        let register = command.header.register;
        let transactions = unsealed(registers, register, &command);
        let open = transactions.len() as u64;
        let index = self.begins.index + 1 + self.entries.len() as u64;
        let tip = registers.tip(&register).filter(|_| went_on.continued.contains_key(&register));
        let restated = tip.and_then(|tip| {
            let proposal = Proposal { time_micros: now, proposer: key.public(), transactions };
            let (header, body) = tip.seal(&proposal)?;
            let (count, command) = (u64::from(body.count()), Command { header, body });
            let pending = Pending::form(Some(tip), index, command.clone()).ok()?;
            registers.push(pending).then_some((count, command))
        });
        let count = restated.as_ref().map_or(0, |(count, _)| *count);
        went_on.sealed_anew += count;
        went_on.left_out += open - count;
        if let Some((_, command)) = restated {
            let log_id = LogId::new(self.begins.leader_id, index);
            let bytes = encode_entry(&Entry { log_id, payload: EntryPayload::Normal(command) });
            self.entries.push(LogEntry { index, bytes });
        }
    }

    fn finish(self, generation: NonZeroU64) -> NewLog {
        let Self { me, begins, entries } = self;
        let membership = StoredMembership::new(Some(begins), Membership::new(vec![BTreeSet::from([me])], ()));
        let vote = Vote::new(begins.leader_id.term, me);
        NewLog {
            purged: Some(LogEntry { index: begins.index, bytes: encode_log_id(&begins) }),
            vote: encode_ballot(&Kept { vote, is_behind: false, generation: generation.get() }),
            applied: Some(Applied { index: begins.index, state: Settled { id: begins, membership }.encode() }),
            entries,
        }
    }
}

/// The transactions of an entry that no docket holds.
fn unsealed(registers: &Registers, register: RegisterId, command: &Command) -> Vec<Bytes> {
    let is_sealed = |id: &TransactionId| registers.get(&register).is_some_and(|state| state.horizon().contains(id));
    let transactions = command.body.transactions();
    let open = transactions.filter(|encoded| TransactionView::read(encoded).is_ok_and(|view| !is_sealed(&view.id())));
    open.map(|encoded| command.body.encoded().slice_ref(encoded)).collect()
}
