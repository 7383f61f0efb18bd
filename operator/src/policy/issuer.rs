//! Keeps the cluster's token issuer and keys: asked of the API server at the start and every ten minutes.

use std::{sync::Arc, time::Duration};

use http::Request;
use kube::Client;
use thiserror::Error;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{JwksInvalid, TokenIssuer};
use crate::identity::{CallError, calls::read};

const CONFIGURATION_PATH: &str = "/.well-known/openid-configuration";
const KEYS_PATH: &str = "/openid/v1/jwks";
const REFRESH: Duration = Duration::from_secs(600);
const RETRY: Duration = Duration::from_secs(10);

/// The issuer could not be read.
#[derive(Debug, Error)]
pub enum IssuerError {
    /// No answer.
    #[error("cannot read the issuer of service-account tokens: {0}")]
    Call(#[from] CallError),
    /// An answer that is none.
    #[error(transparent)]
    Invalid(#[from] JwksInvalid),
}

/// The cluster's token issuer, kept current.
pub struct TokenIssuers {
    client: Client,
    current: watch::Sender<Option<Arc<TokenIssuer>>>,
}

impl TokenIssuers {
    /// Knows no issuer until [`run`](Self::run) has asked.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, current: watch::Sender::new(None) }
    }

    /// The issuer, if the API server has told.
    #[must_use]
    pub fn current(&self) -> Option<Arc<TokenIssuer>> {
        self.current.borrow().clone()
    }

    /// Wakes when the issuer or its keys have changed: every network is compiled again then.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Option<Arc<TokenIssuer>>> {
        self.current.subscribe()
    }

    /// Asks the API server now.
    ///
    /// # Errors
    /// When there is no usable answer; what was known stays.
    pub async fn refresh(&self) -> Result<(), IssuerError> {
        let (configuration, keys) = (self.get(CONFIGURATION_PATH).await?, self.get(KEYS_PATH).await?);
        let read = TokenIssuer::read(&configuration, &keys)?;
        self.current.send_if_modified(|current| {
            let changed = current.as_deref() != Some(&read);
            if changed {
                *current = Some(Arc::new(read));
            }
            changed
        });
        Ok(())
    }

    /// Asks at once and then every ten minutes, until `shutdown`.
    pub async fn run(&self, shutdown: CancellationToken) {
        loop {
            let pause = match self.refresh().await {
                Ok(()) => REFRESH,
                Err(error) => {
                    tracing::warn!(%error, "tokens for the REST interface are checked with the keys known before");
                    RETRY
                }
            };
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn get(&self, path: &str) -> Result<String, IssuerError> {
        let request = Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError).map_err(CallError::from)?;
        Ok(read(self.client.request_text(request)).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::fake_api::FakeApi;

    #[tokio::test]
    async fn unchanged_keys_wake_nobody_and_changed_ones_do() {
        let api = FakeApi::default();
        api.document(CONFIGURATION_PATH, r#"{"issuer":"https://kubernetes.default.svc"}"#);
        api.document(KEYS_PATH, r#"{"keys":[{"kid":"a","kty":"RSA"},{"kid":"b","kty":"RSA"}]}"#);
        let issuers = TokenIssuers::new(api.client());
        let mut follower = issuers.subscribe();
        issuers.refresh().await.expect("read");
        follower.mark_unchanged();

        api.document(KEYS_PATH, r#"{"keys":[{"kty":"RSA","kid":"b"},{"kid":"a","kty":"RSA"}]}"#);
        issuers.refresh().await.expect("read");
        assert!(!follower.has_changed().expect("open"), "only the order changed");

        api.document(KEYS_PATH, r#"{"keys":[{"kid":"c","kty":"RSA"}]}"#);
        issuers.refresh().await.expect("read");
        assert!(follower.has_changed().expect("open"));
    }

    #[tokio::test]
    async fn known_issuer_stays_while_the_api_server_is_away() {
        let api = FakeApi::default();
        api.document(CONFIGURATION_PATH, r#"{"issuer":"https://kubernetes.default.svc"}"#);
        api.document(KEYS_PATH, r#"{"keys":[]}"#);
        let issuers = TokenIssuers::new(api.client());
        issuers.refresh().await.expect("read");

        api.break_down(true);

        assert!(issuers.refresh().await.is_err());
        assert_eq!(issuers.current().expect("kept").issuer, "https://kubernetes.default.svc");
    }
}
