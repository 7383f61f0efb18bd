//! Who gets through a handshake, in both directions.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::{
    dev::{Authority, now_range},
    testing::{self, TRUST_DOMAIN, authority, ban_forever, spiffe},
};
use peerwright_secure::{BanSubject, Cidr, NodeKey, SpiffeId};
use proptest::prelude::{any, prop_assert_eq, proptest};
use rustls::{ClientConfig, HandshakeKind, RootCertStore, client::Resumption, version::TLS12};
use rustls_pki_types::{CertificateDer, ServerName};
use std::{collections::BTreeMap, io, ops::Range};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// One side of a handshake.
struct Side {
    profiles: Profiles,
    bans: Arc<Bans>,
    leaf: Arc<Leaf>,
    key: NodeKey,
}

fn side(authority: &Authority, number: u8) -> Side {
    let name = spiffe(&format!("demo-peer-{number}"));
    side_named(authority, authority.network_root(), number, &name, now_range())
}

/// Trusts `anchor`, shows a leaf of `issuer`.
fn side_named(issuer: &Authority, anchor: &[u8], number: u8, name: &SpiffeId, valid: Range<u64>) -> Side {
    let key = NodeKey::from_seed([number; 32]);
    let (anchors, bans, leaf) = (Arc::<Anchors>::default(), Arc::<Bans>::default(), Arc::<Leaf>::default());
    anchors.replace([anchor]).unwrap();
    let (certified, member) = Leaf::read(&testing::leaf(issuer, &key, name, valid)).unwrap();
    leaf.replace(certified, member);
    let profiles = Profiles::new(TRUST_DOMAIN.to_owned(), anchors, bans.clone(), leaf.clone()).unwrap();
    Side { profiles, bans, leaf, key }
}

/// How a handshake ended on each side. One byte goes each way: in TLS 1.3 the dialling side hears of a refusal only
/// when it reads.
struct Outcome {
    dialled: io::Result<HandshakeKind>,
    accepted: io::Result<HandshakeKind>,
}

impl Outcome {
    fn is_good(&self) -> bool {
        self.dialled.is_ok() && self.accepted.is_ok()
    }

    fn codes(&self) -> (Option<&'static str>, Option<&'static str>) {
        let code = |result: &io::Result<HandshakeKind>| result.as_ref().err().and_then(|error| refusal_of(error));
        (code(&self.dialled), code(&self.accepted))
    }
}

async fn shake(client: Arc<ClientConfig>, server: &Side) -> Outcome {
    let (near, far) = duplex(16 * 1024);
    let acceptor = TlsAcceptor::from(server.profiles.members_inbound.clone());
    let accepting = async {
        let mut stream = acceptor.accept(far).await?;
        stream.write_all(b"x").await?;
        stream.flush().await?;
        stream.read_u8().await?;
        Ok(stream.get_ref().1.handshake_kind().unwrap())
    };
    let dialling = async {
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(client).connect(name, near).await?;
        stream.read_u8().await?;
        stream.write_all(b"x").await?;
        stream.flush().await?;
        Ok(stream.get_ref().1.handshake_kind().unwrap())
    };
    let (accepted, dialled) = tokio::join!(accepting, dialling);
    Outcome { dialled, accepted }
}

async fn dial(client: &Side, server: &Side) -> Outcome {
    shake(client.profiles.members_outbound.clone(), server).await
}

/// A client of somebody else's: believes every server of the network, and would resume.
fn stranger(authority: &Authority) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(authority.network_root())).unwrap();
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
}

