//! An authority in this process: what the operator is to a network on Kubernetes, for `dev`, tests and benches.

use crate::{
    member::{AdoptionRefused, CertificateNotTaken, Membership},
    registers::NetworkAuthority,
    tls::{fill_random, unix_now},
};
use futures::future::BoxFuture;
use peerwright_ledger::{CommitCertificate, SealedDocket, endorse};
use peerwright_proto::v1::CertifyRequest;
use peerwright_secure::{BINDING_OID, NodeBinding, NodeKey, NodePublicKey, PeerId, Signature, SpiffeId};
use peerwright_snapshot::{Content, SIGNER_URI, SignedSnapshot, Snapshot, SnapshotRefused, Version};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateSigningRequestParams, CustomExtension, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType,
    SubjectPublicKeyInfo, date_time_ymd,
};
use rustls_pki_types::CertificateSigningRequestDer;
use std::{
    net::{IpAddr, Ipv4Addr},
    ops::Range,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use thiserror::Error;

/// How long what the authority issues is valid.
const LIFE: u64 = 72 * 3_600;
/// Clocks of one machine do not differ; rounding to seconds does.
const LEAD: u64 = 60;

/// Why the authority did not issue something.
#[derive(Debug, Error)]
pub enum AuthorityError {
    /// A certificate could not be made or read.
    #[error(transparent)]
    Certificate(#[from] rcgen::Error),
    /// The request's node key is none.
    #[error("the request does not hold a node key and its signature")]
    Request,
    /// A snapshot was over a limit.
    #[error(transparent)]
    Snapshot(#[from] SnapshotRefused),
    /// The node did not take its certificate.
    #[error(transparent)]
    NotTaken(#[from] CertificateNotTaken),
    /// The node did not take the snapshot.
    #[error(transparent)]
    NotAdopted(#[from] AdoptionRefused),
    /// No randomness for a key.
    #[error("the operating system gives no random bytes")]
    NoRandomness,
}

/// Install root, network authority and snapshot signer of one network.
pub struct Authority {
    network_uid: String,
    install_root: Certificate,
    install_issuer: Issuer<'static, KeyPair>,
    network_root: Certificate,
    network_issuer: Issuer<'static, KeyPair>,
    signing_key: NodeKey,
    signer: Vec<u8>,
    current: Mutex<(Version, Content)>,
}

impl Authority {
    /// A fresh authority, whose first snapshot says `content` and trusts the network's authority.
    pub fn new(network_uid: &str, mut content: Content) -> Result<Self, AuthorityError> {
        let (install_root, install_issuer) = root("Peerwright install root")?;
        let (network_root, network_issuer) = root("Peerwright network")?;
        let mut seed = [0; 32];
        fill_random(&mut seed).map_err(|_| AuthorityError::NoRandomness)?;
        let signing_key = NodeKey::from_seed(seed);
        let mut params = params(now_range())?;
        params.subject_alt_names = vec![SanType::URI(SIGNER_URI.try_into()?)];
        let public = SubjectPublicKeyInfo::from_der(&signing_key.public().to_spki_der())?;
        let signer = params.signed_by(&public, &install_issuer)?.der().to_vec();
        content.trust = vec![network_root.der().to_vec()];
        Ok(Self {
            network_uid: network_uid.to_owned(),
            install_root,
            install_issuer,
            network_root,
            network_issuer,
            signing_key,
            signer,
            current: Mutex::new((Version { epoch: 1, revision: 1 }, content)),
        })
    }

    /// The install root's certificate, DER.
    #[must_use]
    pub fn install_root(&self) -> &[u8] {
        self.install_root.der()
    }

    /// The install root's certificate, PEM.
    #[must_use]
    pub fn install_root_pem(&self) -> String {
        self.install_root.pem()
    }

    /// The key by which the authority signs for registers, where the snapshot names it.
    #[must_use]
    pub fn over_registers(&self) -> NodePublicKey {
        self.signing_key.public()
    }

    /// The network's authority, DER.
    #[must_use]
    pub fn network_root(&self) -> &[u8] {
        self.network_root.der()
    }

    /// A certificate for the server of this name, issued by the install root, with its key, DER.
    pub fn serving_certificate(&self, name: &str) -> Result<(Vec<u8>, Vec<u8>), AuthorityError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = params(now_range())?;
        params.subject_alt_names = vec![SanType::DnsName(name.try_into()?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        Ok((params.signed_by(&key, &self.install_issuer)?.der().to_vec(), key.serialize_der()))
    }

    /// Issues a leaf for a request, DER, leaf first, valid in this range of unix seconds. Whoever asks gets it: the
    /// nodes of one process trust each other.
    pub fn issue(
        &self,
        request: &CertifyRequest,
        spiffe: &SpiffeId,
        valid: Range<u64>,
    ) -> Result<Vec<Vec<u8>>, AuthorityError> {
        let csr = CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(request.csr.to_vec()))?;
        let public_key = <[u8; 32]>::try_from(request.node_public_key.as_ref()).map_err(|_| AuthorityError::Request)?;
        let signature =
            <[u8; 64]>::try_from(request.binding_signature.as_ref()).map_err(|_| AuthorityError::Request)?;
        let binding = NodeBinding {
            public_key: NodePublicKey::from_bytes(public_key),
            signature: Signature::from_bytes(signature),
        };
        let mut params = params(valid)?;
        params.subject_alt_names = vec![
            SanType::URI(spiffe.to_string().as_str().try_into()?),
            SanType::DnsName(spiffe.node().try_into()?),
            SanType::DnsName("localhost".try_into()?),
            SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        ];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.custom_extensions = vec![CustomExtension::from_oid_content(BINDING_OID, binding.encode())];
        let leaf = params.signed_by(&csr.public_key, &self.network_issuer)?;
        Ok(vec![leaf.der().to_vec(), self.network_root.der().to_vec()])
    }

    /// The signed snapshot in force, encoded.
    pub fn snapshot(&self) -> Result<Vec<u8>, AuthorityError> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        self.sign(current.0, current.1.clone())
    }

    /// Changes the content and gives the next snapshot, signed and encoded.
    pub fn publish(&self, change: impl FnOnce(&mut Content)) -> Result<Vec<u8>, AuthorityError> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut current.1);
        current.0.revision += 1;
        self.sign(current.0, current.1.clone())
    }

    /// Signs any content as any version.
    pub fn sign(&self, version: Version, content: Content) -> Result<Vec<u8>, AuthorityError> {
        let Version { epoch, revision } = version;
        let snapshot = Snapshot { network_uid: self.network_uid.clone(), epoch, revision, content };
        Ok(SignedSnapshot::sign(&snapshot, &self.signing_key, self.signer.clone())?.encode())
    }

    /// Makes the holder of `membership` a member with the snapshot in force.
    pub fn enroll(&self, membership: &Membership) -> Result<(), AuthorityError> {
        let request = membership.request_certificate(String::new())?;
        let chain = self.issue(request.message(), membership.spiffe(), now_range())?;
        membership.adopt_certificate(&request.into_material(chain))?;
        membership.adopt_snapshot(&self.snapshot()?)?;
        Ok(())
    }
}

impl NetworkAuthority for Authority {
    fn endorse(
        &self,
        survivor: NodePublicKey,
        (header, body): SealedDocket,
    ) -> BoxFuture<'_, Result<CommitCertificate, String>> {
        let order = self.current.lock().unwrap_or_else(PoisonError::into_inner).1.succession;
        let is_ordered = order.is_some_and(|order| order.survivor == PeerId::of(&survivor));
        let signed = if is_ordered {
            endorse(&header, &body, &[survivor].into(), &self.signing_key).map_err(|refused| refused.to_string())
        } else {
            Err("the snapshot in force does not let the caller go on alone".to_owned())
        };
        Box::pin(async { signed })
    }
}

/// From a minute ago, for 72 hours.
#[must_use]
pub fn now_range() -> Range<u64> {
    let now = unix_now();
    now.saturating_sub(LEAD)..now.saturating_add(LIFE)
}

fn root(name: &str) -> Result<(Certificate, Issuer<'static, KeyPair>), rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = params(now_range())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key)?;
    Ok((certificate, Issuer::new(params, key)))
}

fn params(valid: Range<u64>) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_secs(valid.start);
    params.not_after = epoch + Duration::from_secs(valid.end);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    Ok(params)
}
