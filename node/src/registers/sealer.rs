//! This node as one of those that seal: its part in the group, as long as the snapshot names it.
//!
//! ```text
//! snapshot: sealers ─▶ Group (log, signatures) ◀── Sealing.Call ──▶ the other sealers
//!                        ▲ submit        │ certified
//! messages in the store ─┘ Feed          ▼ Heads
//! ```
//!
//! When most of the sealers are lost for good, [one goes on alone](super::succession). Where the network wants a system
//! register, the sealers [begin it](super::system).
//!
//! A group is begun by its founders alone: the first sealers that the operator ever named. Whoever is named later waits
//! to be taken in by those who hold the log, for two newcomers with an empty log would outvote one founder.

use super::{
    Callers, Registers,
    feed::Feed,
    succession::{Majority, NetworkAuthority, is_led},
    system::Candidates,
};
use crate::{backoff::Backoff, driver::Clock, member::Membership, transport::MAX_FRAMED_BYTES};
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use futures::future::BoxFuture;
use peerwright_proto::v1::{SealingCall, sealing_client::SealingClient};
use peerwright_sealing::{Group, GroupParts, GroupRefused, SealingSettings, Transport, TransportError, generation_of};
use peerwright_secure::{NodePublicKey, PeerId};
use peerwright_store::Store;
use std::{
    collections::BTreeSet,
    future::pending,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

/// Between two looks whether the group is as the snapshot says.
pub(super) const LOOK: Duration = Duration::from_secs(1);
/// How long a sealer that is none any more waits to be let go.
const PARTING: Duration = Duration::from_secs(60);
/// How long a sealer that is back is not ready while the others are further.
const REJOINS: Duration = Duration::from_secs(20);
/// Between two looks whether it takes part yet.
const REJOIN_LOOK: Duration = Duration::from_millis(100);
/// How long leadership is handed over before the node ends.
pub(crate) const HAND_OVER: Duration = Duration::from_secs(5);

/// Takes part in sealing while the snapshot says so.
pub(crate) struct Sealer {
    pub(super) registers: Registers,
    pub(super) membership: Arc<Membership>,
    pub(super) callers: Arc<Callers>,
    messages: Arc<dyn Store>,
    /// What the network has set; nothing before a snapshot said.
    settings: watch::Receiver<Option<SealingSettings>>,
    group: ArcSwapOption<Group>,
    pub(super) majority: Majority,
    /// Who signs for registers that name no other authority. Whoever that is may hold this sealer.
    network_authority: OnceLock<Weak<dyn NetworkAuthority>>,
    /// Registers that may be the network's own.
    pub(super) candidates: Candidates,
    /// The group that this node may begin alone: it has seen that no majority answers.
    may_begin: AtomicU64,
    /// Whether the group, which this node is of since before its start, is further than it.
    rejoining: watch::Sender<bool>,
}

impl Sealer {
    pub(crate) fn new(
        registers: Registers,
        membership: Arc<Membership>,
        callers: Arc<Callers>,
        messages: Arc<dyn Store>,
        settings: watch::Receiver<Option<SealingSettings>>,
    ) -> Self {
        Self {
            registers,
            membership,
            callers,
            messages,
            settings,
            group: ArcSwapOption::empty(),
            majority: Majority::default(),
            network_authority: OnceLock::new(),
            candidates: Candidates::default(),
            may_begin: AtomicU64::new(0),
            rejoining: watch::Sender::new(false),
        }
    }

    /// Whether this node, back from a restart, is still to take in what the others have sealed meanwhile. While it is, it is
    /// not ready: whoever restarts nodes one after another would end the next, and then too few of them could seal.
    pub(crate) fn watch_rejoining(&self) -> watch::Receiver<bool> {
        self.rejoining.subscribe()
    }

    /// Says, once, who signs for registers that name no other authority.
    pub(crate) fn set_network_authority(&self, authority: &Arc<impl NetworkAuthority>) {
        let authority = Arc::downgrade(authority);
        // The only one to set it.
        drop(self.network_authority.set(authority));
    }

    /// Who signs for registers that name no other authority, while that is there.
    pub(crate) fn network_authority(&self) -> Option<Arc<dyn NetworkAuthority>> {
        self.network_authority.get()?.upgrade()
    }

    /// The group, while this node is of it.
    pub(crate) fn group(&self) -> Option<Arc<Group>> {
        self.group.load_full()
    }

    /// Whether this node leads the group.
    #[cfg(test)]
    pub(crate) fn is_leading(&self) -> bool {
        self.group().is_some_and(|group| group.status().is_leading)
    }

    /// Runs until it is dropped.
    pub(crate) async fn run(self: Arc<Self>) {
        tokio::join!(self.seal_while_named(), self.rejoin(), self.watch_leader());
    }

    /// Back from a restart, this node is told to be behind until it has what the others have sealed, or has tried for long
    /// enough: where most sealers are lost it serves what it has.
    async fn rejoin(&self) {
        let log = self.registers.store.log_state().await;
        if log.is_ok_and(|log| log.last.or(log.purged).is_none()) {
            return;
        }
        self.rejoining.send_replace(true);
        let rejoined = async {
            while self.membership.snapshot().is_none() || self.is_named() {
                if let Some(group) = self.group()
                    && group.rejoined().await
                {
                    return;
                }
                sleep(REJOIN_LOOK).await;
            }
        };
        if timeout(REJOINS, rejoined).await.is_err() {
            tracing::warn!("the other sealers are not caught up with; what is here is served");
        }
        self.rejoining.send_replace(false);
    }

    /// Tells whoever serves followers whether this node is to seal and nobody leads it: nothing new comes to it then.
    async fn watch_leader(&self) {
        let own = self.membership.key().public();
        loop {
            let is_led = self.group().is_some_and(|group| is_led(&group.status(), &own));
            self.registers.followers.set_leaderless(self.is_named() && !is_led);
            sleep(LOOK).await;
        }
    }

    /// Seals as long as the snapshot names this node; a group that cannot go on is begun anew.
    async fn seal_while_named(&self) {
        let mut pause = Backoff::new(LOOK, Duration::from_secs(30));
        let mut snapshots = self.membership.watch_snapshot();
        loop {
            while !self.is_named() {
                if snapshots.changed().await.is_err() {
                    return;
                }
            }
            match self.seal().await {
                Ok(()) => pause.reset(),
                Err(error) => {
                    tracing::error!(%error, "sealing has ended, and begins anew");
                    sleep(pause.next()).await;
                }
            }
        }
    }

    /// Hands leadership to another, so that a planned end costs no election.
    pub(crate) async fn hand_over(&self) {
        let Some(group) = self.group() else { return };
        match timeout(HAND_OVER, group.hand_over()).await {
            Ok(Ok(successor)) => tracing::info!(?successor, "another sealer leads"),
            Ok(Err(refused)) => tracing::info!(%refused, "leadership was not handed over"),
            Err(_) => tracing::warn!("leadership was not handed over in time"),
        }
    }

    fn named(&self) -> BTreeSet<PeerId> {
        self.membership.snapshot().map(|current| current.snapshot.content.sealers.clone()).unwrap_or_default()
    }

    fn is_named(&self) -> bool {
        self.named().contains(&self.membership.peer_id())
    }

    /// Takes part until this node is named no longer, or the network sets something else.
    async fn seal(&self) -> anyhow::Result<()> {
        let settings = self.settings.clone().wait_for(Option::is_some).await?.clone().unwrap_or_default();
        // A replica that still writes would go on behind the group's back.
        let _writing = self.registers.writing.write().await;
        let generation = self.generation().await?;
        let parts = GroupParts {
            key: self.membership.key().clone(),
            store: self.registers.store.clone(),
            transport: Arc::new(Links(self.callers.clone())),
            clock: Arc::new(|| Clock::wall().0),
            settings: settings.clone(),
            generation,
            permitted: BTreeSet::new(),
        };
        let group = Arc::new(Group::start(parts).await?);
        self.group.store(Some(group.clone()));
        let feed = Feed::new(self.messages.clone(), self.registers.clone(), group.clone());
        let ended = tokio::select! {
            biased;
            why = group.failed() => Err(anyhow::anyhow!(why)),
            () = self.tell(&group) => Ok(()),
            () = feed.run() => Ok(()),
            () = self.keep_members(&group) => Ok(()),
            () = self.set_otherwise(&settings) => Ok(()),
            () = self.watch_majority(&group) => Ok(()),
            () = self.keep_system(&group) => Ok(()),
            order = self.released(generation) => {
                tracing::warn!(generation = order.generation, "this sealer is to go on without the others");
                self.may_begin.store(order.generation, Ordering::Relaxed);
                Ok(())
            }
            () = self.followed(generation) => Ok(()),
        };
        self.group.store(None);
        group.stop().await;
        ended
    }

    /// The group that this node is of from now on: it begins one where it is to.
    async fn generation(&self) -> anyhow::Result<u64> {
        let own = generation_of(self.registers.store.clone()).await?;
        // Seen once: whoever comes back before the next try is looked for again.
        let may_begin = self.may_begin.swap(0, Ordering::Relaxed);
        let Some(order) = self.ordered(own).filter(|order| order.generation == may_begin) else {
            return Ok(own.max(self.told_generation()));
        };
        self.go_on(own, order).await?;
        Ok(generation_of(self.registers.store.clone()).await?.max(self.told_generation()))
    }

    /// Resolves when the network sets something else than the group was begun with.
    async fn set_otherwise(&self, begun_with: &SealingSettings) {
        let mut settings = self.settings.clone();
        if settings.wait_for(|now| now.as_ref().is_some_and(|now| now != begun_with)).await.is_err() {
            // The driver has ended, and with it whatever would be set.
            pending::<()>().await;
        }
        tracing::info!("the sealing group begins anew with other settings");
    }

    /// Tells whoever waits of every certified docket.
    async fn tell(&self, group: &Group) {
        let mut follower = group.follow();
        // What was certified before this one followed.
        if let Err(error) = self.registers.recall().await {
            tracing::warn!(%error, "the registers' heads cannot be read");
        }
        loop {
            match follower.next().await {
                Some(Ok(docket)) => self.registers.advance(docket.header.register, docket.header.number + 1),
                Some(Err(_missed)) => drop(self.registers.recall().await),
                None => return,
            }
        }
    }

    /// Begins the group, and brings its members to what the snapshot says. Returns when this node is let go.
    async fn keep_members(&self, group: &Group) {
        let own = self.membership.key().public();
        loop {
            let named = self.named();
            if !named.contains(&self.membership.peer_id()) {
                // The others need this one until they have taken its place.
                drop(timeout(PARTING, group.wait_until(|status| !status.sealers.contains(&own))).await);
                return;
            }
            if let Some(sealers) = self.callers.keys(&named).await {
                group.permit(sealers.clone());
                if let Err(refused) = self.bring(group, sealers).await {
                    tracing::debug!(%refused, "the sealing group is not yet as the snapshot says");
                }
            }
            sleep(LOOK).await;
        }
    }

    async fn bring(&self, group: &Group, sealers: BTreeSet<NodePublicKey>) -> Result<(), GroupRefused> {
        let status = group.status();
        if status.sealers.is_empty() {
            let current = self.membership.snapshot();
            let founders = current.map(|current| current.snapshot.content.founders.clone()).unwrap_or_default();
            return match self.callers.keys(&founders).await {
                Some(keys) if founders.contains(&self.membership.peer_id()) => group.initialise(keys).await,
                _ => Ok(()),
            };
        }
        if status.is_leading && status.sealers != sealers {
            tracing::info!(sealers = sealers.len(), "the sealing group takes other members");
            return group.change(sealers).await;
        }
        Ok(())
    }
}

/// The way to the other sealers: calls on connections beside the links.
struct Links(Arc<Callers>);

impl Transport for Links {
    fn call(
        &self,
        to: NodePublicKey,
        request: Bytes,
        patience: Duration,
    ) -> BoxFuture<'static, Result<Bytes, TransportError>> {
        let callers = self.0.clone();
        Box::pin(async move {
            let calling = async {
                let unreachable = |why: String| TransportError::Unreachable(why);
                let connection =
                    callers.reach(PeerId::of(&to)).await.map_err(|error| unreachable(error.to_string()))?;
                let (channel, origin) = connection.channel();
                let mut client = SealingClient::with_origin(channel, origin)
                    .max_decoding_message_size(MAX_FRAMED_BYTES)
                    .max_encoding_message_size(MAX_FRAMED_BYTES);
                let answer = client.call(SealingCall { request }).await;
                answer.map(|answer| answer.into_inner().answer).map_err(|status| unreachable(status.to_string()))
            };
            timeout(patience, calling).await.unwrap_or_else(|_| {
                callers.unanswered(PeerId::of(&to));
                Err(TransportError::Timeout)
            })
        })
    }
}
