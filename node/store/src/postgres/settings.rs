//! Where the schema of a node is.

use peerwright_secure::sha256;
use std::{path::PathBuf, time::Duration};
use thiserror::Error;
use tokio_postgres::config::{Config, SslMode, TargetSessionAttrs};

/// The longest name that PostgreSQL keeps whole.
const MAX_SCHEMA_BYTES: usize = 63;
/// How long one address may take to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection on which nothing comes back for so long is given up.
const SILENCE: Duration = Duration::from_secs(15);
/// An idle connection is looked after so often.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// Which database, which schema in it, and the files that open it. A password is in a file and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresSettings {
    pub(super) config: Config,
    pub(super) schema: String,
    pub(super) secret: Secret,
    pub(super) authorities_file: Option<PathBuf>,
}

/// What opens the database. The files are read anew for each connection: a password may be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Secret {
    /// The server trusts whoever may connect.
    None,
    /// A file with the password.
    Password(PathBuf),
    /// A file with the whole URL, and the password in it.
    Url(PathBuf),
}

/// Why settings are refused. Never shows the URL: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PostgresRefused {
    /// It is no URL of PostgreSQL.
    #[error("is no URL such as postgres://peerwright@database.example:5432/peerwright ({0})")]
    Url(String),
    /// A password would be seen in a list of processes, in manifests and in logs.
    #[error("has a password in it: put it into a file, and name that with storage-password-file")]
    PasswordInUrl,
    /// It does not say enough.
    #[error("does not name {0}: accepted is postgres://USER@HOST:PORT/DATABASE")]
    Incomplete(&'static str),
    /// TLS without anybody to trust.
    #[error("asks for TLS: name who signs the server's certificate with storage-authorities-file")]
    NobodyToTrust,
    /// The name of the schema.
    #[error("names schema {0:?}: accepted are a-z, 0-9 and _, at most 63, none of them pg_ at the start")]
    Schema(String),
    /// The file with the URL.
    #[error("names {file}, which cannot be read: {why}")]
    Unread {
        /// The file.
        file: String,
        /// What the system says.
        why: String,
    },
    /// What is in the file.
    #[error("names {file}, whose text {why}")]
    InFile {
        /// The file.
        file: String,
        /// What is wrong with the URL in it.
        why: String,
    },
}

impl PostgresSettings {
    /// The settings of a node. With `authorities_file` (PEM) the server has to show a certificate that one of them has
    /// signed for the host of the URL; without it there is no TLS.
    pub fn new(
        url: &str,
        schema: &str,
        password_file: Option<PathBuf>,
        authorities_file: Option<PathBuf>,
    ) -> Result<Self, PostgresRefused> {
        let config = configure(url, schema, authorities_file.is_some())?;
        if config.get_password().is_some() {
            return Err(PostgresRefused::PasswordInUrl);
        }
        let secret = password_file.map_or(Secret::None, Secret::Password);
        Ok(Self { config, schema: schema.to_owned(), secret, authorities_file })
    }

    /// As [`PostgresSettings::new`], with a file that holds the URL and in it the password.
    pub fn from_file(
        url_file: PathBuf,
        schema: &str,
        authorities_file: Option<PathBuf>,
    ) -> Result<Self, PostgresRefused> {
        let file = url_file.display().to_string();
        let text = std::fs::read_to_string(&url_file)
            .map_err(|error| PostgresRefused::Unread { file: file.clone(), why: error.to_string() })?;
        let config = configure(text.trim(), schema, authorities_file.is_some()).map_err(|refused| match refused {
            PostgresRefused::Schema(_) => refused,
            other => PostgresRefused::InFile { file, why: other.to_string() },
        })?;
        Ok(Self { config, schema: schema.to_owned(), secret: Secret::Url(url_file), authorities_file })
    }

    /// What a URL means beside the other settings.
    pub(super) fn with_url(&self, url: &str) -> Result<Config, PostgresRefused> {
        configure(url, &self.schema, self.authorities_file.is_some())
    }

