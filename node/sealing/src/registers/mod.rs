//! What a sealer knows of the group's registers: pure state, no clock, no store, no network.

mod early;
mod horizon;
mod register;

pub(crate) use horizon::Horizon;
use register::Signed;
pub(crate) use register::{Certified, Pending, Register, ids, remember};

use crate::{
    raft::{LogId, Progress, StoredMembership},
    snapshot::{Head, Heads},
    wire::SignedDocket,
};
use early::{Early, EarlySignature};
use peerwright_ledger::{Chain, Docket, DocketHash, RegisterId, SealerSet, TransactionId};
use peerwright_secure::{NodeKey, NodePublicKey, Signature};
use std::collections::BTreeMap;
use tokio::sync::oneshot;

/// Signatures that were made and not yet handed to the exchange. Full: they go with the next round of questions.
const MAX_UNSENT: usize = 1_024;

/// A docket that others are to hear of, or to be asked for, and who.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) docket: SignedDocket,
    pub(crate) sealers: SealerSet,
}

/// Where a docket stands.
pub(crate) enum Standing {
    /// Its certificate is stored.
    Certified,
    /// It wants signatures, and has these.
    Pending(DocketHash, Vec<(NodePublicKey, Signature)>),
    /// It is yet to be formed.
    Ahead,
}

/// All registers of the group.
pub(crate) struct Registers {
    key: NodeKey,
    registers: BTreeMap<RegisterId, Register>,
    early: Early,
    unsent: Vec<Question>,
    waiting: BTreeMap<(RegisterId, u64), Vec<oneshot::Sender<()>>>,
    remembered: usize,
    progress: Progress,
    stored: (Option<LogId>, StoredMembership),
}

impl Registers {
    pub(crate) fn new(
        key: NodeKey,
        registers: BTreeMap<RegisterId, Register>,
        stored: (Option<LogId>, StoredMembership),
    ) -> Self {
        let remembered = registers.values().map(|register| register.horizon().len()).sum();
        let progress = Progress::new(stored.0, stored.1.clone());
        Self {
            key,
            registers,
            early: Early::default(),
            unsent: Vec::new(),
            waiting: BTreeMap::new(),
            remembered,
            progress,
            stored,
        }
    }

    pub(crate) fn get(&self, register: &RegisterId) -> Option<&Register> {
        self.registers.get(register)
    }

    pub(crate) fn ids(&self) -> Vec<RegisterId> {
        self.registers.keys().copied().collect()
    }

    /// How many sealed transactions are remembered.
    pub(crate) const fn remembered(&self) -> usize {
        self.remembered
    }

    pub(crate) fn tip(&self, register: &RegisterId) -> Option<Chain> {
        self.get(register)?.tip().cloned()
    }

    /// How many dockets want signatures.
    pub(crate) fn pending(&self) -> usize {
        self.registers.values().map(|register| register.pending().len()).sum()
    }

    /// Takes a docket that was formed behind the register's tip, signs it, and counts what others have signed; `false`
    /// when it was formed behind another tip, or holds a transaction that was sealed before.
    pub(crate) fn push(&mut self, mut pending: Pending) -> bool {
        let (id, number) = (pending.header.register, pending.header.number);
        let register = self.registers.entry(id).or_insert_with(Register::empty);
        let is_next = register.tip().map(|tip| tip.head().hash) == pending.header.previous;
        if !is_next || pending.transactions.iter().any(|transaction| register.horizon().contains(transaction)) {
            if register.tip().is_none() {
                self.registers.remove(&id);
            }
            return false;
        }
        let me = self.key.public();
        let signature = pending.sealers.contains(&me).then(|| pending.hash.sign(&self.key));
        if let Some(signature) = signature {
            pending.sign(pending.hash, me, signature);
        }
        for (sealer, hash, signature) in self.early.take(id, number) {
            if hash.verify(&sealer, &signature).is_ok() && pending.sign(hash, sealer, signature) == Signed::Foreign {
                foreign(id, number, sealer);
            }
        }
        if self.unsent.len() < MAX_UNSENT {
            let docket = SignedDocket { register: id, number, hash: pending.hash, signature };
            self.unsent.push(Question { docket, sealers: pending.sealers.clone() });
        }
        self.remembered -= register.horizon().len();
        register.push(pending);
        self.remembered += register.horizon().len();
        true
    }

    /// An entry was applied; `is_open` when it made a docket.
    pub(crate) fn applied(&mut self, id: LogId, membership: Option<StoredMembership>, is_open: bool) {
        self.progress.apply(id, membership, is_open);
    }

    /// What the exchange has not sent yet.
    pub(crate) fn take_unsent(&mut self) -> Vec<Question> {
        std::mem::take(&mut self.unsent)
    }

    /// The dockets whose certificates lack signatures, the oldest of each register first.
    pub(crate) fn lacking(&self, most: usize) -> Vec<Question> {
        let me = self.key.public();
        let pending = self.registers.values().flat_map(Register::pending).filter(|pending| !pending.is_certified());
        let questions = pending.take(most).map(|pending| Question {
            docket: SignedDocket {
                register: pending.header.register,
                number: pending.header.number,
                hash: pending.hash,
                signature: pending.signatures().get(&me).copied(),
            },
            sealers: pending.sealers.clone(),
        });
        questions.collect()
    }

