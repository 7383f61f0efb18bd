//! Going on without most of the sealers, when they are lost for good and a person says so.
//!
//! ```text
//! snapshot: succession ─▶ does a majority answer? ─▶ yes: nothing, and the operator is told
//!                              │ no
//!                              ▼
//!          the group ends ─▶ what the others hold is fetched ─▶ authorities sign ─▶ a group of one ─▶ told: led, generation
//! snapshot: generation  ─▶ all other sealers let go of the log of the group before, and are taken in
//! ```
//!
//! The order names who goes on, and is what lets authorities sign for it. Only who is named does anything; whoever else
//! still seals stays of its group until the operator has heard that the new one is there.

use super::{
    Callers,
    create::network_authority,
    replica::fetch_from_all,
    sealer::{LOOK, Sealer},
    sources::Sources,
};
use crate::driver::Clock;
use bytes::Bytes;
use futures::future::BoxFuture;
use peerwright_ledger::{CommitCertificate, RegisterId, SealedDocket};
use peerwright_proto::v1::{EndorseRequest, SealingDigest, sealing_client::SealingClient};
use peerwright_sealing::{Authorities, Group, GroupStatus, Survivor, go_on_alone};
use peerwright_secure::{NodePublicKey, PeerId};
use peerwright_snapshot::Succession;
use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU64,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep, timeout};

/// How long an authority is asked again: it may not have the snapshot yet, or not be reached at once.
const ENDORSED_WITHIN: Duration = Duration::from_secs(if cfg!(test) { 5 } else { 120 });
/// The same for the network's own authority. It is the operator's, who has given the order and may only be restarting.
const NETWORK_ENDORSED_WITHIN: Duration = Duration::from_secs(if cfg!(test) { 5 } else { 3_600 });
/// How long one answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Between two tries.
const AGAIN: Duration = Duration::from_secs(1);
/// Stranded registers that the operator is told of.
const MOST_STRANDED: usize = 64;

/// What this node has seen of its group's majority.
#[derive(Debug, Default)]
pub(super) struct Majority(Mutex<Seen>);

#[derive(Debug, Clone, Default)]
struct Seen {
    answering: BTreeSet<NodePublicKey>,
    /// Unix seconds; nothing while a majority answers, or nobody has looked yet.
    alone_since: Option<u64>,
    problem: &'static str,
}

impl Majority {
    fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Nobody has looked.
    fn reset(&self) {
        self.seen(|seen| *seen = Seen { problem: seen.problem, ..Seen::default() });
    }

    fn take(&self, members: usize, answering: BTreeSet<NodePublicKey>, now: u64) {
        let is_majority = answering.len() > members / 2;
        self.seen(|seen| {
            seen.alone_since = if is_majority { None } else { Some(seen.alone_since.unwrap_or(now)) };
            seen.answering = answering;
        });
    }

    fn set_problem(&self, problem: &'static str) {
        self.seen(|seen| seen.problem = problem);
    }
}

/// Whether somebody leads whom a majority follows, as far as a sealer sees.
pub(super) fn is_led(status: &GroupStatus, own: &NodePublicKey) -> bool {
    status.leader.is_some_and(|leader| leader != *own || status.is_leading)
}

impl Sealer {
    /// What the operator is told of the group.
    pub(crate) fn digest(&self) -> Option<SealingDigest> {
        let group = self.group()?;
        let (status, own) = (group.status(), self.membership.key().public());
        let seen = self.majority.seen(|seen| seen.clone());
        let peers = |keys: &BTreeSet<NodePublicKey>| {
            keys.iter().map(|key| Bytes::copy_from_slice(PeerId::of(key).as_bytes())).collect()
        };
        let stranded = group.stranded().into_iter().take(MOST_STRANDED);
        Some(SealingDigest {
            generation: status.generation,
            led: is_led(&status, &own),
            members: peers(&status.sealers),
            answering: peers(&seen.answering),
            alone_since: seen.alone_since.unwrap_or_default(),
            stranded: stranded.map(|register| Bytes::copy_from_slice(register.as_bytes())).collect(),
            problem: seen.problem.to_owned(),
            system_register: self
                .candidates
                .chosen()
                .map_or_else(Bytes::new, |register| Bytes::copy_from_slice(register.as_bytes())),
        })
    }