    /// How the schemas of nodes begin that name neither schema nor beginning.
    pub const SCHEMA_PREFIX: &str = "peerwright";

    /// The schema of a node that names none: made of its name, so that the nodes of a network can share a database.
    #[must_use]
    pub fn schema_of(prefix: &str, node_name: &str) -> String {
        let plain: String =
            node_name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect();
        let schema = format!("{prefix}_{}", plain.to_ascii_lowercase());
        if schema.len() <= MAX_SCHEMA_BYTES && !node_name.contains('.') {
            return schema;
        }
        // Cut, or of several labels: the hash tells it from others that look the same.
        let hash: String = sha256(node_name.as_bytes()).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let kept: String = schema.chars().take(MAX_SCHEMA_BYTES - hash.len() - 1).collect();
        format!("{kept}_{hash}")
    }

    /// Whether the password and the data go over a network as they are.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let is_here = |host: &tokio_postgres::config::Host| match host {
            tokio_postgres::config::Host::Unix(_) => true,
            tokio_postgres::config::Host::Tcp(name) => {
                name == "localhost" || name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
            }
        };
        self.authorities_file.is_none() && !self.config.get_hosts().iter().all(is_here)
    }
}

/// A URL with everything that a node's connections have in common.
fn configure(url: &str, schema: &str, is_under_tls: bool) -> Result<Config, PostgresRefused> {
    if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err(PostgresRefused::Url("it begins otherwise".to_owned()));
    }
    let mut config: Config = url.parse().map_err(|error| PostgresRefused::Url(super::failure::line(&error)))?;
    let is_named = config.get_user().is_some_and(|user| !user.is_empty());
    let said = [
        (is_named, "a user"),
        (!config.get_hosts().is_empty(), "a host"),
        (config.get_dbname().is_some_and(|name| !name.is_empty()), "a database"),
    ];
    if let Some((_, missing)) = said.into_iter().find(|(is_said, _)| !is_said) {
        return Err(PostgresRefused::Incomplete(missing));
    }
    match (is_under_tls, config.get_ssl_mode()) {
        (true, _) => config.ssl_mode(SslMode::Require),
        (false, SslMode::Require) => return Err(PostgresRefused::NobodyToTrust),
        (false, _) => config.ssl_mode(SslMode::Disable),
    };
    if !is_schema(schema) {
        return Err(PostgresRefused::Schema(schema.to_owned()));
    }
    config.application_name(format!("peerwright-node {schema}"));
    // A standby takes no writes, and what it shows may be old.
    config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    config.connect_timeout(config.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT));
    config.tcp_user_timeout(config.get_tcp_user_timeout().copied().unwrap_or(SILENCE));
    config.keepalives_idle(config.get_keepalives_idle().min(KEEPALIVE_IDLE));
    config.keepalives_interval(config.get_keepalives_interval().unwrap_or(KEEPALIVE_INTERVAL));
    Ok(config)
}

