//! The task that keeps one cache up to date.

use std::{fmt::Debug, sync::Arc};

use futures::{StreamExt, stream};
use kube::{
    Api, Client, Resource,
    core::NamespaceResourceScope,
    runtime::{
        WatchStreamExt,
        reflector::store::Writer,
        watcher::{self, Event, watcher},
    },
};
use serde::de::DeserializeOwned;

use super::{
    Cache, ObjectKey,
    merge::{Merge, Merged},
};
use crate::{
    api::{ApiMetrics, WatchLabels},
    settings::Namespaces,
};

/// What happened to an object.
#[derive(Debug)]
pub enum Change<'a, K> {
    /// It is there, new or changed.
    Applied {
        /// As it is now.
        object: &'a K,
        /// As it was, unless it is new here.
        before: Option<&'a K>,
    },
    /// It is not there any more.
    Deleted {
        /// As it last was.
        object: &'a K,
    },
}

impl<'a, K: Resource> Change<'a, K> {
    /// The object, as it is or last was.
    #[must_use]
    pub const fn object(&self) -> &'a K {
        match self {
            Self::Applied { object, .. } | Self::Deleted { object } => object,
        }
    }

    /// More than the status changed: what is wanted is another, or the object came or goes.
    #[must_use]
    pub fn is_about_the_spec(&self) -> bool {
        let Self::Applied { object, before: Some(before) } = self else { return true };
        let (object, before) = (object.meta(), before.meta());
        (object.uid.as_ref(), object.generation, object.deletion_timestamp.as_ref())
            != (before.uid.as_ref(), before.generation, before.deletion_timestamp.as_ref())
    }
}

/// A watch that is to run: of one kind, in every namespace that the operator looks at.
pub struct Watch<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    cache: Arc<Cache<K>>,
    writer: Writer<K>,
    apis: Vec<Api<K>>,
    config: watcher::Config,
    prune: fn(&mut K),
    metrics: ApiMetrics,
}

impl<K> Watch<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    /// Prepares a watch. `selector` narrows it to objects with these labels; `prune` drops what is not to be kept.
    pub fn new(
        client: &Client,
        namespaces: &Namespaces,
        selector: Option<&str>,
        prune: fn(&mut K),
        metrics: ApiMetrics,
    ) -> Self {
        let apis = match namespaces {
            Namespaces::All => vec![Api::all(client.clone())],
            Namespaces::Only(names) => names.iter().map(|name| Api::namespaced(client.clone(), name)).collect(),
        };
        let config = watcher::Config { label_selector: selector.map(str::to_owned), ..watcher::Config::default() };
        let (cache, writer) = Cache::new();
        Self { cache: Arc::new(cache), writer, apis, config, prune, metrics }
    }

    /// The cache that the watch fills.
    #[must_use]
    pub fn cache(&self) -> Arc<Cache<K>> {
        Arc::clone(&self.cache)
    }

    /// Runs for as long as it is polled; `changed` hears of each change after the cache has it.
    pub async fn run(self, changed: impl Fn(Change<'_, K>)) {
        let Self { cache, mut writer, apis, config, prune, metrics } = self;
        let resource = K::plural(&()).into_owned();
        let labels = WatchLabels { resource: resource.clone() };
        let mut merge = Merge::new(apis.len());
        let watches = apis.into_iter().enumerate().map(|(scope, api)| {
            let events = watcher(api, config.clone()).default_backoff();
            events.map(move |event| (scope, event)).boxed()
        });
        let mut events = stream::select_all(watches);
        while let Some((scope, event)) = events.next().await {
            match event {
                Ok(event) => {
                    metrics.watch_is_alive(&resource);
                    for merged in merge.handle(scope, event.modify(prune)) {
                        take_in(&cache, &mut writer, merged, &changed);
                    }
                }
                Err(error) => {
                    metrics.watch_errors.get_or_create(&labels).inc();
                    tracing::warn!(%resource, %error, "a watch failed; it begins anew");
                }
            }
        }
    }
}

fn take_in<K>(cache: &Cache<K>, writer: &mut Writer<K>, merged: Merged<Event<K>>, changed: &impl Fn(Change<'_, K>))
where
    K: Resource<DynamicType = ()> + Clone + Debug + 'static,
{
    let event = match merged {
        Merged::Event(event) => event,
        Merged::Gone(key) => match cache.store.get(&key.to_ref()) {
            Some(object) => Event::Delete(Arc::unwrap_or_clone(object)),
            None => return,
        },
    };
    let before = match &event {
        Event::Apply(object) => cache.store.get(&ObjectKey::of(object).to_ref()),
        _ => None,
    };
    cache.observe(writer, &event);
    match &event {
        Event::Apply(object) | Event::InitApply(object) => {
            changed(Change::Applied { object, before: before.as_deref() });
        }
        Event::Delete(object) => changed(Change::Deleted { object }),
        Event::Init | Event::InitDone => {}
    }
}
