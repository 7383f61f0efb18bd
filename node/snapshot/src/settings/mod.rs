//! What a network sets of its nodes: numbers by id.
//!
//! ```text
//! PeerNetwork spec ── path ──▶ id, value ── snapshot ──▶ id, value ──▶ the part of the node that it belongs to
//!        └───────────────── one row of the table for each: id, path, range, default ─────────────────┘
//! ```
//!
//! What the network does not say is not in the snapshot, and each node's default holds. A number that this version does
//! not know is kept and passed over: a newer operator's snapshot is good for an older node. What else nodes may pass over is
//! said in numbers of its own (`words`).

mod table;
mod words;

pub use table::{Setting, SettingId};

use std::collections::BTreeMap;

/// Most settings in a snapshot.
pub const MAX_SETTINGS: usize = 1_024;

/// The settings that a network has made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<u16, u64>);

impl Settings {
    /// What was read from a snapshot, known or not.
    pub(crate) const fn from_numbers(numbers: BTreeMap<u16, u64>) -> Self {
        Self(numbers)
    }

    /// Numbers and values, in ascending order of the numbers.
    pub(crate) const fn numbers(&self) -> &BTreeMap<u16, u64> {
        &self.0
    }

    /// Makes a setting.
    pub fn set(&mut self, id: SettingId, value: u64) {
        self.0.insert(id.setting().number, value);
    }

    /// What the network says, whether it is accepted or not.
    #[must_use]
    pub fn get(&self, id: SettingId) -> Option<u64> {
        self.0.get(&id.setting().number).copied()
    }

    /// What the network says when that is accepted, and otherwise the default.
    #[must_use]
    pub fn value(&self, id: SettingId) -> u64 {
        let setting = id.setting();
        self.get(id).filter(|value| setting.accepted.contains(value)).unwrap_or(setting.default)
    }

    /// The settings that this version knows, in ascending order of their numbers.
    pub fn known(&self) -> impl Iterator<Item = (SettingId, u64)> {
        self.0.iter().filter_map(|(number, value)| Some((SettingId::from_number(*number)?, *value)))
    }
}
