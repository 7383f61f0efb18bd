//! What is read from a member's leaf.

use super::authority::{Authority, BEGIN, END, MEMBER, binding_extension};
use crate::binding::BINDING_OID_DER;
use crate::{
    BINDING_OID, CertificateRefused, MAX_CERTIFICATE_BYTES, MemberCertificate, NodeBinding, NodeKey, NodePublicKey,
    Signature, sha256,
};
use proptest::prelude::*;
use rcgen::{KeyPair, PublicKeyData, SanType};
use std::sync::LazyLock;
use x509_parser::oid_registry::Oid;

fn node() -> NodeKey {
    NodeKey::from_seed([9; 32])
}

#[test]
fn the_binding_identifier_is_the_same_in_both_forms() {
    assert_eq!(Oid::from(BINDING_OID).unwrap().as_bytes(), BINDING_OID_DER);
}

#[test]
fn a_leaf_names_its_member() {
    let leaf = Authority::new("ca").issue_member(&node(), |_| {});
    let member = MemberCertificate::from_der(&leaf).unwrap();
    assert_eq!(member.spiffe.to_string(), MEMBER);
    assert_eq!(member.public_key, node().public());
    assert_eq!(member.peer_id, node().peer_id());
    assert_eq!(u64::try_from(member.not_before), Ok(BEGIN));
    assert_eq!(u64::try_from(member.not_after), Ok(END));
    assert_eq!(member.fingerprint.as_bytes(), &sha256(&leaf));
    assert!(leaf.len() < 1024, "{} bytes", leaf.len());
}

#[test]
fn the_leafs_tls_key_is_told() {
    let tls = KeyPair::generate().unwrap();
    let binding = NodeBinding::new(&node(), &tls.subject_public_key_info());
    let leaf = Authority::new("ca").issue(&tls, &[MEMBER], |params| {
        params.custom_extensions.push(binding_extension(binding.encode()));
    });
    let member = MemberCertificate::from_der(&leaf).unwrap();
    assert_eq!(member.spki_sha256, sha256(&tls.subject_public_key_info()));
}

#[test]
fn a_leaf_has_exactly_one_uri_and_it_is_a_members() {
    let authority = Authority::new("ca");
    let tls = KeyPair::generate().unwrap();
    let binding = NodeBinding::new(&node(), &tls.subject_public_key_info()).encode();
    for uris in [&[][..], &[MEMBER, MEMBER], &["spiffe://a/ns/b/sa/c"], &["https://example.org"]] {
        let leaf = authority.issue(&tls, uris, |params| {
            params.custom_extensions.push(binding_extension(binding.clone()));
        });
        assert_eq!(MemberCertificate::from_der(&leaf), Err(CertificateRefused::NameInvalid), "{uris:?}");
    }
    let leaf = authority.issue_member(&node(), |params| params.subject_alt_names.clear());
    assert_eq!(MemberCertificate::from_der(&leaf), Err(CertificateRefused::NameInvalid));
}

#[test]
fn a_leaf_without_a_binding_names_nobody() {
    let leaf = Authority::new("ca").issue_member(&node(), |params| params.custom_extensions.clear());
    assert_eq!(MemberCertificate::from_der(&leaf), Err(CertificateRefused::BindingMissing));
}

#[test]
fn two_bindings_are_malformed() {
    let leaf = Authority::new("ca").issue_member(&node(), |params| {
        params.custom_extensions.push(binding_extension(vec![0; NodeBinding::LENGTH]));
    });
    assert_eq!(MemberCertificate::from_der(&leaf), Err(CertificateRefused::Malformed));
}

#[test]
fn a_binding_for_another_tls_key_is_refused() {
    let stolen = NodeBinding::new(&node(), b"the victim's TLS key").encode();
    let short = stolen[..95].to_vec();
    for content in [stolen.clone(), short, [stolen, vec![0]].concat(), Vec::new()] {
        let leaf = Authority::new("ca").issue_member(&node(), |params| {
            params.custom_extensions = vec![binding_extension(content)];
        });
        assert_eq!(MemberCertificate::from_der(&leaf), Err(CertificateRefused::BindingInvalid));
    }
}

#[test]
fn a_weak_node_key_is_refused_though_its_binding_verifies() {
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut constant = [0; 64];
    constant[0] = 1;
    let binding =
        NodeBinding { public_key: NodePublicKey::from_bytes(identity), signature: Signature::from_bytes(constant) };
    assert_eq!(binding.verify(b"any TLS key"), Ok(()));
    let leaf = Authority::new("ca").issue_member(&node(), |params| {
        params.custom_extensions = vec![binding_extension(binding.encode())];
    });
    assert_eq!(MemberCertificate::from_der(&leaf), Err(CertificateRefused::BindingInvalid));
}

#[test]
fn what_is_too_long_or_goes_on_behind_the_end_is_malformed() {
    let authority = Authority::new("ca");
    let leaf = authority.issue_member(&node(), |_| {});
    let trailing = [leaf.as_slice(), &[0]].concat();
    let long = authority.issue_member(&node(), |params| {
        let name = format!("{}.example.org", "a".repeat(60));
        params.subject_alt_names.extend((0..300).map(|_| SanType::DnsName(name.as_str().try_into().unwrap())));
    });
    assert!(long.len() > MAX_CERTIFICATE_BYTES);
    for der in [&trailing, &long, &leaf[1..].to_vec(), &Vec::new()] {
        assert_eq!(MemberCertificate::from_der(der), Err(CertificateRefused::Malformed));
    }
}

#[test]
fn every_refusal_has_a_code_of_its_own() {
    use CertificateRefused::{BindingInvalid, BindingMissing, Malformed, NameInvalid};
    let codes = [Malformed, NameInvalid, BindingMissing, BindingInvalid].map(CertificateRefused::code);
    assert_eq!(codes, ["certificate_malformed", "certificate_name_invalid", "binding_missing", "binding_invalid"]);
}

static LEAF: LazyLock<Vec<u8>> = LazyLock::new(|| Authority::new("ca").issue_member(&node(), |_| {}));

proptest! {
    #[test]
    fn no_damage_to_a_leaf_makes_a_reader_panic_or_changes_who_it_names(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        length: prop::sample::Index,
        cut: bool,
    ) {
        let mut der = LEAF.clone();
        for (place, value) in changes {
            let place = place.index(der.len());
            der[place] = value;
        }
        if cut {
            der.truncate(length.index(der.len()));
        }
        if let Ok(member) = MemberCertificate::from_der(&der) {
            prop_assert_eq!(member.public_key, node().public());
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(der in prop::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(MemberCertificate::from_der(&der).is_err());
    }
}