fn is_schema(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    begins && name.len() <= MAX_SCHEMA_BYTES && name.bytes().all(is_plain) && !name.starts_with("pg_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str) -> Result<PostgresSettings, PostgresRefused> {
        PostgresSettings::new(url, "peerwright_demo", None, None)
    }

    #[test]
    fn a_password_in_the_url_is_refused_and_never_shown() {
        for url in ["postgres://one:hidden@host/database", "postgres://one@host/database?password=hidden"] {
            let refused = settings(url).unwrap_err();
            assert_eq!(refused, PostgresRefused::PasswordInUrl);
            assert!(!refused.to_string().contains("hidden"));
        }
        let refused = settings("postgres://one:hidden@host/database?nonsense=1").unwrap_err();
        assert!(!refused.to_string().contains("hidden"), "{refused}");
    }

    #[test]
    fn a_url_names_user_host_and_database() {
        settings("postgres://one@host:5433/database").unwrap();
        settings("postgresql://one@%2Frun%2Fpostgresql/database?connect_timeout=3").unwrap();
        assert_eq!(settings("postgres://host/database"), Err(PostgresRefused::Incomplete("a user")));
        assert_eq!(settings("postgres://one@host"), Err(PostgresRefused::Incomplete("a database")));
        for url in ["", "sqlite:/data/store", "host=here user=me dbname=it", "postgres://one@host/database?port=many"] {
            let refused = settings(url).unwrap_err().to_string();
            assert_eq!(refused.lines().count(), 1, "{refused}");
            assert!(refused.contains("postgres://"), "{refused}");
        }
    }

    #[test]
    fn tls_needs_somebody_to_trust_and_is_then_asked_for() {
        assert_eq!(settings("postgres://one@host/data?sslmode=require"), Err(PostgresRefused::NobodyToTrust));
        let open = settings("postgres://one@host/data").unwrap();
        assert_eq!((open.config.get_ssl_mode(), open.is_open()), (SslMode::Disable, true));
        assert!(!settings("postgres://one@127.0.0.1/data").unwrap().is_open());
        let authorities = Some(PathBuf::from("/etc/ca.pem"));
        let closed = PostgresSettings::new("postgres://one@host/data", "schema", None, authorities).unwrap();
        assert_eq!((closed.config.get_ssl_mode(), closed.is_open()), (SslMode::Require, false));
    }

    #[test]
    fn a_url_in_a_file_may_hold_the_password_and_is_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("url");
        let refused = |text: &str| {
            std::fs::write(&file, text).unwrap();
            PostgresSettings::from_file(file.clone(), "peerwright_demo", None)
        };
        let settings = refused("postgresql://one:hidden@host:5433/database\n").unwrap();
        assert_eq!(settings.config.get_password(), Some(b"hidden".as_slice()));
        assert!(settings.is_open() && !format!("{settings:?}").contains("hidden"), "{settings:?}");
        for (text, why) in [
            ("", "is no URL"),
            ("mysql://one:hidden@host/database", "is no URL"),
            ("postgres://one:hidden@host", "does not name a database"),
            ("postgres://one:hidden@host/database?sslmode=require", "asks for TLS"),
        ] {
            let refused = refused(text).unwrap_err().to_string();
            assert!(refused.contains(why) && refused.contains(&file.display().to_string()), "{refused}");
            assert!(!refused.contains("hidden") && refused.lines().count() == 1, "{refused}");
        }
        let nowhere = PostgresSettings::from_file("/nowhere/url".into(), "peerwright_demo", None).unwrap_err();
        assert!(nowhere.to_string().starts_with("names /nowhere/url, which cannot be read"), "{nowhere}");
    }

    #[test]
    fn names_of_schemas_are_plain() {
        for (schema, is_accepted) in [
            ("a", true),
            ("peerwright_1", true),
            ("", false),
            ("A", false),
            ("1a", false),
            ("a\"b", false),
            ("pg_a", false),
        ] {
            let accepted = PostgresSettings::new("postgres://one@host/data", schema, None, None);
            assert_eq!(accepted.is_ok(), is_accepted, "{schema}");
        }
    }

    #[test]
    fn each_node_has_a_schema_of_its_own() {
        let schema_of = |name: &str| PostgresSettings::schema_of(PostgresSettings::SCHEMA_PREFIX, name);
        assert_eq!(schema_of("demo-peer-0"), "peerwright_demo_peer_0");
        assert_eq!(PostgresSettings::schema_of("shop_1", "demo-peer-0"), "shop_1_demo_peer_0");
        let names = ["a-b", "a.b", "a.b.c", "a-b.c"].map(str::to_owned);
        let long = [0, 1].map(|number| format!("{}-{number}", "n".repeat(200)));
        let schemas: std::collections::BTreeSet<String> =
            names.iter().chain(&long).map(|name| schema_of(name)).collect();
        assert_eq!(schemas.len(), 6);
        assert!(schemas.iter().all(|schema| is_schema(schema)), "{schemas:?}");
    }
}
