//! Making certificates: what root, network authority, leaf, serving certificate and snapshot signer have in common.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType, SerialNumber,
};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use thiserror::Error;

/// Certificates begin this long before they are made, so that a clock a little behind accepts them.
pub(crate) const BACKDATE: Duration = Duration::from_secs(300);

/// A root or network authority lives ten years.
pub(crate) const AUTHORITY_LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// A key or certificate could not be made or read.
#[derive(Debug, Error)]
pub enum IssueError {
    /// The library refused.
    #[error("cannot make or read a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A stored record is not what this program writes.
    #[error("the stored key material cannot be read: {0}")]
    Stored(&'static str),
    /// The operating system gave no randomness.
    #[error("no randomness to be had")]
    Randomness,
}

/// A certificate authority in memory: its key, its certificate.
pub(crate) struct Issuing {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    not_after: i64,
}

impl Issuing {
    /// Makes a new P-256 authority named `common_name`.
    pub(crate) fn generate(common_name: &str, now: SystemTime) -> Result<Self, IssueError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = base_params(common_name, now, AUTHORITY_LIFETIME)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let certificate = params.self_signed(&key)?.der().clone();
        Self::new(certificate, key)
    }

    /// Reads what [`Issuing::key_der`] and [`Issuing::certificate`] gave.
    pub(crate) fn restore(certificate: &[u8], key: &[u8]) -> Result<Self, IssueError> {
        let key =
            KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(key.to_vec()), &PKCS_ECDSA_P256_SHA256)?;
        Self::new(CertificateDer::from(certificate.to_vec()), key)
    }

    fn new(certificate: CertificateDer<'static>, key: KeyPair) -> Result<Self, IssueError> {
        let (_, parsed) = x509_parser::parse_x509_certificate(&certificate)
            .map_err(|_| IssueError::Stored("the certificate is not X.509"))?;
        if parsed.public_key().raw != key.subject_public_key_info() {
            return Err(IssueError::Stored("the certificate is not of the stored key"));
        }
        let not_after = parsed.validity().not_after.timestamp();
        let issuer = Issuer::from_ca_cert_der(&certificate, key)?;
        Ok(Self { issuer, certificate, not_after })
    }

    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    pub(crate) fn key_der(&self) -> &[u8] {
        self.issuer.key().serialized_der()
    }

    /// Issues `request` for the key `public_key`, never past the authority's own end.
    pub(crate) fn issue(
        &self,
        request: EndEntity<'_>,
        public_key: &impl PublicKeyData,
        now: SystemTime,
    ) -> Result<Issued, IssueError> {
        let room = u64::try_from(self.not_after).unwrap_or_default().saturating_sub(unix_seconds(now));
        let lifetime = request.lifetime.min(Duration::from_secs(room));
        let mut params = base_params(request.common_name, now, lifetime)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = request.extended_key_usages;
        params.custom_extensions = request.extensions;
        for uri in request.uris {
            params.subject_alt_names.push(SanType::URI(uri.try_into()?));
        }
        for name in request.dns_names {
            params.subject_alt_names.push(SanType::DnsName(name.try_into()?));
        }
        let certificate = params.signed_by(public_key, &self.issuer)?.der().clone();
        let not_after = i64::try_from(unix_seconds(now).saturating_add(lifetime.as_secs())).unwrap_or(i64::MAX);
        Ok(Issued { certificate, not_after })
    }
}

impl std::fmt::Debug for Issuing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Issuing").field("not_after", &self.not_after).finish_non_exhaustive()
    }
}

/// What an end-entity certificate says.
pub(crate) struct EndEntity<'a> {
    pub(crate) common_name: &'a str,
    pub(crate) lifetime: Duration,
    pub(crate) uris: Vec<String>,
    pub(crate) dns_names: Vec<String>,
    pub(crate) extended_key_usages: Vec<ExtendedKeyUsagePurpose>,
    pub(crate) extensions: Vec<CustomExtension>,
}

/// A certificate just made, and its last second.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) not_after: i64,
}

/// Fresh random bytes.
pub(crate) fn random<const LENGTH: usize>() -> Result<[u8; LENGTH], IssueError> {
    let mut bytes = [0; LENGTH];
    rustls::crypto::aws_lc_rs::default_provider().secure_random.fill(&mut bytes).map_err(|_| IssueError::Randomness)?;
    Ok(bytes)
}

fn base_params(common_name: &str, now: SystemTime, lifetime: Duration) -> Result<CertificateParams, IssueError> {
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    params.distinguished_name = name;
    params.not_before = (now - BACKDATE).into();
    params.not_after = (now + lifetime).into();
    params.serial_number = Some(random_serial()?);
    Ok(params)
}

/// 127 random bits: positive, and never shorter than it looks.
fn random_serial() -> Result<SerialNumber, IssueError> {
    let mut bytes = random::<16>()?;
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
