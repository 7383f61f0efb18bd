use std::time::Duration;

use peerwright_secure::{MemberCertificate, PeerId, chain_is_issued_by};
use rustls::CertificateError;
use rustls_pki_types::UnixTime;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::*;
use crate::identity::{
    Networks, Trust,
    fixtures::{Keys, facts, network},
    unix_now,
};

fn trust_of(
    network: &peerwright_crds::PeerNetwork,
    authority: Authority,
) -> (std::sync::Arc<Trust>, std::sync::Arc<Authority>) {
    let (networks, authority) = (Networks::default(), std::sync::Arc::new(authority));
    networks.put(facts(network), authority.clone());
    (networks.trust(), authority)
}

#[test]
fn leaf_names_the_pod_and_binds_its_node_key() {
    let (network, keys) = (network("demo", 3), Keys::of(1));
    let authority = Authority::generate("demo-uid").expect("an authority");

    let leaf = keys.leaf(&authority, &network, "demo-peer-1", SystemTime::now());

    let member = MemberCertificate::from_der(&leaf).expect("a member's leaf");
    assert_eq!(member.spiffe.to_string(), "spiffe://demo.default.peerwright.internal/node/default/demo-peer-1");
    assert_eq!(member.peer_id, PeerId::of(&keys.node.public()));
    assert!((71 * 3600..=72 * 3600).contains(&(member.not_after - unix_now())));
    assert!((299..=310).contains(&(unix_now() - member.not_before)), "valid since five minutes ago");
    let now = u64::try_from(unix_now()).expect("after 1970");
    assert_eq!(chain_is_issued_by(&leaf, &authority.trust_der()[0], now), Ok(()));
}

#[test]
fn leaf_has_the_dns_names_by_which_a_node_is_dialled() {
    let (network, keys) = (network("demo", 3), Keys::of(1));
    let authority = Authority::generate("demo-uid").expect("an authority");

    let leaf = keys.leaf(&authority, &network, "demo-peer-1", SystemTime::now());

    let (_, leaf) = X509Certificate::from_der(&leaf).expect("a certificate");
    let names = leaf.subject_alternative_name().expect("readable").expect("present").value.general_names.iter();
    let dns: Vec<&str> =
        names.filter_map(|name| if let GeneralName::DNSName(name) = name { Some(*name) } else { None }).collect();
    let expected = [
        "demo-peer-1.demo-peers.default.svc.cluster.local",
        "demo-peer-1.demo-peers.default.svc",
        "demo-peers.default.svc.cluster.local",
        "demo-peers.default.svc",
        "demo-api.default.svc.cluster.local",
        "demo-api.default.svc",
    ];
    assert_eq!(dns, expected);
    let usage = leaf.extended_key_usage().expect("readable").expect("present").value;
    assert!(usage.server_auth && usage.client_auth && !leaf.is_ca());
}

#[test]
fn serials_are_random() {
    let (network, keys) = (network("demo", 3), Keys::of(1));
    let authority = Authority::generate("demo-uid").expect("an authority");
    let serial = |leaf: &[u8]| X509Certificate::from_der(leaf).expect("a certificate").1.raw_serial().to_vec();

    let leaves = [1, 2].map(|_| keys.leaf(&authority, &network, "demo-peer-1", SystemTime::now()));

    assert_ne!(serial(&leaves[0]), serial(&leaves[1]));
    assert_eq!(serial(&leaves[0]).len(), 16);
}

#[test]
fn authority_survives_its_secret() {
    let made = Authority::generate("demo-uid").expect("an authority");

    let restored = Authority::restore(made.certificate(), made.key_der()).expect("readable");

    assert_eq!((restored.fingerprint(), restored.trust_pem()), (made.fingerprint(), made.trust_pem()));
    let over_registers = |authority: &Authority| authority.over_registers().public();
    assert_eq!(over_registers(&restored), over_registers(&made));
    let other = Authority::generate("demo-uid").expect("an authority");
    assert_ne!(over_registers(&other), over_registers(&made));
    assert!(Authority::restore(made.certificate(), other.key_der()).is_err(), "another authority's key");
}

#[test]
fn trust_tells_who_a_chain_names() {
    let (network, keys) = (network("demo", 3), Keys::of(1));
    let (trust, authority) = trust_of(&network, Authority::generate("demo-uid").expect("an authority"));
    let leaf = keys.leaf(&authority, &network, "demo-peer-1", SystemTime::now());

    let identity = trust.identify(&leaf, &[], UnixTime::now()).expect("a member");

    assert_eq!((identity.network.uid.as_str(), identity.pod.as_str()), ("demo-uid", "demo-peer-1"));
    assert_eq!(identity.peer_id, keys.node.peer_id());
    assert_eq!(identity.leaf, sha256(&leaf));
}

#[test]
fn chain_vouches_for_its_own_trust_domain_only() {
    let (ours, theirs, keys) = (network("demo", 3), network("other", 3), Keys::of(1));
    let networks = Networks::default();
    let our_authority = std::sync::Arc::new(Authority::generate("demo-uid").expect("an authority"));
    let their_authority = std::sync::Arc::new(Authority::generate("other-uid").expect("an authority"));
    networks.put(facts(&ours), our_authority);
    networks.put(facts(&theirs), their_authority.clone());

    let forged = keys.leaf(&their_authority, &ours, "demo-peer-1", SystemTime::now());

    let refusal = networks.trust().identify(&forged, &[], UnixTime::now());
    assert!(matches!(refusal, Err(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer))), "{refusal:?}");
}

#[test]
fn one_trust_domain_in_two_namespaces_keeps_them_apart() {
    let (mut ours, mut theirs, keys) = (network("demo", 3), network("evil", 3), Keys::of(1));
    ours.spec.trust_domain = Some("example.org".into());
    theirs.spec.trust_domain = Some("example.org".into());
    theirs.metadata.namespace = Some("elsewhere".into());
    let networks = Networks::default();
    let their_authority = std::sync::Arc::new(Authority::generate("evil-uid").expect("an authority"));
    networks.put(facts(&ours), std::sync::Arc::new(Authority::generate("demo-uid").expect("an authority")));
    networks.put(facts(&theirs), their_authority.clone());

    let forged = keys.leaf(&their_authority, &ours, "demo-peer-1", SystemTime::now());
    let honest = keys.leaf(&their_authority, &theirs, "evil-peer-1", SystemTime::now());

    assert!(networks.trust().identify(&forged, &[], UnixTime::now()).is_err());
    assert_eq!(networks.trust().identify(&honest, &[], UnixTime::now()).expect("a member").network.uid, "evil-uid");
}

#[test]
fn expired_leaf_and_forgotten_network_are_refused() {
    let (network, keys) = (network("demo", 3), Keys::of(1));
    let networks = Networks::default();
    let authority = std::sync::Arc::new(Authority::generate("demo-uid").expect("an authority"));
    networks.put(facts(&network), authority.clone());
    let long_ago = SystemTime::now() - Duration::from_secs(80 * 3600);
    let (expired, valid) = (
        keys.leaf(&authority, &network, "demo-peer-1", long_ago),
        keys.leaf(&authority, &network, "demo-peer-1", SystemTime::now()),
    );

    assert!(networks.trust().identify(&expired, &[], UnixTime::now()).is_err());
    assert!(networks.trust().identify(&valid, &[], UnixTime::now()).is_ok());
    networks.remove("demo-uid");
    assert!(networks.trust().identify(&valid, &[], UnixTime::now()).is_err());
}
