//! A network in memory: every message takes a while, wires can be cut, sealers can be gone.

use crate::{Group, Transport, TransportError};
use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use peerwright_secure::NodePublicKey;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

/// All wires between all sealers.
#[derive(Default)]
pub(crate) struct Wires {
    sealers: Mutex<BTreeMap<NodePublicKey, Weak<Group>>>,
    cut: Mutex<BTreeSet<(NodePublicKey, NodePublicKey)>>,
    delay: Mutex<Duration>,
}

/// One sealer's end of them.
pub(crate) struct Wire {
    pub(crate) wires: Arc<Wires>,
    pub(crate) me: NodePublicKey,
}

impl Wires {
    pub(crate) fn attach(&self, sealer: NodePublicKey, group: &Arc<Group>) {
        self.sealers.lock().unwrap().insert(sealer, Arc::downgrade(group));
    }

    pub(crate) fn detach(&self, sealer: &NodePublicKey) {
        self.sealers.lock().unwrap().remove(sealer);
    }

    pub(crate) fn set_delay(&self, delay: Duration) {
        *self.delay.lock().unwrap() = delay;
    }

    /// Nothing passes between the two any more: not lost at once, but never answered.
    pub(crate) fn cut(&self, one: NodePublicKey, other: NodePublicKey) {
        self.cut.lock().unwrap().extend([(one, other), (other, one)]);
    }

    pub(crate) fn heal(&self) {
        self.cut.lock().unwrap().clear();
    }

    async fn pass(&self, from: NodePublicKey, to: NodePublicKey) {
        let delay = *self.delay.lock().unwrap();
        tokio::time::sleep(delay).await;
        if self.cut.lock().unwrap().contains(&(from, to)) {
            std::future::pending::<()>().await;
        }
    }
}

impl Transport for Wire {
    fn call(
        &self,
        to: NodePublicKey,
        request: Bytes,
        patience: Duration,
    ) -> BoxFuture<'static, Result<Bytes, TransportError>> {
        let (wires, me) = (Arc::clone(&self.wires), self.me);
        let call = async move {
            wires.pass(me, to).await;
            let sealer = wires.sealers.lock().unwrap().get(&to).and_then(Weak::upgrade);
            let sealer = sealer.ok_or_else(|| TransportError::Unreachable("nobody listens".to_owned()))?;
            let answer = sealer.serve(me, request).await;
            drop(sealer);
            wires.pass(to, me).await;
            Ok(answer)
        };
        async move { tokio::time::timeout(patience, call).await.unwrap_or(Err(TransportError::Timeout)) }.boxed()
    }
}
