//! Makes connections, each in the schema of the node.

use super::{
    session::Session,
    settings::{PostgresSettings, Secret},
    tls::Tls,
};
use crate::StoreError;
use std::path::Path;
use tokio_postgres::{Config, NoTls};

/// What every connection is told first. The server gives up a node that has gone without a word, and with it the lock
/// and whatever transaction it had begun.
const MANNERS: &str = "SET client_min_messages = warning; SET idle_in_transaction_session_timeout = '60s'; \
    SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; \
    SET tcp_user_timeout = '20s'; SET bytea_output = hex; SET default_transaction_isolation = 'read committed'";

/// Makes connections.
pub(super) struct Connector {
    settings: PostgresSettings,
    tls: Option<Tls>,
}

impl Connector {
    pub(super) fn new(settings: PostgresSettings) -> Result<Self, StoreError> {
        let tls = settings.authorities_file.as_deref().map(Tls::new).transpose()?;
        Ok(Self { settings, tls })
    }

    pub(super) fn schema(&self) -> &str {
        &self.settings.schema
    }

    /// A new connection.
    pub(super) async fn connect(&self) -> Result<Session, StoreError> {
        let config = self.config().await?;
        let session = match &self.tls {
            Some(tls) => {
                let (client, connection) = config.connect(tls.clone()).await?;
                Session::new(client, connection)
            }
            None => {
                let (client, connection) = config.connect(NoTls).await?;
                Session::new(client, connection)
            }
        };
        session.run(&format!("{MANNERS}; SET search_path TO \"{}\"", self.schema())).await?;
        Ok(session)
    }

    /// The settings with what the files say now.
    async fn config(&self) -> Result<Config, StoreError> {
        match &self.settings.secret {
            Secret::None => Ok(self.settings.config.clone()),
            Secret::Password(file) => {
                let mut config = self.settings.config.clone();
                config.password(line("password", file).await?);
                Ok(config)
            }
            Secret::Url(file) => {
                let url = line("URL", file).await?;
                self.settings.with_url(url.trim()).map_err(|refused| unusable("URL", file, &refused))
            }
        }
    }
}

/// One line, as a mounted Secret has it.
async fn line(what: &str, file: &Path) -> Result<String, StoreError> {
    let text = tokio::fs::read_to_string(file).await.map_err(|error| unusable(what, file, &error))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn unusable(what: &str, file: &Path, why: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unreachable(format!("{what} file {}: {why}", file.display()))
}