    /// Looks who answers, while nobody leads.
    pub(super) async fn watch_majority(&self, group: &Group) {
        let own = self.membership.key().public();
        self.majority.reset();
        loop {
            let status = group.status();
            if status.sealers.is_empty() || is_led(&status, &own) {
                self.majority.reset();
            } else {
                self.majority.take(status.sealers.len(), group.answering().await, Clock::wall().seconds());
            }
            sleep(LOOK).await;
        }
    }

    /// The order to go on alone, if it is for this node and for a later group than this.
    pub(super) fn ordered(&self, generation: u64) -> Option<Succession> {
        let current = self.membership.snapshot()?;
        let order = current.snapshot.content.succession?;
        (order.survivor == self.membership.peer_id() && order.generation > generation).then_some(order)
    }

    /// Resolves when this node is to go on alone and no majority answers; and says what stands against it until then.
    pub(super) async fn released(&self, generation: u64) -> Succession {
        loop {
            match self.ordered(generation) {
                None => self.majority.set_problem(""),
                Some(order) if self.majority.seen(|seen| seen.alone_since.is_some()) => return order,
                Some(_) => self.majority.set_problem("majority_answers"),
            }
            sleep(LOOK).await;
        }
    }

    /// Resolves when the network is at a later group than this.
    pub(super) async fn followed(&self, generation: u64) {
        self.snapshot_in_which(|| self.told_generation() > generation).await;
    }

    /// Resolves when this holds of the snapshot in force.
    async fn snapshot_in_which(&self, holds: impl Fn() -> bool) {
        let mut snapshots = self.membership.watch_snapshot();
        while !holds() {
            if snapshots.changed().await.is_err() {
                // Nobody tells any more.
                std::future::pending::<()>().await;
            }
        }
    }

    pub(super) fn told_generation(&self) -> u64 {
        self.membership.snapshot().map_or(0, |current| current.snapshot.content.generation)
    }

    fn signers(&self) -> Signers {
        let network = network_authority(&self.membership).zip(self.network_authority());
        let own = self.membership.key().public();
        Signers { own, callers: self.callers.clone(), network, given_up: Mutex::default() }
    }

    /// Makes this node, of the group of this generation, a group of one, unless the order is taken back meanwhile. Its group
    /// does not run, and nobody else writes dockets.
    pub(super) async fn go_on(&self, generation: u64, order: Succession) -> anyhow::Result<()> {
        tokio::select! {
            biased;
            () = self.snapshot_in_which(|| self.ordered(generation) != Some(order)) => {
                tracing::warn!(generation = order.generation, "the order to go on without the others was taken back");
                Ok(())
            }
            done = self.become_alone(order) => done,
        }
    }

    async fn become_alone(&self, order: Succession) -> anyhow::Result<()> {
        let Some(generation) = NonZeroU64::new(order.generation) else { return Ok(()) };
        let held = self.registers.store.registers().await?.into_iter().map(|held| held.register);
        let mut of: BTreeSet<RegisterId> = held.collect();
        if let Some(current) = self.membership.snapshot() {
            of.extend(current.snapshot.content.subscriptions.keys().map(|id| RegisterId::from_bytes(*id)));
        }
        let sources = Sources::new(&self.registers, &self.membership, &self.callers);
        fetch_from_all(&self.registers, &sources, &of).await;
        let survivor = Survivor {
            key: self.membership.key().clone(),
            store: self.registers.store.clone(),
            authorities: &self.signers(),
            clock: Arc::new(|| Clock::wall().0),
            generation,
        };
        let went_on = go_on_alone(survivor).await;
        self.majority.set_problem(if went_on.is_ok() { "" } else { "not_alone" });
        went_on?;
        Ok(())
    }
}

