//! The network's system register, where the network is to have one and nobody has named it: the sealers' leader begins it.
//!
//! ```text
//! snapshot: begins_system, no system ─▶ holds this node one already? ─▶ yes: every sealer tells the operator
//!                                           │ no; it leads, and has read every register there is
//!                                           ▼
//!                                       docket 0, owned by this node
//! operator: most sealers tell of the same ─▶ snapshot: system
//! ```
//!
//! What is the network's own is known by its record alone ([`is_system`]), so whoever leads next, or starts again, finds
//! what was begun before. Should two leaders each have begun one, all sealers tell of the older, and the operator's choice
//! is for good: the other is a register like any that nobody subscribes to. A sealer is trusted not to begin one that says it
//! is older: it would be of the right network, authority and sealers all the same.

use super::{
    NewRegister,
    advertised::read_genesis,
    create::{begin, network_authority, record},
    sealer::{LOOK, Sealer},
};
use peerwright_ledger::{GenesisRecord, RegisterId, RegisterPolicy, SealedDocket, seal_genesis};
use peerwright_sealing::Group;
use peerwright_secure::{NodePublicKey, sha256};
use peerwright_store::Seen;
use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};
use tokio::time::sleep;

/// Its display name.
const NAME: &str = "System register";
/// What its description says.
const DESCRIPTION: &str = "The blueprints of the network";
/// What a network's UID stands behind in the hash that marks its own register.
const MARK: &[u8] = b"peerwright system register 1\0";

/// Registers that by their records are the network's own, the older first: one, unless two leaders have begun one each.
#[derive(Debug, Default)]
pub(super) struct Candidates(Mutex<BTreeSet<(u64, RegisterId)>>);

impl Candidates {
    /// The one that all sealers tell of.
    pub(super) fn chosen(&self) -> Option<RegisterId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).first().map(|(_, register)| *register)
    }

    fn add(&self, record: &GenesisRecord) {
        let candidate = (record.created_at_micros, record.register());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(candidate);
    }
}

/// What stands in the record of a network's own register instead of chance.
fn mark(network_uid: &str) -> [u8; 16] {
    let hash = sha256(&[MARK, network_uid.as_bytes()].concat());
    std::array::from_fn(|place| hash.get(place).copied().unwrap_or_default())
}

/// Whether a register is the network's own: it says so, one of its first sealers has begun it, and it has the network's
/// authority over registers, or its owner's where the network has none.
fn is_system(record: &GenesisRecord, network_uid: &str, authority: Option<NodePublicKey>) -> bool {
    let (sealers, owner) = (record.sealers.sealers(), record.owner());
    record.nonce == mark(network_uid)
        && owner.is_some_and(|owner| sealers.contains(&owner) && record.authority == authority.unwrap_or(owner))
}

/// The docket 0 that this node has tried to begin with, and the sealers it names: it may be committed yet, so the next try is
/// the same.
type Tried = (BTreeSet<NodePublicKey>, SealedDocket);

impl Sealer {
    /// Sees to it that the network has its own register, as long as it is to have one that nobody has named.
    pub(super) async fn keep_system(&self, group: &Group) {
        let (mut read, mut tried) = (BTreeSet::new(), None);
        loop {
            if let Some(network_uid) = self.wants_system()
                && let Err(error) = self.look_for_system(group, &network_uid, &mut read, &mut tried).await
            {
                tracing::debug!(%error, "the network's system register is not there yet");
            }
            sleep(LOOK).await;
        }
    }

    /// UID of the network, if it is to have a register of its own that the snapshot does not name.
    fn wants_system(&self) -> Option<String> {
        let current = self.membership.snapshot()?;
        let content = &current.snapshot.content;
        (content.system.is_none() && content.settings.begins_system()).then(|| current.snapshot.network_uid.clone())
    }

    /// Looks at each register once, and begins the network's own where none is it.
    async fn look_for_system(
        &self,
        group: &Group,
        network_uid: &str,
        read: &mut BTreeSet<RegisterId>,
        tried: &mut Option<Tried>,
    ) -> anyhow::Result<()> {
        let store = &self.registers.store;
        for held in store.registers().await?.iter().filter(|held| held.certified_through.is_some()) {
            if read.contains(&held.register) {
                continue;
            }
            let docket = store.docket(held.register, 0, Seen::Certified).await;
            let Some(docket) = docket.inspect_err(|error| self.registers.repairs.note(error))? else { continue };
            let record = read_genesis(docket).map_err(anyhow::Error::msg)?;
            if is_system(&record, network_uid, network_authority(&self.membership)) {
                self.candidates.add(&record);
            }
            read.insert(held.register);
        }
        let is_every_one_read = group.all_registers().is_some_and(|all| all.iter().all(|one| read.contains(one)));
        if is_every_one_read && self.candidates.chosen().is_none() {
            self.begin_system(group, network_uid, tried).await?;
        }
        Ok(())
    }

    async fn begin_system(&self, group: &Group, network_uid: &str, tried: &mut Option<Tried>) -> anyhow::Result<()> {
        let (key, sealers) = (self.membership.key(), group.status().sealers);
        let genesis = match tried.take().filter(|(before, _)| *before == sealers) {
            Some((_, genesis)) => genesis,
            None => {
                let new = NewRegister {
                    name: NAME.to_owned(),
                    description: DESCRIPTION.to_owned(),
                    owner: self.membership.spiffe().to_string(),
                    authority: network_authority(&self.membership),
                    policy: RegisterPolicy::default(),
                };
                seal_genesis(&record(new, sealers.clone(), mark(network_uid), key)?, key, key.public())?
            }
        };
        *tried = Some((sealers, genesis.clone()));
        let register = genesis.0.register;
        begin(group, genesis).await?;
        tracing::info!(%register, "the network has a system register");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{is_system, mark};
    use crate::registers::{NewRegister, create::record};
    use peerwright_ledger::RegisterPolicy;
    use peerwright_secure::{NodeKey, NodePublicKey};
    use std::collections::BTreeSet;

    fn a_register() -> NewRegister {
        NewRegister {
            name: "any".to_owned(),
            description: String::new(),
            owner: "a test".to_owned(),
            authority: None,
            policy: RegisterPolicy::default(),
        }
    }

    #[test]
    fn only_what_a_sealer_has_begun_for_this_network_is_its_own() {
        let [owner, other, network] = [1, 2, 3].map(|byte| NodeKey::from_seed([byte; 32]));
        let is_own = |sealers: &[NodePublicKey], nonce: [u8; 16], authority: Option<NodePublicKey>| {
            let new = NewRegister { authority, ..a_register() };
            let sealers: BTreeSet<_> = sealers.iter().copied().collect();
            is_system(&record(new, sealers, nonce, &owner).unwrap(), "uid", None)
        };
        let sealers = [owner.public(), other.public()];
        assert!(is_own(&sealers, mark("uid"), None));
        assert!(!is_own(&sealers, mark("another"), None), "of another network");
        assert!(!is_own(&sealers, [7; 16], None), "an ordinary one");
        assert!(!is_own(&[other.public()], mark("uid"), None), "begun by somebody who does not seal");
        assert!(!is_own(&sealers, mark("uid"), Some(other.public())), "somebody else's authority");
        let of_network = |authority| {
            let new = NewRegister { authority, ..a_register() };
            is_system(&record(new, sealers.into(), mark("uid"), &owner).unwrap(), "uid", Some(network.public()))
        };
        assert!(of_network(Some(network.public())));
        assert!(!of_network(None), "of its owner's authority, where the network has one");
    }
}
