//! A node that is only a store.

use crate::{
    api::{Gone, Identity, Node, SubmitRefused, View},
    probes::Readiness,
    registers::{CreateRefused, NewRegister, Registers},
};
use futures::future::BoxFuture;
use peerwright_engine::{AdvertisementView, BanRecord, BanView, MemberView, Micros, ServiceStatus};
use peerwright_ledger::{
    Entry, Limits, Message, MessageBody, Refusal, RegisterId, Transaction, TransactionBody, message::MAX_INLINE_BYTES,
};
use peerwright_sealing::GroupStatus;
use peerwright_secure::{NodeKey, PeerId};
use peerwright_snapshot::{Content, SettingId, Settings, Snapshot, Subscription};
use peerwright_store::{Memory, Store};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

/// The register that the node holds.
pub(crate) const REGISTER: RegisterId = RegisterId::from_bytes([0xab; 16]);
/// The longest transaction that its network accepts.
pub(crate) const MAX_TRANSACTION_BYTES: u32 = 300_000;

/// A node without links.
pub(crate) struct TestNode {
    pub(crate) key: NodeKey,
    identity: Identity,
    snapshot: Mutex<Option<Arc<Snapshot>>>,
    pub(crate) readiness: Mutex<Readiness>,
    pub(crate) view: Mutex<View>,
    pub(crate) members: Mutex<(ServiceStatus, Vec<MemberView>)>,
    pub(crate) heard: Mutex<Vec<AdvertisementView>>,
    pub(crate) store: Arc<Memory>,
    registers: Registers,
    /// Refuses every submission with it.
    pub(crate) refusal: Mutex<Option<SubmitRefused>>,
    pub(crate) submitted: AtomicU64,
}

impl TestNode {
    pub(crate) fn new() -> Self {
        let key = NodeKey::from_seed([7; 32]);
        let identity = Identity {
            network: "demo".to_owned(),
            namespace: "default".to_owned(),
            node: "demo-peer-0".to_owned(),
            trust_domain: "demo.default.peerwright.internal".to_owned(),
            public_key: key.public(),
            peer_id: key.peer_id(),
            incarnation: 5,
            started_at: 1_800_000_000_000_000,
        };
        let mut settings = Settings::default();
        settings.set(SettingId::MaxTransactionBytes, MAX_TRANSACTION_BYTES.into());
        settings.set(SettingId::TransactionTtl, 1_800);
        let content = Content {
            trust_domain: identity.trust_domain.clone(),
            subscriptions: [(*REGISTER.as_bytes(), Subscription::default())].into(),
            settings,
            ..Content::default()
        };
        let snapshot = Snapshot { network_uid: "uid".to_owned(), epoch: 1, revision: 1, content };
        let store = Arc::new(Memory::new("uid"));
        let registers = Registers::new(store.clone(), Arc::default());
        let view = View { now: Micros(1_000_000_000), ..View::default() };
        Self {
            key,
            identity,
            snapshot: Mutex::new(Some(Arc::new(snapshot))),
            readiness: Mutex::new(Readiness::Ready { alone: false }),
            view: Mutex::new(view),
            members: Mutex::default(),
            heard: Mutex::default(),
            store,
            registers,
            refusal: Mutex::new(None),
            submitted: AtomicU64::new(0),
        }
    }

    /// Puts the next revision of the snapshot in force.
    pub(crate) fn change_snapshot(&self, change: impl FnOnce(&mut Content)) {
        let mut snapshot = self.snapshot.lock().unwrap();
        let mut next = Snapshot::clone(snapshot.as_ref().unwrap());
        next.revision += 1;
        change(&mut next.content);
        *snapshot = Some(Arc::new(next));
    }

    pub(crate) fn forget_snapshot(&self) {
        self.snapshot.lock().unwrap().take();
    }

