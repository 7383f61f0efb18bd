//! An install root, as the operator makes one.

use crate::SIGNER_URI;
use peerwright_secure::{NodeKey, NodePublicKey};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ED25519, SanType, SubjectPublicKeyInfo, date_time_ymd,
};

/// A time at which the certificates made here are valid: 2026-01-02.
pub(super) const NOW: u64 = 1_767_225_600 + 86_400;

/// A time at which they have ended: 2027-01-02.
pub(super) const AFTER: u64 = 1_798_761_600 + 86_400;

/// The operator's signing key.
pub(super) fn signer() -> NodeKey {
    NodeKey::from_seed([2; 32])
}

pub(super) struct InstallRoot {
    pub(super) der: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

impl InstallRoot {
    pub(super) fn from_seed(seed: [u8; 32]) -> Self {
        // PKCS #8 of an Ed25519 seed, RFC 8410.
        let pkcs8 = [hex::decode("302e020100300506032b657004220420").unwrap(), seed.to_vec()].concat();
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8.into(), &PKCS_ED25519).unwrap();
        let mut params = params("peerwright install root", 1);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self { der, issuer: Issuer::new(params, key) }
    }

    /// The certificate of a snapshot signer.
    pub(super) fn certify(&self, key: &NodePublicKey) -> Vec<u8> {
        let mut params = params("peerwright snapshot signer", 2);
        params.subject_alt_names = vec![SanType::URI(SIGNER_URI.try_into().unwrap())];
        let subject = SubjectPublicKeyInfo::from_der(&key.to_spki_der()).unwrap();
        params.signed_by(&subject, &self.issuer).unwrap().der().to_vec()
    }
}

fn params(name: &str, serial: u64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(serial.into());
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params
}
