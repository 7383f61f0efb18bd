//! The install root: one a install of the operator, never a network's authority. It vouches for the operator's serving
//! certificates and for the key that signs snapshots.
//!
//! ```text
//! Secret install-root ── root key, root certificate ─┬─ signs ─> serving certificate of each replica (key in memory)
//!                     └─ snapshot signing key        └─ signs ─> snapshot signer certificate
//! ```

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{Api, Client, api::PostParams, core::Status};
use peerwright_secure::{NodeKey, sha256, signer_public_key};
use peerwright_snapshot::SIGNER_URI;
use rcgen::{
    ExtendedKeyUsagePurpose, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData, SignatureAlgorithm,
};
use rustls::{crypto::aws_lc_rs, sign::CertifiedKey};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use thiserror::Error;

use super::{
    CallError,
    authority::to_pem,
    calls::read,
    issue::{AUTHORITY_LIFETIME, EndEntity, IssueError, Issuing, random},
    unix_now,
};

/// Name of the Secret in the operator's namespace.
const INSTALL_ROOT_SECRET: &str = "install-root";

/// How long a serving certificate lives; a replica makes the next one when a third is gone.
const SERVING_LIFETIME: Duration = Duration::from_secs(24 * 3600);

const ROOT_CERTIFICATE: &str = "root.crt";
const ROOT_KEY: &str = "root.key";
const SIGNER_CERTIFICATE: &str = "snapshot-signer.crt";
const SIGNER_SEED: &str = "snapshot-signer.seed";