    /// Where a docket stands.
    pub(crate) fn standing(&self, register: &RegisterId, number: u64) -> Standing {
        let Some(register) = self.get(register) else { return Standing::Ahead };
        if register.certified().is_some_and(|chain| number <= chain.head().number) {
            return Standing::Certified;
        }
        match register.pending().iter().find(|pending| pending.header.number == number) {
            Some(pending) => {
                let signatures = pending.signatures().iter().map(|(sealer, signature)| (*sealer, *signature));
                Standing::Pending(pending.hash, signatures.collect())
            }
            None => Standing::Ahead,
        }
    }

    /// Keeps a signature, unless its docket was formed meanwhile: then its sealer is asked for it.
    pub(crate) fn keep_early(&mut self, register: RegisterId, number: u64, early: EarlySignature) {
        if matches!(self.standing(&register, number), Standing::Ahead) {
            self.early.keep(register, number, early);
        }
    }

    /// Counts a signature that was verified; whether it completes a certificate.
    pub(crate) fn sign(
        &mut self,
        register: RegisterId,
        number: u64,
        hash: DocketHash,
        sealer: NodePublicKey,
        signature: Signature,
    ) -> bool {
        let pending = self.registers.get_mut(&register).and_then(|register| register.pending_mut(number));
        match pending.map(|pending| pending.sign(hash, sealer, signature)) {
            Some(Signed::Certified) => true,
            Some(Signed::Foreign) => {
                foreign(register, number, sealer);
                false
            }
            Some(Signed::Counted) | None => false,
        }
    }

    /// Certified dockets that are to be stored, in the order of each register.
    pub(crate) fn certified_fronts(&self, max_bytes: usize) -> BTreeMap<RegisterId, Vec<Certified>> {
        let mut fronts = BTreeMap::new();
        let mut room = max_bytes;
        for (id, register) in &self.registers {
            let front = register.certified_front(room);
            let bytes: usize = front.iter().map(|certified| certified.docket.body.encoded().len()).sum();
            if !front.is_empty() {
                fronts.insert(*id, front);
            }
            room = room.saturating_sub(bytes);
            if room == 0 {
                break;
            }
        }
        fronts
    }

    /// Up to where the log is settled once these entries are.
    pub(crate) fn settle(&mut self, indexes: impl IntoIterator<Item = u64>) -> (Option<LogId>, StoredMembership) {
        indexes.into_iter().for_each(|index| self.progress.settle(index));
        let (id, membership) = self.progress.settled();
        (id, membership.clone())
    }

    /// The dockets of a register up to this number are stored.
    pub(crate) fn record(&mut self, register: RegisterId, number: u64) {
        if let Some(register) = self.registers.get_mut(&register) {
            register.record(number);
        }
        self.wake(register, number);
    }

    /// Certified dockets came from another sealer and are stored.
    pub(crate) fn adopt(&mut self, register: RegisterId, chain: Chain, dockets: &[(Docket, Vec<TransactionId>)]) {
        let number = chain.head().number;
        let adopting = self.registers.entry(register).or_insert_with(Register::empty);
        self.remembered -= adopting.horizon().len();
        let settled = adopting.adopt(chain, dockets);
        self.remembered += adopting.horizon().len();
        settled.into_iter().for_each(|index| self.progress.settle(index));
        self.wake(register, number);
    }

    /// Resolves when the docket is stored; `None` when it is.
    pub(crate) fn wait(&mut self, register: RegisterId, number: u64) -> Option<oneshot::Receiver<()>> {
        if matches!(self.standing(&register, number), Standing::Certified) {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        self.waiting.entry((register, number)).or_default().push(sender);
        Some(receiver)
    }

    fn wake(&mut self, register: RegisterId, number: u64) {
        let mut due = self.waiting.split_off(&(register, 0));
        self.waiting.extend(due.split_off(&(register, number.saturating_add(1))));
        for waiting in due.into_values().flatten() {
            // Whoever waited may have gone.
            let _ = waiting.send(());
        }
    }

    /// The log is settled up to here, and that is stored.
    pub(crate) fn set_stored(&mut self, stored: (Option<LogId>, StoredMembership)) {
        self.stored = stored;
    }

    /// A snapshot has taken the place of the log up to here, and that is stored.
    pub(crate) fn install(&mut self, stored: (Option<LogId>, StoredMembership)) {
        self.progress = Progress::new(stored.0, stored.1.clone());
        self.stored = stored;
    }

    /// Up to where the log is settled and stored, and the membership there.
    pub(crate) const fn stored(&self) -> &(Option<LogId>, StoredMembership) {
        &self.stored
    }

    /// The newest certified docket of each register.
    pub(crate) fn heads(&self) -> Heads {
        let heads = self.registers.iter().filter_map(|(register, state)| {
            let head = state.certified()?.head();
            Some(Head { register: *register, number: head.number, hash: head.hash })
        });
        Heads(heads.collect())
    }
}

fn foreign(register: RegisterId, number: u64, sealer: NodePublicKey) {
    tracing::error!(%register, number, ?sealer, "a sealer has signed a docket that is not the group's");
}
