//! Makes certificates to be read back.

use crate::{BINDING_OID, NodeBinding, NodeKey};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SanType, SubjectPublicKeyInfo, date_time_ymd,
};

/// 2026-01-01, when every certificate made here begins.
pub(super) const BEGIN: u64 = 1_767_225_600;
/// 2027-01-01, when every certificate made here has ended, and its last second.
pub(super) const END: u64 = 1_798_761_600;
/// A time at which they are valid.
pub(super) const NOW: u64 = BEGIN + 86_400;

pub(super) const MEMBER: &str = "spiffe://demo.default.peerwright.internal/node/default/demo-peer-0";

/// A certificate authority with a self-signed root.
pub(super) struct Authority {
    pub(super) root: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        Self::with(name, |_| {})
    }

    pub(super) fn with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = params(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap().der().to_vec();
        Self { root, issuer: Issuer::new(params, key) }
    }

    /// An end entity's certificate for `key` with the given URI names.
    pub(super) fn issue(
        &self,
        key: &impl PublicKeyData,
        uris: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Vec<u8> {
        let mut params = params("leaf");
        params.subject_alt_names = uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())).collect();
        params.subject_alt_names.push(SanType::DnsName("demo-peers.default.svc".try_into().unwrap()));
        change(&mut params);
        params.signed_by(key, &self.issuer).unwrap().der().to_vec()
    }

    /// A member's leaf: names and binding as they should be, then changed.
    pub(super) fn issue_member(&self, node: &NodeKey, change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let tls = KeyPair::generate().unwrap();
        let binding = NodeBinding::new(node, &tls.subject_public_key_info()).encode();
        self.issue(&tls, &[MEMBER], |params| {
            params.custom_extensions.push(binding_extension(binding));
            change(params);
        })
    }
}

pub(super) fn binding_extension(content: Vec<u8>) -> CustomExtension {
    CustomExtension::from_oid_content(BINDING_OID, content)
}

/// A node key as the subject of a certificate.
pub(super) fn subject(key: &NodeKey) -> SubjectPublicKeyInfo {
    SubjectPublicKeyInfo::from_der(&key.public().to_spki_der()).unwrap()
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params
}
