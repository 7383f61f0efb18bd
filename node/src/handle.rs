//! The running node as REST, gRPC and the operator client see it.

use crate::{
    api::{Gone, Identity, Node, SubmitRefused, View},
    auto_bans,
    driver::{Clock, Commands},
    member::Membership,
    operator::DigestSource,
    probes::Readiness,
    registers::{CreateRefused, Creator, NewRegister, Registers},
};
use futures::future::BoxFuture;
use peerwright_engine::{AdvertisementView, BanRecord, MemberView, ServiceStatus};
use peerwright_ledger::{Limits, Refusal, RegisterId, Transaction, TransactionBody};
use peerwright_proto::v1::HeartbeatDigest;
use peerwright_sealing::GroupStatus;
use peerwright_secure::PeerId;
use peerwright_snapshot::{Ban, SettingId, Snapshot};
use peerwright_store::Store;
use std::sync::Arc;
use tokio::sync::watch;

/// A running node.
pub struct NodeHandle {
    /// Who it is.
    pub identity: Identity,
    /// Certificate, snapshot, bans.
    pub membership: Arc<Membership>,
    /// Where its registers are.
    pub store: Arc<dyn Store>,
    /// What is committed of them.
    pub registers: Registers,
    /// Begins further ones.
    pub(crate) creator: Creator,
    /// To its driver.
    pub commands: Commands,
    /// Whether it may serve.
    pub readiness: watch::Receiver<Readiness>,
}

impl NodeHandle {
    async fn count(&self, register: RegisterId) -> u64 {
        match self.store.counts(register).await {
            Ok(counts) => counts.transactions,
            Err(error) => {
                tracing::debug!(%register, %error, "the register could not be counted");
                0
            }
        }
    }

    async fn outline(&self) -> (HeartbeatDigest, Vec<RegisterId>) {
        let view = self.view().await.ok();
        let registers = view.as_ref().map(|view| view.registers.clone()).unwrap_or_default();
        let readiness = *self.readiness.borrow();
        let current = self.membership.snapshot();
        let content = current.as_ref().map(|current| &current.snapshot.content);
        let is_named = content.is_some_and(|content| content.sealers.contains(&self.identity.peer_id));
        let seals = self.sealing().is_some_and(|status| status.sealers.contains(&self.identity.public_key));
        let held = registers.iter().map(|row| self.registers.row(row.register, row.synced, is_named || seals));
        let purged = content.into_iter().flat_map(|content| content.purged_by(&self.identity.peer_id));
        let purged = purged.map(|register| self.registers.purge_row(RegisterId::from_bytes(*register)));
        let auto_bans = view.as_ref().map(|view| auto_bans::reports(&view.auto_bans, Clock::wall().seconds()));
        let digest = HeartbeatDigest {
            links: view.map_or(0, |view| u32::try_from(view.peers.len()).unwrap_or(u32::MAX)),
            certificate_not_after: self.membership.leaf().member().map_or(0, |leaf| leaf.not_after),
            ready: readiness.is_ready(),
            reason: if readiness.is_ready() { String::new() } else { readiness.word().to_owned() },
            registers: held.chain(purged).collect(),
            auto_bans: auto_bans.unwrap_or_default(),
            seals,
            hub: self.registers.hub_row(),
            sealing: self.creator.sealer.digest(),
        };
        (digest, registers.iter().map(|row| row.register).collect())
    }
}

impl Node for NodeHandle {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.membership.snapshot().map(|current| current.snapshot.clone())
    }

    fn readiness(&self) -> Readiness {
        *self.readiness.borrow()
    }

    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    fn registers(&self) -> &Registers {
        &self.registers
    }

    fn sealing(&self) -> Option<GroupStatus> {
        self.creator.sealer.group().map(|group| group.status())
    }

    fn create_register(&self, new: NewRegister) -> BoxFuture<'_, Result<RegisterId, CreateRefused>> {
        Box::pin(self.creator.create(new))
    }

    fn view(&self) -> BoxFuture<'_, Result<View, Gone>> {
        Box::pin(self.commands.view())
    }

    fn members(&self) -> BoxFuture<'_, Result<(ServiceStatus, Vec<MemberView>), Gone>> {
        Box::pin(self.commands.members())
    }

    fn advertisements(&self) -> BoxFuture<'_, Result<Vec<AdvertisementView>, Gone>> {
        Box::pin(self.commands.advertisements())
    }

    fn sign(&self, body: TransactionBody) -> Result<Transaction, Refusal> {
        body.sign(self.membership.key())
    }

    fn limits(&self) -> Limits {
        let defaults = Limits::default();
        let current = self.membership.snapshot();
        let configured = current.map(|current| current.snapshot.content.settings.value(SettingId::MaxTransactionBytes));
        let bytes = configured.and_then(|bytes| u32::try_from(bytes).ok()).unwrap_or(defaults.max_transaction_bytes);
        Limits { max_transaction_bytes: bytes.min(defaults.max_transaction_bytes), ..defaults }
    }

    fn submit_checked(&self, transaction: Transaction) -> BoxFuture<'_, Result<(), SubmitRefused>> {
        Box::pin(async move {
            let (register, id) = (transaction.body().register, transaction.id());
            // What waits here already is durable.
            let Some(admission) = self.registers.outbox.admit(register, id)? else { return Ok(()) };
            let submitted = self.commands.submit(register, id, transaction.encoded().clone()).await;
            submitted.map_err(SubmitRefused::Node)?;
            admission.accepted();
            Ok(())
        })
    }

    fn apply_local_bans(&self, bans: Vec<BanRecord>) -> BoxFuture<'_, Result<(), Gone>> {
        let rows = bans.iter().map(|ban| (ban.subject.clone(), Ban { expires_at: ban.expires_at }));
        self.membership.replace_local_bans(rows.collect());
        Box::pin(self.commands.apply_local_bans(bans))
    }

    fn lift_auto_ban(&self, peer: PeerId) -> BoxFuture<'_, Result<(), Gone>> {
        Box::pin(self.commands.lift_auto_ban(peer))
    }

    fn reset_failures(&self, peer: PeerId) -> BoxFuture<'_, Result<u32, Gone>> {
        Box::pin(self.commands.reset_failures(peer))
    }
}

impl DigestSource for NodeHandle {
    fn outline(&self) -> BoxFuture<'_, HeartbeatDigest> {
        Box::pin(async { self.outline().await.0 })
    }

    fn digest(&self) -> BoxFuture<'_, HeartbeatDigest> {
        Box::pin(async {
            let (mut digest, registers) = self.outline().await;
            for (row, register) in digest.registers.iter_mut().zip(registers) {
                row.transactions = self.count(register).await;
            }
            digest
        })
    }
}