#[tokio::test]
async fn members_of_one_network_get_through() {
    let authority = authority();
    let outcome = dial(&side(&authority, 1), &side(&authority, 2)).await;
    assert!(outcome.is_good(), "{:?}", outcome.codes());
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused() {
    let authority = authority();
    let outcome = shake(Arc::new(stranger(&authority).with_no_client_auth()), &side(&authority, 1)).await;
    assert_eq!(outcome.codes(), (Some("certificate_required_by_peer"), Some("no_certificate")));
}

#[tokio::test]
async fn a_member_of_another_authority_is_refused_whoever_dials() {
    let (ours, theirs) = (authority(), authority());
    let foreign = side_named(&theirs, ours.network_root(), 2, &spiffe("demo-peer-2"), now_range());
    assert_eq!(dial(&foreign, &side(&ours, 1)).await.codes().1, Some("untrusted"));
    assert_eq!(dial(&side(&ours, 1), &foreign).await.codes().0, Some("untrusted"));
}

#[tokio::test]
async fn an_expired_leaf_and_one_from_tomorrow_are_refused() {
    let authority = authority();
    let root = authority.network_root();
    let now = unix_now();
    let expired = side_named(&authority, root, 2, &spiffe("demo-peer-2"), now - 7_200..now - 3_600);
    assert_eq!(dial(&expired, &side(&authority, 1)).await.codes(), (Some("expired_by_peer"), Some("expired")));
    assert_eq!(dial(&side(&authority, 1), &expired).await.codes().0, Some("expired"));
    let tomorrow = side_named(&authority, root, 3, &spiffe("demo-peer-3"), now + 3_600..now + 7_200);
    assert_eq!(dial(&tomorrow, &side(&authority, 1)).await.codes().1, Some("not_yet_valid"));
}

#[tokio::test]
async fn a_leaf_of_another_trust_domain_is_refused() {
    let authority = authority();
    let name = SpiffeId::new("other.default.peerwright.internal", "default", "demo-peer-2").unwrap();
    let foreign = side_named(&authority, authority.network_root(), 2, &name, now_range());
    assert_eq!(dial(&foreign, &side(&authority, 1)).await.codes().1, Some("foreign_trust_domain"));
}

#[tokio::test]
async fn a_certificate_of_the_authority_that_is_no_members_is_refused() {
    let authority = authority();
    let (serving, key) = authority.serving_certificate("localhost").unwrap();
    let client = stranger(&authority).with_client_auth_cert(vec![serving.into()], key.try_into().unwrap()).unwrap();
    assert_eq!(shake(Arc::new(client), &side(&authority, 1)).await.codes().1, Some("untrusted"));
}

#[tokio::test]
async fn tls_1_2_is_refused() {
    let authority = authority();
    let server = side(&authority, 1);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(authority.network_root())).unwrap();
    let client = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    assert_eq!(shake(Arc::new(client), &server).await.codes().1, Some("incompatible"));
}

#[tokio::test]
async fn a_node_that_knows_no_authority_yet_lets_nobody_in() {
    let authority = authority();
    let leaf = Arc::<Leaf>::default();
    let key = NodeKey::from_seed([1; 32]);
    let (certified, member) = Leaf::read(&testing::valid_leaf(&authority, &key, "demo-peer-1")).unwrap();
    leaf.replace(certified, member);
    let bans = Arc::<Bans>::default();
    let profiles = Profiles::new(TRUST_DOMAIN.to_owned(), Arc::default(), bans.clone(), leaf.clone()).unwrap();
    let waiting = Side { profiles, bans, leaf, key };
    assert_eq!(dial(&side(&authority, 2), &waiting).await.codes().1, Some("no_anchors"));
}

#[tokio::test]
async fn a_ban_made_between_two_dials_is_enforced_on_the_second_even_against_a_client_that_would_resume() {
    let authority = authority();
    let server = side(&authority, 1);
    let key = NodeKey::from_seed([2; 32]);
    let material = testing::valid_leaf(&authority, &key, "demo-peer-2");
    let mut client = stranger(&authority).with_client_auth_cert(material.chain, material.key.into()).unwrap();
    client.resumption = Resumption::in_memory_sessions(32);
    let client = Arc::new(client);
    for _ in 0..2 {
        let outcome = shake(client.clone(), &server).await;
        assert!(matches!(
            (outcome.dialled, outcome.accepted),
            (Ok(HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest), Ok(_))
        ));
    }
    server.bans.replace_snapshot(BTreeMap::from([(key.peer_id().into(), ban_forever())]));
    assert_eq!(shake(client.clone(), &server).await.codes(), (Some("banned_by_peer"), Some("banned")));
    server.bans.replace_snapshot(BTreeMap::new());
    assert!(shake(client, &server).await.is_good());
}

#[tokio::test]
async fn a_banned_peer_is_not_dialled_either() {
    let authority = authority();
    let (near, far) = (side(&authority, 1), side(&authority, 2));
    near.bans.replace_snapshot(BTreeMap::from([(far.key.peer_id().into(), ban_forever())]));
    assert_eq!(dial(&near, &far).await.codes().0, Some("banned"));
    assert_eq!(dial(&far, &near).await.codes(), (Some("banned_by_peer"), Some("banned")));
}

#[tokio::test]
async fn a_ban_by_name_or_certificate_is_enforced_whoever_dials_and_spares_the_others() {
    let authority = authority();
    let (near, far, other) = (side(&authority, 1), side(&authority, 2), side(&authority, 3));
    let shown = far.leaf.member().unwrap();
    for subject in [BanSubject::Spiffe(shown.spiffe.clone()), BanSubject::Fingerprint(shown.fingerprint)] {
        near.bans.replace_snapshot(BTreeMap::from([(subject, ban_forever())]));
        assert_eq!(dial(&near, &far).await.codes().0, Some("banned"));
        assert_eq!(dial(&far, &near).await.codes(), (Some("banned_by_peer"), Some("banned")));
        assert!(dial(&near, &other).await.is_good());
    }
}

