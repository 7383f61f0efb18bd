//! The table, and what it is used for.

use super::samples::sample;
use crate::{MAX_SETTINGS, SettingId, Settings, Snapshot};
use proptest::prelude::*;
use std::collections::BTreeSet;

#[test]
fn every_setting_has_a_number_and_a_path_of_its_own_and_a_default_that_is_accepted() {
    let rows: Vec<_> = SettingId::ALL.iter().map(|id| id.setting()).collect();
    assert!(rows.is_sorted_by(|earlier, later| earlier.number < later.number));
    assert!(rows.len() <= MAX_SETTINGS);
    let paths: BTreeSet<&str> = rows.iter().map(|row| row.path).collect();
    assert_eq!(paths.len(), rows.len());
    for row in rows {
        assert!(row.accepted.contains(&row.default), "{}", row.path);
        assert!(*row.accepted.end() <= i32::MAX as u64, "{} does not fit the schema", row.path);
    }
}

/// Numbers are for ever: a row that goes leaves its number unused.
#[test]
fn numbers_stand_for_what_they_always_stood_for() {
    let said: String =
        SettingId::ALL.iter().map(|id| format!("{} {}\n", id.setting().number, id.setting().path)).collect();
    assert_eq!(said, include_str!("../../vectors/settings.txt"));
}

#[test]
fn every_setting_comes_back_from_a_snapshot() {
    let mut snapshot = sample();
    snapshot.content.settings = Settings::default();
    for id in SettingId::ALL {
        assert_eq!(SettingId::from_number(id.setting().number), Some(*id));
        snapshot.content.settings.set(*id, *id.setting().accepted.end());
    }
    let read = Snapshot::decode(&snapshot.encode()).unwrap().content.settings;
    let expected: Vec<_> = SettingId::ALL.iter().map(|id| (*id, *id.setting().accepted.end())).collect();
    assert_eq!(read.known().collect::<Vec<_>>(), expected);
    assert_eq!(read, snapshot.content.settings);
}

#[test]
fn a_number_of_a_later_version_is_kept_and_passed_over() {
    let mut snapshot = sample();
    snapshot.content.settings = Settings::from_numbers([(16, 5), (u16::MAX, 7)].into());
    let bytes = snapshot.encode();
    let read = Snapshot::decode(&bytes).unwrap();
    assert_eq!(read.content.settings.known().collect::<Vec<_>>(), [(SettingId::GossipFanout, 5)]);
    assert_eq!(read.encode(), bytes);
}

proptest! {
    #[test]
    fn a_value_is_what_was_said_when_it_is_accepted_and_otherwise_the_default(id in prop::sample::select(SettingId::ALL), said: Option<u64>) {
        let setting = id.setting();
        let mut settings = Settings::default();
        if let Some(said) = said {
            settings.set(id, said);
        }
        prop_assert_eq!(settings.get(id), said);
        let value = settings.value(id);
        prop_assert!(setting.accepted.contains(&value));
        prop_assert!(Some(value) == said || value == setting.default);
    }
}
