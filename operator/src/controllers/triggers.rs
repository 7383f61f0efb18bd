//! Who is to be reconciled: from whoever saw a change to the controller that minds.
//!
//! A trigger is a hint, not a message: it is dropped when no controller runs (the next one begins with everything), and
//! when too many wait, everything is looked at instead.

use std::{collections::VecDeque, convert::Infallible};

use futures::{Stream, stream};
use kube::{
    Resource,
    runtime::reflector::{ObjectRef, Store},
};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::{cache::ObjectKey, identity::NetworkKey};

/// Most hints that wait; beyond it everything is looked at.
const WAITING: usize = 4096;

/// Hints of one kind.
#[derive(Clone, Debug)]
pub struct Trigger<T> {
    sender: broadcast::Sender<T>,
}

/// Hints for every controller.
#[derive(Clone, Debug, Default)]
pub struct Triggers {
    /// Networks whose children, rollout or status may be another.
    pub networks: Trigger<ObjectKey>,
    /// Networks whose identity or snapshot may be another.
    pub policies: Trigger<ObjectKey>,
    /// Bans whose status may be another.
    pub bans: Trigger<ObjectKey>,
    /// Subscriptions whose status may be another.
    pub subscriptions: Trigger<ObjectKey>,
    /// Operations that may have come further.
    pub operations: Trigger<ObjectKey>,
    /// Networks whose pods or nodes changed.
    pub reach: Trigger<ObjectKey>,
    /// Networks that are gone.
    pub departed: Trigger<NetworkKey>,
}

impl<T: Clone> Default for Trigger<T> {
    fn default() -> Self {
        Self { sender: broadcast::Sender::new(WAITING) }
    }
}

/// What a listener hears.
#[derive(Debug, PartialEq, Eq)]
pub enum Hint<T> {
    /// This one.
    One(T),
    /// More than could be kept: look at everything.
    Everything,
}

/// Hears the hints of one trigger.
pub struct Listener<T> {
    receiver: broadcast::Receiver<T>,
}

impl<T: Clone> Trigger<T> {
    /// Gives a hint.
    pub fn fire(&self, what: T) {
        // Nobody listens while this replica does not lead.
        let _heard = self.sender.send(what);
    }

    /// Hears every hint from now on.
    #[must_use]
    pub fn listen(&self) -> Listener<T> {
        Listener { receiver: self.sender.subscribe() }
    }
}

impl<T: Clone> Listener<T> {
    /// The next hint. Waits for ever when there is none.
    pub async fn next(&mut self) -> Hint<T> {
        match self.receiver.recv().await {
            Ok(what) => Hint::One(what),
            Err(RecvError::Lagged(_)) => Hint::Everything,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

impl Trigger<ObjectKey> {
    /// The queue of a controller of `K`: everything that there is, then every hint.
    pub fn queue<K>(&self, store: Store<K>) -> impl Stream<Item = Result<ObjectRef<K>, Infallible>> + use<K>
    where
        K: Resource<DynamicType = ()> + Clone + 'static,
    {
        let listener = self.listen();
        let begin = Queue { waiting: everything(&store), listener, store };
        stream::unfold(begin, |mut queue| async move {
            loop {
                if let Some(object) = queue.waiting.pop_front() {
                    return Some((Ok(object), queue));
                }
                match queue.listener.next().await {
                    Hint::One(key) => queue.waiting.push_back(ObjectRef::new(&key.name).within(&key.namespace)),
                    Hint::Everything => queue.waiting = everything(&queue.store),
                }
            }
        })
    }
}

struct Queue<K: Resource<DynamicType = ()> + Clone + 'static> {
    waiting: VecDeque<ObjectRef<K>>,
    listener: Listener<ObjectKey>,
    store: Store<K>,
}

fn everything<K: Resource<DynamicType = ()> + Clone>(store: &Store<K>) -> VecDeque<ObjectRef<K>> {
    store.state().iter().map(|object| ObjectRef::from_obj(object.as_ref())).collect()
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::api::ObjectMeta;

    use super::*;
    use crate::cache::Cache;

    fn object(name: &str) -> ConfigMap {
        let metadata = ObjectMeta { namespace: Some("shop".into()), name: Some(name.into()), ..ObjectMeta::default() };
        ConfigMap { metadata, ..ConfigMap::default() }
    }

    #[tokio::test]
    async fn a_queue_begins_with_everything_and_goes_on_with_hints() {
        let cache = Cache::holding([object("a")]);
        let trigger = Trigger::default();
        trigger.fire(ObjectKey::new("shop", "nobody listens"));
        let mut queue = Box::pin(trigger.queue(cache.store()));
        trigger.fire(ObjectKey::new("shop", "b"));
        assert_eq!(queue.next().await.unwrap().unwrap().name, "a");
        assert_eq!(queue.next().await.unwrap().unwrap().name, "b");
    }

    #[tokio::test]
    async fn too_many_hints_are_replaced_by_a_look_at_everything() {
        let cache = Cache::holding([object("a")]);
        let trigger = Trigger::default();
        let mut queue = Box::pin(trigger.queue(cache.store()));
        assert_eq!(queue.next().await.unwrap().unwrap().name, "a");
        for n in 0..=WAITING {
            trigger.fire(ObjectKey::new("shop", format!("n{n}")));
        }
        assert_eq!(queue.next().await.unwrap().unwrap().name, "a");
    }
}