#[tokio::test]
async fn a_banned_certificate_does_not_ban_its_successor_and_a_banned_name_does() {
    let authority = authority();
    let (near, far) = (side(&authority, 1), side(&authority, 2));
    let before = far.leaf.member().unwrap();
    let (certified, member) = Leaf::read(&testing::valid_leaf(&authority, &far.key, "demo-peer-2")).unwrap();
    far.leaf.replace(certified, member);
    near.bans.replace_snapshot(BTreeMap::from([(BanSubject::Fingerprint(before.fingerprint), ban_forever())]));
    assert!(dial(&far, &near).await.is_good());
    near.bans.replace_snapshot(BTreeMap::from([(BanSubject::Spiffe(before.spiffe.clone()), ban_forever())]));
    assert_eq!(dial(&far, &near).await.codes().1, Some("banned"));
}

#[tokio::test]
async fn a_ban_of_every_address_refuses_no_member() {
    let authority = authority();
    let (near, far) = (side(&authority, 1), side(&authority, 2));
    let everywhere = ["cidr:0.0.0.0/0", "cidr:::/0"].map(|range| (range.parse().unwrap(), ban_forever()));
    near.bans.replace_snapshot(BTreeMap::from(everywhere));
    assert!(dial(&far, &near).await.is_good());
    assert!(dial(&near, &far).await.is_good());
}

#[test]
fn a_banned_range_covers_its_addresses_until_it_ends() {
    let bans = Bans::default();
    let address = |text: &str| text.parse().unwrap();
    let until = peerwright_snapshot::Ban { expires_at: Some(100) };
    bans.replace_snapshot(BTreeMap::from([
        ("cidr:203.0.113.0/24".parse().unwrap(), until),
        ("cidr:2001:db8::/32".parse().unwrap(), ban_forever()),
    ]));
    bans.replace_local(BTreeMap::from([("cidr:198.51.100.7/32".parse().unwrap(), ban_forever())]));
    for banned in ["203.0.113.9", "::ffff:203.0.113.9", "2001:db8:1::1", "198.51.100.7"] {
        assert!(bans.is_range_banned(address(banned), 99), "{banned}");
    }
    for free in ["203.0.112.9", "2001:db9::1", "198.51.100.8"] {
        assert!(!bans.is_range_banned(address(free), 99), "{free}");
    }
    assert!(!bans.is_range_banned(address("203.0.113.9"), 100));
}

proptest! {
    #[test]
    fn looking_up_by_length_finds_what_comparing_with_each_range_finds(
        ranges in proptest::collection::vec((any::<u32>(), 0u8..=32), 0..12),
        address in any::<u32>(),
    ) {
        let range = |(address, length): (u32, u8)| Cidr::around(std::net::Ipv4Addr::from_bits(address).into(), length).unwrap();
        let ranges: Vec<Cidr> = ranges.into_iter().map(range).collect();
        let bans = Bans::default();
        bans.replace_snapshot(ranges.iter().map(|range| (BanSubject::Range(*range), ban_forever())).collect());
        for address in ranges.iter().map(Cidr::first).chain([std::net::Ipv4Addr::from_bits(address).into()]) {
            prop_assert_eq!(bans.is_range_banned(address, 1), ranges.iter().any(|range| range.contains(address)));
        }
    }
}

#[test]
fn a_ban_ends_by_its_own_expiry_and_a_local_one_adds_to_the_snapshot() {
    let bans = Bans::default();
    let peer = NodeKey::from_seed([1; 32]).peer_id();
    bans.replace_snapshot(BTreeMap::from([(peer.into(), peerwright_snapshot::Ban { expires_at: Some(100) })]));
    assert!(bans.is_peer_banned(&peer, 99) && !bans.is_peer_banned(&peer, 100));
    bans.replace_local(BTreeMap::from([(peer.into(), ban_forever())]));
    assert!(bans.is_peer_banned(&peer, 100) && !bans.is_peer_banned_by_snapshot(&peer, 100));
}

#[test]
fn anchors_that_cannot_be_read_change_nothing() {
    let authority = authority();
    let anchors = Anchors::default();
    anchors.replace([authority.network_root(), b"a future kind of key".as_slice()]).unwrap();
    assert!(anchors.replace([b"rubbish".as_slice()]).is_err());
    assert!(anchors.are_known());
}
