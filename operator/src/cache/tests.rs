use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{api::ObjectMeta, runtime::watcher::Event};

use super::{Cache, ObjectKey};

fn object(name: &str, version: &str, value: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            namespace: Some("shop".to_owned()),
            name: Some(name.to_owned()),
            resource_version: Some(version.to_owned()),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([("value".to_owned(), value.to_owned())])),
        ..ConfigMap::default()
    }
}

fn value(cache: &Cache<ConfigMap>, name: &str) -> Option<String> {
    cache.get(&ObjectKey::new("shop", name)).and_then(|map| map.data.clone()?.remove("value"))
}

#[test]
fn a_write_is_visible_before_the_watch_shows_it() {
    let (cache, mut writer) = Cache::new();
    for event in [Event::Init, Event::InitApply(object("a", "9", "old")), Event::InitDone] {
        cache.observe(&mut writer, &event);
    }
    cache.wrote(object("a", "10", "new"));
    cache.wrote(object("b", "11", "made"));
    assert_eq!(value(&cache, "a").as_deref(), Some("new"));
    let mut all: Vec<_> = cache.select(|_| true).iter().map(|map| ObjectKey::of(map.as_ref()).name).collect();
    all.sort_unstable();
    assert_eq!(all, ["a", "b"]);
}

#[test]
fn what_the_watch_shows_later_wins_over_our_write() {
    let (cache, mut writer) = Cache::new();
    cache.observe(&mut writer, &Event::Init);
    cache.observe(&mut writer, &Event::InitDone);
    cache.wrote(object("a", "10", "ours"));
    cache.observe(&mut writer, &Event::Apply(object("a", "9", "before ours")));
    assert_eq!(value(&cache, "a").as_deref(), Some("ours"));
    cache.observe(&mut writer, &Event::Apply(object("a", "12", "somebody's")));
    assert_eq!(value(&cache, "a").as_deref(), Some("somebody's"));
}

#[test]
fn a_deleted_object_does_not_live_on_as_our_write() {
    let (cache, mut writer) = Cache::new();
    cache.observe(&mut writer, &Event::Init);
    cache.observe(&mut writer, &Event::InitDone);
    cache.wrote(object("a", "10", "ours"));
    cache.observe(&mut writer, &Event::Apply(object("a", "10", "ours")));
    cache.observe(&mut writer, &Event::Delete(object("a", "11", "ours")));
    assert_eq!(value(&cache, "a"), None);
}

#[test]
fn an_answer_that_comes_after_the_deletion_brings_nothing_back() {
    let of = |version: &str, uid: &str| {
        let mut map = object("a", version, uid);
        map.metadata.uid = Some(uid.to_owned());
        map
    };
    let (cache, mut writer) = Cache::new();
    cache.observe(&mut writer, &Event::Init);
    cache.observe(&mut writer, &Event::InitApply(of("9", "first")));
    cache.observe(&mut writer, &Event::InitDone);
    cache.observe(&mut writer, &Event::Delete(of("11", "first")));
    cache.wrote(of("10", "first"));
    assert_eq!(value(&cache, "a"), None);
    cache.wrote(of("12", "second"));
    assert_eq!(value(&cache, "a").as_deref(), Some("second"), "made anew under the same name");
}