    /// As the node would publish it.
    pub(super) fn message(&self, transaction: &Transaction) -> Message {
        let sequence = self.submitted.fetch_add(1, Ordering::Relaxed) + 1;
        let bytes = transaction.encoded().clone();
        let entry = if bytes.len() <= MAX_INLINE_BYTES {
            Entry::Inline(bytes)
        } else {
            Entry::Announced { id: transaction.id(), size: u32::try_from(bytes.len()).unwrap() }
        };
        let body = MessageBody {
            origin: self.key.public(),
            incarnation: 5,
            sequence,
            floor: 1,
            previous: [0; 32],
            register: transaction.body().register,
            register_sequence: sequence,
            created_at_micros: 1,
            expires_at_micros: 2,
            entries: vec![entry],
        };
        body.sign(&self.key).unwrap()
    }
}

impl Node for TestNode {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.lock().unwrap().clone()
    }

    fn readiness(&self) -> Readiness {
        *self.readiness.lock().unwrap()
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store) as Arc<dyn Store>
    }

    fn registers(&self) -> &Registers {
        &self.registers
    }

    fn sealing(&self) -> Option<GroupStatus> {
        None
    }

    fn create_register(&self, _: NewRegister) -> BoxFuture<'_, Result<RegisterId, CreateRefused>> {
        Box::pin(async { Err(CreateRefused::NoSealers) })
    }

    fn view(&self) -> BoxFuture<'_, Result<View, Gone>> {
        let view = self.view.lock().unwrap().clone();
        Box::pin(async { Ok(view) })
    }

    fn members(&self) -> BoxFuture<'_, Result<(ServiceStatus, Vec<MemberView>), Gone>> {
        let members = self.members.lock().unwrap().clone();
        Box::pin(async { Ok(members) })
    }

    fn advertisements(&self) -> BoxFuture<'_, Result<Vec<AdvertisementView>, Gone>> {
        let heard = self.heard.lock().unwrap().clone();
        Box::pin(async { Ok(heard) })
    }

    fn sign(&self, body: TransactionBody) -> Result<Transaction, Refusal> {
        body.sign(&self.key)
    }

    fn limits(&self) -> Limits {
        Limits { max_transaction_bytes: MAX_TRANSACTION_BYTES, ..Limits::default() }
    }

    fn submit_checked(&self, transaction: Transaction) -> BoxFuture<'_, Result<(), SubmitRefused>> {
        Box::pin(async move {
            if let Some(refusal) = self.refusal.lock().unwrap().clone() {
                return Err(refusal);
            }
            let message = self.message(&transaction);
            self.store
                .put_body(transaction.body().register, transaction.id(), transaction.encoded().clone())
                .await
                .unwrap();
            self.store.append(vec![message], 1_800_000_000_000_000).await.unwrap();
            Ok(())
        })
    }

    fn apply_local_bans(&self, bans: Vec<BanRecord>) -> BoxFuture<'_, Result<(), Gone>> {
        let mut view = self.view.lock().unwrap();
        view.bans.retain(|ban| ban.by_policy);
        view.bans.iter_mut().for_each(|ban| ban.by_node = false);
        for ban in bans {
            if let Some(known) = view.bans.iter_mut().find(|known| known.subject == ban.subject) {
                known.by_node = true;
            } else {
                view.bans.push(BanView {
                    subject: ban.subject,
                    expires_at: None,
                    by_policy: false,
                    by_node: true,
                    automatic: false,
                });
            }
        }
        Box::pin(async { Ok(()) })
    }

    fn lift_auto_ban(&self, peer: PeerId) -> BoxFuture<'_, Result<(), Gone>> {
        let mut view = self.view.lock().unwrap();
        view.auto_bans.iter_mut().filter(|ban| ban.peer == peer).for_each(|ban| ban.lifted = Some(1));
        view.bans.retain(|ban| ban.subject != peer.into() || ban.by_policy);
        Box::pin(async { Ok(()) })
    }

    fn reset_failures(&self, peer: PeerId) -> BoxFuture<'_, Result<u32, Gone>> {
        let mut view = self.view.lock().unwrap();
        let row = view.addresses.iter_mut().find(|row| row.peer == Some(peer));
        let previous = row.map_or(0, |row| std::mem::take(&mut row.failures));
        Box::pin(async move { Ok(previous) })
    }
}
