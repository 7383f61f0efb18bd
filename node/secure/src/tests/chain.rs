//! Certificates that speak for a root.

use super::authority::{Authority, BEGIN, END, NOW, subject};
use crate::{CertificateRefused, ChainRefused, NodeKey, chain_is_issued_by, signer_public_key};
use rcgen::{BasicConstraints, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd};

const URI: &str = "spiffe://peerwright.dev/snapshot-signer";

fn signer() -> NodeKey {
    NodeKey::from_seed([4; 32])
}

fn issue(authority: &Authority) -> Vec<u8> {
    authority.issue(&subject(&signer()), &[URI], |_| {})
}

#[test]
fn a_certificate_of_the_root_gives_its_key() {
    let root = Authority::new("install root");
    let certificate = issue(&root);
    assert_eq!(signer_public_key(&certificate, &root.root, URI, NOW), Ok(signer().public()));
    assert_eq!(chain_is_issued_by(&certificate, &root.root, NOW), Ok(()));
}

#[test]
fn another_root_of_the_same_name_is_refused() {
    let certificate = issue(&Authority::new("install root"));
    for other in [Authority::new("install root"), Authority::new("other")] {
        let refused = signer_public_key(&certificate, &other.root, URI, NOW);
        assert_eq!(refused, Err(ChainRefused::NotIssuedByRoot));
    }
}

#[test]
fn validity_is_from_the_first_second_to_the_last() {
    let root = Authority::new("install root");
    let certificate = issue(&root);
    let at = |now| chain_is_issued_by(&certificate, &root.root, now);
    assert_eq!(at(BEGIN - 1), Err(ChainRefused::NotYetValid));
    assert_eq!(at(BEGIN), Ok(()));
    assert_eq!(at(END), Ok(()));
    assert_eq!(at(END + 1), Err(ChainRefused::Expired));
    assert_eq!(at(u64::MAX), Err(ChainRefused::Expired));
}

#[test]
fn a_root_that_has_ended_vouches_for_nobody() {
    let root = Authority::with("install root", |params| params.not_after = date_time_ymd(2026, 1, 2));
    let refused = chain_is_issued_by(&issue(&root), &root.root, NOW + 1);
    assert_eq!(refused, Err(ChainRefused::Expired));
}

#[test]
fn a_certificate_for_something_else_does_not_sign() {
    let root = Authority::new("install root");
    let key = subject(&signer());
    let serving = KeyPair::generate().unwrap();
    let authority = root.issue(&key, &[URI], |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    });
    for other in
        [root.issue(&key, &["spiffe://peerwright.dev/other"], |_| {}), root.issue(&serving, &[URI], |_| {}), authority]
    {
        assert_eq!(signer_public_key(&other, &root.root, URI, NOW), Err(ChainRefused::WrongPurpose));
    }
    let name_invalid = ChainRefused::Certificate(CertificateRefused::NameInvalid);
    for uris in [&[][..], &[URI, URI]] {
        let other = root.issue(&key, uris, |_| {});
        assert_eq!(signer_public_key(&other, &root.root, URI, NOW), Err(name_invalid));
    }
}

#[test]
fn an_end_entity_is_no_root() {
    let root = Authority::new("install root");
    let leaf = issue(&root);
    let no_authority = Authority::with("a", |params| params.is_ca = IsCa::NoCa);
    let signs_no_certificates =
        Authority::with("b", |params| params.key_usages = vec![KeyUsagePurpose::DigitalSignature]);
    for der in [&leaf, &no_authority.root, &signs_no_certificates.root, &vec![0x30, 0x00], &Vec::new()] {
        assert_eq!(chain_is_issued_by(&leaf, der, NOW), Err(ChainRefused::RootInvalid));
    }
}

#[test]
fn any_altered_byte_of_a_certificate_is_refused_or_changes_nothing() {
    // Only the wrapper around what is signed can be written in more than one way.
    const WRAPPER: usize = 4;
    let root = Authority::new("install root");
    let certificate = issue(&root);
    let signed = WRAPPER..certificate.len() - 90;
    for place in 0..certificate.len() {
        for mask in [0x01, 0x20, 0x80, 0xff] {
            let mut altered = certificate.clone();
            altered[place] ^= mask;
            match signer_public_key(&altered, &root.root, URI, NOW) {
                Ok(key) => {
                    assert!(!signed.contains(&place), "byte {place} ^ {mask:#x}");
                    assert_eq!(key, signer().public());
                }
                Err(refused) => assert!(!refused.code().is_empty()),
            }
        }
    }
}
