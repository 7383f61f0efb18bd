//! What the API server has, kept in memory.
//!
//! ```text
//! watch of each namespace ──> merge ──> Cache ──> who is told of the change (triggers)
//!                                        ^
//! answers to our own writes ─────────────┘   so that nobody acts on what was before our last write
//! ```
//!
//! Reads never go to the API server: a cache is complete before anything acts on it, and what this process wrote is
//! visible here at once, also while the watch is still behind.

mod decoded;
mod key;
mod merge;
pub mod prune;
mod watch;

use std::{
    collections::HashMap,
    fmt::Debug,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use kube::{
    Resource, ResourceExt,
    runtime::{
        reflector::{ObjectRef, Store, store, store::Writer},
        watcher::Event,
    },
};

pub use decoded::Decoded;
pub use key::ObjectKey;
pub use watch::{Change, Watch};

/// The objects of one kind that the operator looks at.
#[derive(Debug)]
pub struct Cache<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    store: Store<K>,
    written: Mutex<Written<K>>,
}

/// What is newer than what the watch shows.
#[derive(Debug)]
struct Written<K> {
    /// Answers to our writes that the watch has not shown yet.
    answers: HashMap<ObjectKey, (Instant, Arc<K>)>,
    /// UIDs of objects that the watch showed to be gone: an answer that comes later does not bring one back.
    gone: HashMap<String, Instant>,
}

impl<K> Default for Written<K> {
    fn default() -> Self {
        Self { answers: HashMap::new(), gone: HashMap::new() }
    }
}

/// How long our own word is taken for what the API server has. A watch is never this late; an object that was deleted
/// before any watch had shown it would otherwise stay for ever.
const OUR_WORD_COUNTS: Duration = Duration::from_secs(60);

impl<K> Cache<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + 'static,
{
    /// An empty cache, and what fills it.
    fn new() -> (Self, Writer<K>) {
        let (store, writer) = store();
        (Self { store, written: Mutex::default() }, writer)
    }

    /// A cache that holds these objects: for tests of what reads it.
    #[cfg(test)]
    pub(crate) fn holding(objects: impl IntoIterator<Item = K>) -> Self {
        let (cache, mut writer) = Self::new();
        writer.apply_watcher_event(&Event::Init);
        objects.into_iter().for_each(|object| writer.apply_watcher_event(&Event::InitApply(object)));
        writer.apply_watcher_event(&Event::InitDone);
        cache
    }

    /// The store underneath, for a controller's queue.
    #[must_use]
    pub fn store(&self) -> Store<K> {
        self.store.clone()
    }

    /// Returns once the first complete list is in.
    pub async fn filled(&self) {
        // The only error is a writer that was dropped, which happens at shutdown: nothing becomes ready then.
        if self.store.wait_until_ready().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The object under this key.
    #[must_use]
    pub fn get(&self, key: &ObjectKey) -> Option<Arc<K>> {
        self.newer(key, self.store.get(&key.to_ref()))
    }

    /// Every object for which `wanted` holds.
    pub fn select(&self, wanted: impl Fn(&K) -> bool) -> Vec<Arc<K>> {
        let mut objects = self.store.state();
        let written: Vec<ObjectKey> = self.written().answers.keys().cloned().collect();
        for key in written {
            let stored = self.store.get(&key.to_ref());
            objects.retain(|object| ObjectKey::of(object.as_ref()) != key);
            objects.extend(self.newer(&key, stored));
        }
        objects.retain(|object| wanted(object));
        objects
    }

    /// Takes in the API server's answer to a write of ours.
    pub fn wrote(&self, object: K) {
        let mut written = self.written();
        if !object.uid().is_some_and(|uid| written.gone.contains_key(&uid)) {
            written.answers.insert(ObjectKey::of(&object), (Instant::now(), Arc::new(object)));
        }
    }

    /// Takes in what the watch shows.
    fn observe(&self, writer: &mut Writer<K>, event: &Event<K>) {
        match event {
            Event::Delete(object) => {
                let mut written = self.written();
                written.answers.remove(&ObjectKey::of(object));
                written.gone.retain(|_, since| since.elapsed() < OUR_WORD_COUNTS);
                written.gone.extend(object.uid().map(|uid| (uid, Instant::now())));
            }
            Event::Init => self.written().answers.clear(),
            Event::Apply(_) | Event::InitApply(_) | Event::InitDone => {}
        }
        writer.apply_watcher_event(event);
    }

    fn newer(&self, key: &ObjectKey, stored: Option<Arc<K>>) -> Option<Arc<K>> {
        let mut written = self.written();
        match written.answers.get(key) {
            Some((at, ours))
                if at.elapsed() < OUR_WORD_COUNTS
                    && stored.as_ref().is_none_or(|stored| is_older(stored.as_ref(), ours)) =>
            {
                Some(Arc::clone(ours))
            }
            Some(_) => {
                written.answers.remove(key);
                stored
            }
            None => stored,
        }
    }

    fn written(&self) -> MutexGuard<'_, Written<K>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether `object` is an earlier version than `other`. Resource versions of one kind are ordered numbers; where they
/// are not, what the watch shows counts.
fn is_older<K: Resource>(object: &K, other: &K) -> bool {
    let version = |object: &K| object.resource_version().and_then(|version| version.parse::<u64>().ok());
    matches!((version(object), version(other)), (Some(version), Some(other)) if version < other)
}

impl ObjectKey {
    fn to_ref<K>(&self) -> ObjectRef<K>
    where
        K: Resource<DynamicType = ()>,
        K::DynamicType: Hash + Eq,
    {
        ObjectRef::new(&self.name).within(&self.namespace)
    }
}

#[cfg(test)]
mod tests;