/// Signs for registers that name no other authority.
pub(crate) trait NetworkAuthority: Send + Sync + 'static {
    /// The certificate of a docket that makes `survivor`, which is this node, the only sealer of its register; or why there
    /// is none.
    fn endorse(
        &self,
        survivor: NodePublicKey,
        docket: SealedDocket,
    ) -> BoxFuture<'_, Result<CommitCertificate, String>>;
}

/// Those whose keys are registers' authorities: the network's, and nodes.
struct Signers {
    own: NodePublicKey,
    callers: Arc<Callers>,
    /// The network's, and the way to it.
    network: Option<(NodePublicKey, Arc<dyn NetworkAuthority>)>,
    /// Those that have not answered in time, and why: their other registers do not wait for them again.
    given_up: Mutex<BTreeMap<NodePublicKey, String>>,
}

impl Authorities for Signers {
    fn endorse(
        &self,
        authority: NodePublicKey,
        docket: SealedDocket,
    ) -> BoxFuture<'_, Result<CommitCertificate, String>> {
        Box::pin(async move {
            let given_up = || self.given_up.lock().unwrap_or_else(PoisonError::into_inner);
            let patience = if self.of_network(authority).is_some() { NETWORK_ENDORSED_WITHIN } else { ENDORSED_WITHIN };
            let (until, mut is_told) = (Instant::now() + patience, false);
            loop {
                if let Some(why) = given_up().get(&authority) {
                    return Err(why.clone());
                }
                match self.ask(authority, &docket).await {
                    Err(why) if Instant::now() < until => {
                        if !std::mem::replace(&mut is_told, true) {
                            let (register, seconds) = (docket.0.register, patience.as_secs());
                            tracing::warn!(%register, ?authority, why, seconds, "an authority does not sign, and is asked again");
                        }
                        sleep(AGAIN).await;
                    }
                    Err(why) => drop(given_up().insert(authority, why)),
                    signed => return signed,
                }
            }
        })
    }
}

impl Signers {
    fn of_network(&self, authority: NodePublicKey) -> Option<&Arc<dyn NetworkAuthority>> {
        self.network.as_ref().filter(|(key, _)| *key == authority).map(|(_, network)| network)
    }

    async fn ask(&self, authority: NodePublicKey, docket: &SealedDocket) -> Result<CommitCertificate, String> {
        let asking = async {
            if let Some(network) = self.of_network(authority) {
                return network.endorse(self.own, docket.clone()).await;
            }
            let (header, body) = docket;
            let connection = self.callers.reach(PeerId::of(&authority)).await.map_err(|error| error.to_string())?;
            let (channel, origin) = connection.channel();
            let request = EndorseRequest { header: header.encode().into(), body: body.encoded().clone() };
            let answer = SealingClient::with_origin(channel, origin).endorse(request).await;
            let answer = answer.map_err(|status| status.message().to_owned())?;
            CommitCertificate::decode(&answer.into_inner().certificate).map_err(|error| error.to_string())
        };
        timeout(ANSWER_WITHIN, asking).await.unwrap_or_else(|_| Err("the authority does not answer".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(count: u8) -> BTreeSet<NodePublicKey> {
        (0..count).map(|number| NodePublicKey::from_bytes([number; 32])).collect()
    }

    fn alone_since(majority: &Majority) -> Option<u64> {
        majority.seen(|seen| seen.alone_since)
    }

    #[test]
    fn half_of_the_members_are_no_majority_and_since_when_is_kept() {
        let majority = Majority::default();
        for (members, answering, at, since) in [
            (3, 2, 5, None),
            (3, 1, 6, Some(6)),
            (3, 1, 9, Some(6)),
            (3, 2, 10, None),
            (4, 2, 11, Some(11)),
            (1, 1, 12, None),
        ] {
            majority.take(members, keys(answering), at);
            assert_eq!(alone_since(&majority), since, "{answering} of {members}");
        }
    }

    #[test]
    fn who_has_not_looked_has_not_found_itself_alone() {
        let majority = Majority::default();
        assert_eq!(alone_since(&majority), None);
        majority.take(3, keys(1), 6);
        majority.reset();
        assert_eq!(alone_since(&majority), None);
    }
}
