//! A network in memory: every message takes a while, may be lost, wires can be cut in one direction or both, sealers can be
//! gone.

use super::chance::Chance;
use crate::{Group, Transport, TransportError};
use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use peerwright_secure::NodePublicKey;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

/// What messages meet on their way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Weather {
    /// The least that a message takes.
    pub(crate) delay: Duration,
    /// How many milliseconds more it may take.
    pub(crate) jitter_millis: u64,
    /// Of a thousand messages so many are lost.
    pub(crate) lost_of_thousand: u64,
    /// What decides; without it there is no jitter and no loss.
    pub(crate) chance: Option<Chance>,
}

/// All wires between all sealers.
#[derive(Default)]
pub(crate) struct Wires {
    sealers: Mutex<BTreeMap<NodePublicKey, Weak<Group>>>,
    cut: Mutex<BTreeSet<(NodePublicKey, NodePublicKey)>>,
    weather: Mutex<Weather>,
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
        self.set_weather(Weather { delay, ..Weather::default() });
    }

    pub(crate) fn set_weather(&self, weather: Weather) {
        *self.weather.lock().unwrap() = weather;
    }

    /// Nothing passes between the two any more: not lost at once, but never answered.
    pub(crate) fn cut(&self, one: NodePublicKey, other: NodePublicKey) {
        self.cut_one_way(one, other);
        self.cut_one_way(other, one);
    }

    /// What one says does not reach the other any more.
    pub(crate) fn cut_one_way(&self, from: NodePublicKey, to: NodePublicKey) {
        self.cut.lock().unwrap().insert((from, to));
    }

    pub(crate) fn heal(&self) {
        self.cut.lock().unwrap().clear();
    }

    /// Resolves when a message has arrived; never, when it is lost.
    pub(crate) async fn pass(&self, from: NodePublicKey, to: NodePublicKey) {
        let (delay, is_lost) = {
            let weather = self.weather.lock().unwrap();
            let drawn = weather
                .chance
                .as_ref()
                .map(|chance| (chance.millis(weather.jitter_millis), chance.below(1_000) < weather.lost_of_thousand));
            let (jitter, is_lost) = drawn.unwrap_or_default();
            (weather.delay + jitter, is_lost)
        };
        tokio::time::sleep(delay).await;
        if is_lost || self.cut.lock().unwrap().contains(&(from, to)) {
            std::future::pending::<()>().await;
        }
    }

    fn listening(&self, sealer: &NodePublicKey) -> Option<Weak<Group>> {
        self.sealers.lock().unwrap().get(sealer).cloned()
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
        let gone = || TransportError::Unreachable("nobody listens".to_owned());
        let call = async move {
            wires.pass(me, to).await;
            let listening = wires.listening(&to).ok_or_else(gone)?;
            let sealer = listening.upgrade().ok_or_else(gone)?;
            let answer = sealer.serve(me, request).await;
            drop(sealer);
            // What a process was about to say when it ended is not heard any more.
            if !wires.listening(&to).is_some_and(|now| now.ptr_eq(&listening)) {
                return Err(gone());
            }
            wires.pass(to, me).await;
            Ok(answer)
        };
        async move { tokio::time::timeout(patience, call).await.unwrap_or(Err(TransportError::Timeout)) }.boxed()
    }
}
