//! Where a node keeps its registers: in a file of its volume, or in a schema of a database.

use super::{ConfigError, values::Values};
use peerwright_store::{PostgresRefused, PostgresSettings};
use std::path::PathBuf;

/// The longest beginning of a schema's name: what follows has to tell nodes apart.
const MAX_PREFIX: usize = 24;

/// Where registers are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// SQLite in `data-dir`.
    Volume,
    /// A schema of a PostgreSQL database.
    Postgres(Box<PostgresSettings>),
}

pub(super) fn storage(values: &Values<'_>) -> Result<Storage, ConfigError> {
    let (url, url_place) = values.text("storage-url")?;
    let (_, file_place) = values.text("storage-url-file")?;
    let url_file = file(values, "storage-url-file")?;
    let password = file(values, "storage-password-file")?;
    let authorities = file(values, "storage-authorities-file")?;
    let (schema, schema_place) = values.text("storage-schema")?;
    let prefix = prefix(values)?;
    let refused = |name, place: &str, reason: String| ConfigError::Hidden { name, place: place.to_owned(), reason };
    if url == "sqlite" && url_file.is_none() {
        let needless = [
            ("storage-schema", !schema.is_empty()),
            ("storage-schema-prefix", prefix.is_some()),
            ("storage-password-file", password.is_some()),
            ("storage-authorities-file", authorities.is_some()),
        ];
        return match needless.into_iter().find(|(_, is_given)| *is_given) {
            Some((name, _)) => {
                Err(refused("storage-url", &url_place, format!("is sqlite, which has no use for {name}")))
            }
            None => Ok(Storage::Volume),
        };
    }
    let schema = match (schema.is_empty(), prefix) {
        (false, Some(_)) => {
            let reason = "is the whole name, and has no use for storage-schema-prefix";
            return Err(refused("storage-schema", &schema_place, reason.to_owned()));
        }
        (false, None) => schema,
        (true, prefix) => {
            let prefix = prefix.as_deref().unwrap_or(PostgresSettings::SCHEMA_PREFIX);
            PostgresSettings::schema_of(prefix, &values.text("node-name")?.0)
        }
    };
    let (name, place, settings) = match url_file {
        Some(file) => {
            let needless = [("storage-url", url != "sqlite"), ("storage-password-file", password.is_some())];
            if let Some((needless, _)) = needless.into_iter().find(|(_, is_given)| *is_given) {
                let reason = format!("names the file with URL and password, and has no use for {needless}");
                return Err(refused("storage-url-file", &file_place, reason));
            }
            ("storage-url-file", file_place, PostgresSettings::from_file(file, &schema, authorities))
        }
        None => ("storage-url", url_place, PostgresSettings::new(&url, &schema, password, authorities)),
    };
    settings.map(Box::new).map(Storage::Postgres).map_err(|reason| match &reason {
        PostgresRefused::Schema(_) => refused("storage-schema", &schema_place, reason.to_string()),
        _ => refused(name, &place, reason.to_string()),
    })
}

fn file(values: &Values<'_>, name: &'static str) -> Result<Option<PathBuf>, ConfigError> {
    values.read(name, "a path", |text| Some((!text.is_empty()).then(|| PathBuf::from(text))))
}

/// How the schema's name begins; `None` when nobody says so.
fn prefix(values: &Values<'_>) -> Result<Option<String>, ConfigError> {
    let accepted = "a lower-case letter, then a-z, 0-9 and _, at most 24 in all, not pg_ at the start";
    values.read("storage-schema-prefix", accepted, |text| {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let is_prefix = text.len() <= MAX_PREFIX
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.bytes().all(is_plain)
            && !text.starts_with("pg_");
        match text {
            "" => Some(None),
            text => is_prefix.then(|| Some(text.to_owned())),
        }
    })
}
