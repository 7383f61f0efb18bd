//! The YAML file that `--config` names.

use super::{ConfigError, settings::Setting};
use serde_yaml::Value;
use std::{collections::BTreeMap, fs, io::Read, path::Path};

/// A configuration is a page of text; a larger file is another file.
const LARGEST: u64 = 256 * 1024;

/// What the file says, by key; empty without a file.
#[derive(Default)]
pub(super) struct FileValues {
    path: String,
    values: BTreeMap<String, Vec<String>>,
}

impl FileValues {
    /// Reads the file and refuses keys that no setting has.
    pub(super) fn read(path: &Path, settings: &[Setting]) -> Result<Self, ConfigError> {
        let shown = path.display().to_string();
        let refused = |reason: String| ConfigError::File { path: shown.clone(), reason };
        let mut text = String::new();
        fs::File::open(path)
            .and_then(|file| file.take(LARGEST + 1).read_to_string(&mut text))
            .map_err(|error| refused(error.to_string()))?;
        if text.len() as u64 > LARGEST {
            return Err(refused(format!("is longer than {LARGEST} bytes")));
        }
        let document: Value = serde_yaml::from_str(&text).map_err(|error| refused(one_line(&error.to_string())))?;
        let mapping = match document {
            Value::Null => return Ok(Self { path: shown, values: BTreeMap::new() }),
            Value::Mapping(mapping) => mapping,
            _ => return Err(refused("is not a mapping of options to values".to_owned())),
        };
        let keys: Vec<&str> = settings.iter().map(|setting| setting.key).collect();
        let mut values = BTreeMap::new();
        for (key, value) in mapping {
            let key =
                key.as_str().map(str::to_owned).ok_or_else(|| refused("has a key that is not text".to_owned()))?;
            if !keys.contains(&key.as_str()) {
                return Err(refused(format!("unknown key {key}; accepted are {}", keys.join(", "))));
            }
            let items = match &value {
                Value::Sequence(items) => items.iter().map(scalar).collect(),
                other => scalar(other).map(|item| vec![item]),
            };
            let items = items.ok_or_else(|| refused(format!("key {key} is neither one value nor a list of values")))?;
            values.insert(key, items);
        }
        Ok(Self { path: shown, values })
    }

    pub(super) fn get(&self, key: &str) -> Option<&[String]> {
        self.values.get(key).map(Vec::as_slice)
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_) => None,
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
