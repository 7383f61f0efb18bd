//! Makes one watch of several: each namespace lists, fails and lists again on its own, while readers see one list that
//! became complete once, and then changes only. A list that was read again turns into the changes it amounts to: nobody
//! downstream misses an object that went while the watch was away.

use std::collections::HashSet;

use kube::{Resource, runtime::watcher::Event};

use super::ObjectKey;

/// The state of every watch that is merged.
#[derive(Debug)]
pub(super) struct Merge {
    scopes: Vec<Scope>,
    begun: bool,
    complete: bool,
    /// Went before the first list of all was complete.
    gone_early: HashSet<ObjectKey>,
}

#[derive(Debug, Default)]
struct Scope {
    listed: bool,
    known: HashSet<ObjectKey>,
    listing: HashSet<ObjectKey>,
}

/// What the merged watch shows.
#[derive(Debug, PartialEq)]
pub(super) enum Merged<E> {
    /// This event.
    Event(E),
    /// The object under this key is not there any more.
    Gone(ObjectKey),
}

impl Merge {
    pub(super) fn new(scopes: usize) -> Self {
        Self {
            scopes: std::iter::repeat_with(Scope::default).take(scopes).collect(),
            begun: false,
            complete: false,
            gone_early: HashSet::new(),
        }
    }

    /// Takes an event of one watch in and gives what it means for all.
    pub(super) fn handle<K: Resource>(&mut self, scope: usize, event: Event<K>) -> Vec<Merged<Event<K>>> {
        let mut out = Vec::new();
        if !std::mem::replace(&mut self.begun, true) {
            out.push(Merged::Event(Event::Init));
        }
        let Some(scope) = self.scopes.get_mut(scope) else { return out };
        match event {
            Event::Init => scope.listing.clear(),
            Event::InitApply(object) | Event::Apply(object) => {
                let key = ObjectKey::of(&object);
                self.gone_early.remove(&key);
                scope.listing.insert(key.clone());
                scope.known.insert(key);
                out.push(Merged::Event(if self.complete { Event::Apply(object) } else { Event::InitApply(object) }));
            }
            Event::Delete(object) => {
                let key = ObjectKey::of(&object);
                scope.known.remove(&key);
                if self.complete {
                    out.push(Merged::Event(Event::Delete(object)));
                } else {
                    self.gone_early.insert(key);
                }
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut scope.listing);
                let gone = std::mem::replace(&mut scope.known, listed.clone());
                let gone = gone.into_iter().filter(|key| !listed.contains(key));
                scope.listed = true;
                if self.complete {
                    out.extend(gone.map(Merged::Gone));
                } else {
                    self.gone_early.extend(gone);
                    self.complete_if_listed(&mut out);
                }
            }
        }
        out
    }

    fn complete_if_listed<K>(&mut self, out: &mut Vec<Merged<Event<K>>>) {
        if self.scopes.iter().all(|scope| scope.listed) {
            self.complete = true;
            out.push(Merged::Event(Event::InitDone));
            out.extend(self.gone_early.drain().map(Merged::Gone));
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::{ResourceExt, api::ObjectMeta};

    use super::*;

    fn object(namespace: &str, name: &str) -> ConfigMap {
        let metadata =
            ObjectMeta { namespace: Some(namespace.to_owned()), name: Some(name.to_owned()), ..ObjectMeta::default() };
        ConfigMap { metadata, ..ConfigMap::default() }
    }

    fn words(events: Vec<Merged<Event<ConfigMap>>>) -> Vec<String> {
        let word = |event: Merged<Event<ConfigMap>>| match event {
            Merged::Event(Event::Init) => "init".to_owned(),
            Merged::Event(Event::InitDone) => "done".to_owned(),
            Merged::Event(Event::InitApply(object)) => format!("list {}", object.name_any()),
            Merged::Event(Event::Apply(object)) => format!("apply {}", object.name_any()),
            Merged::Event(Event::Delete(object)) => format!("delete {}", object.name_any()),
            Merged::Gone(key) => format!("gone {}", key.name),
        };
        events.into_iter().map(word).collect()
    }

    #[test]
    fn the_list_is_complete_when_every_namespace_has_listed() {
        let mut merge = Merge::new(2);
        assert_eq!(words(merge.handle::<ConfigMap>(0, Event::Init)), ["init"]);
        assert_eq!(words(merge.handle(0, Event::InitApply(object("a", "x")))), ["list x"]);
        assert!(words(merge.handle::<ConfigMap>(0, Event::InitDone)).is_empty());
        assert_eq!(words(merge.handle(0, Event::Apply(object("a", "y")))), ["list y"]);
        assert!(words(merge.handle(0, Event::Delete(object("a", "x")))).is_empty());
        assert!(words(merge.handle::<ConfigMap>(1, Event::Init)).is_empty());
        assert_eq!(words(merge.handle::<ConfigMap>(1, Event::InitDone)), ["done", "gone x"]);
    }

    #[test]
    fn a_list_that_is_read_again_shows_what_went_meanwhile() {
        let mut merge = Merge::new(1);
        for event in
            [Event::Init, Event::InitApply(object("a", "x")), Event::InitApply(object("a", "y")), Event::InitDone]
        {
            merge.handle(0, event);
        }
        assert!(words(merge.handle::<ConfigMap>(0, Event::Init)).is_empty(), "the list stays complete");
        assert_eq!(words(merge.handle(0, Event::InitApply(object("a", "y")))), ["apply y"]);
        assert_eq!(words(merge.handle::<ConfigMap>(0, Event::InitDone)), ["gone x"]);
    }

    #[test]
    fn a_first_list_that_failed_and_began_again_is_not_mistaken_for_two() {
        let mut merge = Merge::new(1);
        merge.handle::<ConfigMap>(0, Event::Init);
        merge.handle(0, Event::InitApply(object("a", "x")));
        merge.handle::<ConfigMap>(0, Event::Init);
        merge.handle(0, Event::InitApply(object("a", "y")));
        assert_eq!(words(merge.handle::<ConfigMap>(0, Event::InitDone)), ["done", "gone x"]);
    }

    #[test]
    fn an_object_that_came_back_is_not_gone() {
        let mut merge = Merge::new(1);
        merge.handle::<ConfigMap>(0, Event::Init);
        merge.handle(0, Event::InitApply(object("a", "x")));
        merge.handle(0, Event::Delete(object("a", "x")));
        merge.handle(0, Event::InitApply(object("a", "x")));
        assert_eq!(words(merge.handle::<ConfigMap>(0, Event::InitDone)), ["done"]);
    }
}
