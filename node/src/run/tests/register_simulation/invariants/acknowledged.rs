//! Every acknowledged transaction is where its level promises.
//!
//! Accepted: on the volume of the node that accepted it, as a message, in a docket, or as a dead letter because its time is over;
//! in the end in a docket, or such a dead letter. Committed: at that moment in the docket that the answer names, on the volume of
//! the node that says so, and on the volumes of most sealers, in a docket or in their logs; in the end still there, on all. What is
//! told to have expired is in no docket, ever.

use crate::run::tests::register_simulation::{
    Broken, SEALERS,
    host::{Host, read},
};
use peerwright_ledger::{RegisterId, Transaction, TransactionId};
use peerwright_store::{DocketStore, SealingStore, Seen, Store, TransactionPlace};
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

/// The only reason for which an honest transaction comes to nothing.
const EXPIRED: &str = "expired";

/// What was promised.
pub(in crate::run::tests::register_simulation) struct Acknowledged {
    hosts: Rc<[Rc<Host>]>,
    register: RegisterId,
    /// With the number of the host that accepted it; a transaction may be handed in at several.
    accepted: BTreeSet<(TransactionId, usize)>,
    committed: BTreeMap<TransactionId, TransactionPlace>,
    expired: BTreeSet<TransactionId>,
}

impl Acknowledged {
    pub(in crate::run::tests::register_simulation) fn new(hosts: Rc<[Rc<Host>]>, register: RegisterId) -> Self {
        let (accepted, committed, expired) = (BTreeSet::new(), BTreeMap::new(), BTreeSet::new());
        Self { hosts, register, accepted, committed, expired }
    }

    /// How many were answered at each level, and how many have expired.
    pub(in crate::run::tests::register_simulation) fn counts(&self) -> [usize; 3] {
        [self.accepted.len(), self.committed.len(), self.expired.len()]
    }

    /// How many of these nobody has said to be committed.
    pub(in crate::run::tests::register_simulation) fn not_committed(&self, sent: &[TransactionId]) -> usize {
        sent.iter().filter(|id| !self.committed.contains_key(id)).count()
    }

    /// This host has just accepted it.
    pub(in crate::run::tests::register_simulation) fn accepted(
        &mut self,
        host: usize,
        one: &Transaction,
    ) -> Result<(), Broken> {
        self.accepted.insert((one.id(), host));
        self.check_one_accepted(host, one.id())
    }

    /// This host has just said that it is committed there.
    pub(in crate::run::tests::register_simulation) fn committed(
        &mut self,
        host: usize,
        one: &Transaction,
        place: TransactionPlace,
    ) -> Result<(), Broken> {
        let id = one.id();
        let found = self.place(host, id);
        if found != Some(place) {
            return Err(broken(format!("{id} is said to be committed at {place:?}; host {host} has it at {found:?}")));
        }
        let holders = (0..SEALERS).filter(|sealer| self.place(*sealer, id).is_some() || self.logs(*sealer, one));
        let holders = holders.count();
        if holders <= SEALERS / 2 {
            return Err(broken(format!("{id} is said to be committed by host {host}; {holders} sealers have it")));
        }
        match self.committed.insert(id, place) {
            Some(before) if before != place => Err(broken(format!("{id} was committed at {before:?} and {place:?}"))),
            _ => Ok(()),
        }
    }

    /// This host has just said that no docket will hold it.
    pub(in crate::run::tests::register_simulation) fn dead(
        &mut self,
        host: usize,
        one: &Transaction,
        reason: &str,
        now: u64,
    ) -> Result<(), Broken> {
        if reason != EXPIRED || one.body().valid_until_micros > now {
            return Err(broken(format!("host {host} calls {} dead: {reason}", one.id())));
        }
        self.expired.insert(one.id());
        Ok(())
    }

    /// Nothing that was accepted has left the volume.
    pub(in crate::run::tests::register_simulation) fn check_accepted(&self) -> Result<(), Broken> {
        self.accepted.iter().try_for_each(|(id, host)| self.check_one_accepted(*host, *id))
    }

    /// What was accepted and is neither in a docket nor expired.
    pub(in crate::run::tests::register_simulation) fn open(&self) -> usize {
        let is_open = |(id, host): &&(TransactionId, usize)| {
            self.place(*host, *id).is_none() && self.letter(*host, *id).is_none()
        };
        self.accepted.iter().filter(is_open).count()
    }

    /// Once all hold the same, of which these are the transactions, every promise is kept.
    pub(in crate::run::tests::register_simulation) fn check_all(
        &self,
        sealed: &BTreeSet<TransactionId>,
    ) -> Result<(), Broken> {
        for host in &*self.hosts {
            let moved = self.committed.iter().find(|(id, place)| self.place(host.number, **id) != Some(**place));
            if let Some((id, place)) = moved {
                return Err(broken(format!("host {} does not have {id} at {place:?}", host.number)));
            }
        }
        if let Some(id) = self.expired.intersection(sealed).next() {
            return Err(broken(format!("{id} was said to have expired, and is in a docket")));
        }
        let lost = self.accepted.iter().find(|(id, host)| !sealed.contains(id) && self.letter(*host, *id).is_none());
        match lost {
            Some((id, host)) => Err(broken(format!("{id}, accepted by host {host}, is in no docket"))),
            None => Ok(()),
        }
    }

    fn check_one_accepted(&self, host: usize, id: TransactionId) -> Result<(), Broken> {
        if read(self.volume(host).transaction(self.register, id)).is_some() || self.place(host, id).is_some() {
            return Ok(());
        }
        match self.letter(host, id) {
            Some(reason) if reason == EXPIRED => Ok(()),
            letter => Err(broken(format!("{id} has left the volume of host {host}: {letter:?}"))),
        }
    }

    fn volume(&self, host: usize) -> &peerwright_store::Memory {
        &self.hosts[host].volume
    }

    fn place(&self, host: usize, id: TransactionId) -> Option<TransactionPlace> {
        read(self.volume(host).find(self.register, id, Seen::Certified))
    }

    fn letter(&self, host: usize, id: TransactionId) -> Option<String> {
        read(self.volume(host).dead_letter(self.register, id)).map(|letter| letter.reason)
    }

    /// Whether a sealer's log has it: entries hold transactions as their authors signed them.
    fn logs(&self, sealer: usize, one: &Transaction) -> bool {
        let entries = read(self.volume(sealer).read_log(0, u64::MAX, usize::MAX));
        let signed = &one.encoded()[..];
        entries.iter().any(|entry| entry.bytes.windows(signed.len()).any(|window| window == signed))
    }
}

fn broken(what: String) -> Broken {
    Broken::new("acknowledged", what)
}
