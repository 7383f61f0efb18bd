//! The networks that this process certifies for, in memory: facts, authority, and the trust that follows from them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;

use super::{Authority, NetworkFacts, NetworkKey, trust::Trust};

/// One network that members can join.
#[derive(Clone, Debug)]
pub struct KnownNetwork {
    /// What the network wants.
    pub facts: NetworkFacts,
    /// Its certificate authority.
    pub authority: Arc<Authority>,
    /// The Secret with the authority's key is gone: members are still known, and no leaf is issued.
    pub key_lost: bool,
    gone: CancellationToken,
}

impl KnownNetwork {
    /// Cancelled when the network is gone: its streams end.
    #[must_use]
    pub fn gone(&self) -> &CancellationToken {
        &self.gone
    }
}

/// Every network known to this process. Written by [`Authorities`](super::Authorities), read by the node service.
#[derive(Debug, Default)]
pub struct Networks {
    by_uid: Mutex<BTreeMap<String, Arc<KnownNetwork>>>,
    trust: ArcSwap<Trust>,
}

impl Networks {
    /// Adds a network, or replaces what was known of it.
    pub fn put(&self, facts: NetworkFacts, authority: Arc<Authority>) {
        let mut by_uid = self.lock();
        let before = by_uid.get(&facts.key.uid);
        let gone = before.map_or_else(CancellationToken::new, |before| before.gone.clone());
        let same_trust = before.is_some_and(|before| {
            before.facts.trust_domain == facts.trust_domain && before.authority.fingerprint() == authority.fingerprint()
        });
        by_uid.insert(facts.key.uid.clone(), Arc::new(KnownNetwork { facts, authority, key_lost: false, gone }));
        if !same_trust {
            self.rebuild_trust(&by_uid);
        }
    }

    /// Drops a network: its members are not trusted any more and their streams end.
    pub fn remove(&self, network_uid: &str) {
        let mut by_uid = self.lock();
        if let Some(known) = by_uid.remove(network_uid) {
            self.rebuild_trust(&by_uid);
            known.gone.cancel();
        }
    }

    /// Says that the Secret with a network's key is gone. True when that is news.
    pub fn lose_key(&self, network_uid: &str) -> bool {
        let mut by_uid = self.lock();
        let Some(known) = by_uid.get_mut(network_uid).filter(|known| !known.key_lost) else { return false };
        *known = Arc::new(KnownNetwork { key_lost: true, ..KnownNetwork::clone(known) });
        true
    }

    /// The networks whose keys are in custody, as far as is known.
    #[must_use]
    pub fn in_custody(&self) -> Vec<NetworkKey> {
        self.lock().values().filter(|known| !known.key_lost).map(|known| known.facts.key.clone()).collect()
    }

    /// Drops every network: another replica may lead from now on, and networks go without this one's hearing of it.
    pub fn clear(&self) {
        let mut by_uid = self.lock();
        let known = std::mem::take(&mut *by_uid);
        self.rebuild_trust(&by_uid);
        known.values().for_each(|known| known.gone.cancel());
    }

    /// The network with this UID.
    #[must_use]
    pub fn get(&self, network_uid: &str) -> Option<Arc<KnownNetwork>> {
        self.lock().get(network_uid).cloned()
    }

    /// The networks whose `Certify` tokens have one of these audiences.
    #[must_use]
    pub fn by_audience(&self, audiences: &[String]) -> Vec<Arc<KnownNetwork>> {
        let by_uid = self.lock();
        let wanted = by_uid.values().filter(|known| audiences.contains(&known.facts.certify_audience));
        wanted.cloned().collect()
    }

    /// The trust anchors in force.
    #[must_use]
    pub fn trust(&self) -> Arc<Trust> {
        self.trust.load_full()
    }

    // The lock is held while trust is rebuilt, so that of two changes the later one's trust stays.
    fn rebuild_trust(&self, by_uid: &BTreeMap<String, Arc<KnownNetwork>>) {
        self.trust.store(Arc::new(Trust::of(by_uid.values().map(AsRef::as_ref))));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<KnownNetwork>>> {
        self.by_uid.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
