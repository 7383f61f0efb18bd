//! What the settings of all parts have in common: how one outside its range is refused.

use std::{fmt::Debug, ops::RangeInclusive};
use thiserror::Error;

/// A setting outside its range.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{name} is {value}: accepted is {lowest} to {highest}")]
pub struct SettingRefused {
    /// The setting.
    pub name: &'static str,
    /// Its value.
    pub value: String,
    /// The least that is accepted.
    pub lowest: String,
    /// The most that is accepted.
    pub highest: String,
}

/// Refuses a value outside its range.
pub(crate) fn in_range<T: PartialOrd + Debug>(
    name: &'static str,
    value: T,
    range: &RangeInclusive<T>,
) -> Result<(), SettingRefused> {
    if range.contains(&value) {
        return Ok(());
    }
    let text = |value: &T| format!("{value:?}");
    Err(SettingRefused { name, value: text(&value), lowest: text(range.start()), highest: text(range.end()) })
}

/// Names the first setting of a list that is not within its range.
pub(crate) fn all_within(settings: &[(&'static str, bool)]) -> Result<(), &'static str> {
    match settings.iter().find(|(_, is_within)| !is_within) {
        Some((name, _)) => Err(name),
        None => Ok(()),
    }
}