/// The install root could not be had.
#[derive(Debug, Error)]
pub enum InstallRootError {
    /// The API server did not answer as it must.
    #[error("cannot read or create the Secret {INSTALL_ROOT_SECRET}: {0}")]
    Call(#[from] CallError),
    /// Keys or certificates could not be made or read.
    #[error("the Secret {INSTALL_ROOT_SECRET}: {0}")]
    Issue(#[from] IssueError),
    /// The Secret lacks an entry, or its parts do not fit.
    #[error("the Secret {INSTALL_ROOT_SECRET} is damaged ({0}): restore it from a backup, nodes trust no other")]
    Damaged(&'static str),
    /// The serving key could not be used.
    #[error("the serving key cannot be used: {0}")]
    Serving(#[from] rustls::Error),
}

/// The install root in memory.
#[derive(Debug)]
pub struct InstallRoot {
    issuing: Issuing,
    root_pem: String,
    snapshot_key: NodeKey,
    signer_der: Vec<u8>,
}

/// A serving certificate with its key, ready for TLS.
#[derive(Clone, Debug)]
pub struct ServingCertificate {
    /// Certificate and key.
    pub key: Arc<CertifiedKey>,
    /// Last second of its validity, Unix time.
    pub not_after: i64,
}

impl InstallRoot {
    /// Reads the Secret, or creates it when there is none. Of several replicas one creates it and the others read it.
    ///
    /// # Errors
    /// When the API server refuses, or the Secret is damaged: it is never overwritten.
    pub async fn load_or_create(client: Client, namespace: &str) -> Result<Self, InstallRootError> {
        let secrets: Api<Secret> = Api::namespaced(client, namespace);
        if let Some(secret) = read(secrets.get_opt(INSTALL_ROOT_SECRET)).await? {
            return Self::restore(&secret);
        }
        let made = Self::generate(SystemTime::now())?;
        match read(secrets.create(&PostParams::default(), &made.to_secret())).await {
            Ok(_) => Ok(made),
            Err(error) if error.status().is_some_and(Status::is_already_exists) => {
                Self::restore(&read(secrets.get(INSTALL_ROOT_SECRET)).await?)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Makes a new root and a new snapshot signer.
    ///
    /// # Errors
    /// When a key or certificate cannot be made.
    pub fn generate(now: SystemTime) -> Result<Self, InstallRootError> {
        let issuing = Issuing::generate("Peerwright install root", now)?;
        let snapshot_key = NodeKey::from_seed(random()?);
        let request = EndEntity {
            common_name: "Peerwright snapshot signer",
            lifetime: AUTHORITY_LIFETIME,
            uris: vec![SIGNER_URI.to_owned()],
            dns_names: Vec::new(),
            extended_key_usages: Vec::new(),
            extensions: Vec::new(),
        };
        let signer = issuing.issue(request, &Ed25519(*snapshot_key.public().as_bytes()), now)?;
        let root_pem = to_pem(issuing.certificate());
        Ok(Self { issuing, root_pem, snapshot_key, signer_der: signer.certificate.to_vec() })
    }

    fn restore(secret: &Secret) -> Result<Self, InstallRootError> {
        let entry = |name: &'static str| {
            let found = secret.data.as_ref().and_then(|data| data.get(name));
            found.map(|bytes| bytes.0.as_slice()).ok_or(InstallRootError::Damaged(name))
        };
        let issuing = Issuing::restore(entry(ROOT_CERTIFICATE)?, entry(ROOT_KEY)?)?;
        let seed = entry(SIGNER_SEED)?.try_into().map_err(|_| InstallRootError::Damaged(SIGNER_SEED))?;
        let snapshot_key = NodeKey::from_seed(seed);
        let signer_der = entry(SIGNER_CERTIFICATE)?.to_vec();
        let now = u64::try_from(unix_now()).unwrap_or_default();
        let certified = signer_public_key(&signer_der, issuing.certificate(), SIGNER_URI, now);
        if certified != Ok(snapshot_key.public()) {
            return Err(InstallRootError::Damaged(SIGNER_CERTIFICATE));
        }
        let root_pem = to_pem(issuing.certificate());
        Ok(Self { issuing, root_pem, snapshot_key, signer_der })
    }

    fn to_secret(&self) -> Secret {
        let entries = [
            (ROOT_CERTIFICATE, self.issuing.certificate().to_vec()),
            (ROOT_KEY, self.issuing.key_der().to_vec()),
            (SIGNER_CERTIFICATE, self.signer_der.clone()),
            (SIGNER_SEED, self.snapshot_key.seed().to_vec()),
        ];
        Secret {
            metadata: ObjectMeta {
                name: Some(INSTALL_ROOT_SECRET.to_owned()),
                labels: Some(super::operator_labels()),
                ..ObjectMeta::default()
            },
            immutable: Some(true),
            data: Some(
                entries
                    .into_iter()
                    .map(|(name, bytes)| (name.to_owned(), ByteString(bytes)))
                    .collect::<BTreeMap<_, _>>(),
            ),
            ..Secret::default()
        }
    }

    /// The root certificate as it is mounted into nodes.
    #[must_use]
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// The root certificate, DER.
    #[must_use]
    pub fn root_der(&self) -> &[u8] {
        self.issuing.certificate()
    }

    /// SHA-256 of [`InstallRoot::root_pem`], lower-case hex: nodes compare the mounted file with it.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex::encode(sha256(self.root_pem.as_bytes()))
    }

    /// The key that signs snapshots.
    #[must_use]
    pub fn snapshot_key(&self) -> &NodeKey {
        &self.snapshot_key
    }

    /// The certificate of [`InstallRoot::snapshot_key`], DER.
    #[must_use]
    pub fn signer_der(&self) -> &[u8] {
        &self.signer_der
    }

    /// Makes a fresh P-256 key and a serving certificate for the operator's Service in `namespace`.
    ///
    /// # Errors
    /// When a key or certificate cannot be made.
    pub fn serving_certificate(
        &self,
        namespace: &str,
        cluster_domain: &str,
    ) -> Result<ServingCertificate, InstallRootError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(IssueError::from)?;
        let service = "peerwright-operator";
        let request = EndEntity {
            common_name: service,
            lifetime: SERVING_LIFETIME,
            uris: Vec::new(),
            dns_names: vec![
                service.to_owned(),
                format!("{service}.{namespace}"),
                format!("{service}.{namespace}.svc"),
                format!("{service}.{namespace}.svc.{cluster_domain}"),
            ],
            extended_key_usages: vec![ExtendedKeyUsagePurpose::ServerAuth],
            extensions: Vec::new(),
        };
        let issued = self.issuing.issue(request, &key, SystemTime::now())?;
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let chain = vec![issued.certificate, self.issuing.certificate().clone()];
        let certified = CertifiedKey::from_der(chain, private, &aws_lc_rs::default_provider())?;
        Ok(ServingCertificate { key: Arc::new(certified), not_after: issued.not_after })
    }
}

/// An Ed25519 public key that a certificate is made for.
struct Ed25519([u8; 32]);

impl PublicKeyData for Ed25519 {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ED25519
    }
}

#[cfg(test)]
#[path = "install_root_tests.rs"]
mod tests;
