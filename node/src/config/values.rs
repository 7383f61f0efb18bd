//! Finds the value of an option and remembers where it stood, so that a refusal can say where to mend it.

use super::{ConfigError, file::FileValues, settings::Setting};
use clap::{ArgMatches, parser::ValueSource};

/// The values of one invocation, of all sources.
pub(super) struct Values<'a> {
    pub(super) settings: &'static [Setting],
    pub(super) matches: &'a ArgMatches,
    pub(super) file: FileValues,
}

/// A value and where it came from.
struct Found {
    items: Vec<String>,
    place: String,
}

impl Values<'_> {
    /// Takes the value of `name` through `read`, which gives `None` for a value that is not acceptable.
    pub(super) fn read<T>(
        &self,
        name: &str,
        accepted: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        let found = self.find(name)?;
        let text = found.items.first().map(String::as_str).unwrap_or_default();
        read(text).ok_or_else(|| ConfigError::Value {
            name: name.to_owned(),
            value: text.to_owned(),
            place: found.place,
            accepted,
        })
    }

    /// As [`Values::read`], for each item of a list.
    pub(super) fn read_list<T>(
        &self,
        name: &str,
        accepted: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, ConfigError> {
        let found = self.find(name)?;
        let items = found.items.iter().flat_map(|item| item.split(',')).map(str::trim).filter(|item| !item.is_empty());
        items
            .map(|item| {
                read(item).ok_or_else(|| ConfigError::Value {
                    name: name.to_owned(),
                    value: item.to_owned(),
                    place: found.place.clone(),
                    accepted,
                })
            })
            .collect()
    }

    /// The text of `name` and where it stood, for what must not be shown when it is refused.
    pub(super) fn text(&self, name: &str) -> Result<(String, String), ConfigError> {
        let found = self.find(name)?;
        Ok((found.items.into_iter().next().unwrap_or_default(), found.place))
    }

    fn find(&self, name: &str) -> Result<Found, ConfigError> {
        let missing = || ConfigError::Missing { name: name.to_owned(), places: name.to_owned() };
        let setting = self.settings.iter().find(|setting| setting.name == name).ok_or_else(missing)?;
        if let Some(items) = self.matches.get_many::<String>(name) {
            let place = match self.matches.value_source(name) {
                Some(ValueSource::EnvVariable) => format!("environment variable {}", setting.environment),
                _ => format!("flag --{name}"),
            };
            return Ok(Found { items: items.cloned().collect(), place });
        }
        let key = setting.key;
        if let Some(items) = self.file.get(key) {
            return Ok(Found { items: items.to_vec(), place: format!("key {key} of {}", self.file.path()) });
        }
        if let Some(default) = setting.default {
            return Ok(Found { items: vec![default.to_owned()], place: "default".to_owned() });
        }
        Err(ConfigError::Missing {
            name: name.to_owned(),
            places: format!("flag --{name}, environment variable {} or key {key} of the file", setting.environment),
        })
    }
}
