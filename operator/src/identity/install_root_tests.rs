use peerwright_snapshot::{Content, SignedSnapshot, Snapshot};

use super::*;
use crate::identity::fake_api::FakeApi;

const SECRET: &str = "/api/v1/namespaces/peerwright-system/secrets/install-root";

#[tokio::test]
async fn first_replica_creates_the_root_and_the_others_read_it() {
    let api = FakeApi::default();

    let first = InstallRoot::load_or_create(api.client(), "peerwright-system").await.expect("created");
    let second = InstallRoot::load_or_create(api.client(), "peerwright-system").await.expect("read");

    assert_eq!(first.sha256(), second.sha256());
    assert_eq!(first.snapshot_key().public(), second.snapshot_key().public());
    assert_eq!(first.signer_der(), second.signer_der());
    assert_eq!(api.calls().iter().filter(|call| call.starts_with("POST")).count(), 1);
}

#[tokio::test]
async fn damaged_secret_is_reported_and_never_overwritten() {
    for damaged in ["root.key", "snapshot-signer.seed", "snapshot-signer.crt"] {
        let api = FakeApi::default();
        InstallRoot::load_or_create(api.client(), "peerwright-system").await.expect("created");
        let mut secret = api.get(SECRET).expect("stored");
        secret["data"][damaged] = "AAAA".into();
        api.put("/api/v1/namespaces/peerwright-system/secrets", secret.clone());
        api.calls();

        let refused = InstallRoot::load_or_create(api.client(), "peerwright-system").await;

        assert!(refused.is_err(), "{damaged}");
        assert_eq!(api.calls(), [format!("GET {SECRET}")], "{damaged}");
    }
}

#[tokio::test]
async fn unreachable_api_server_makes_no_root() {
    let api = FakeApi::default();
    api.break_down(true);

    assert!(InstallRoot::load_or_create(api.client(), "peerwright-system").await.is_err());
    assert_eq!(api.calls().len(), 1, "nothing was created");
}

#[test]
fn nodes_accept_snapshots_that_the_root_vouches_for() {
    let root = InstallRoot::generate(SystemTime::now()).expect("a root");
    let snapshot = Snapshot { network_uid: "demo-uid".into(), epoch: 1, revision: 1, content: Content::default() };

    let signed = SignedSnapshot::sign(&snapshot, root.snapshot_key(), root.signer_der().to_vec()).expect("signed");

    let now = u64::try_from(unix_now()).expect("after 1970");
    assert_eq!(signed.verify(root.root_der(), "demo-uid", now), Ok(snapshot));
    let other = InstallRoot::generate(SystemTime::now()).expect("a root");
    assert!(signed.verify(other.root_der(), "demo-uid", now).is_err());
}

#[test]
fn serving_certificate_is_for_the_operators_service_only() {
    let root = InstallRoot::generate(SystemTime::now()).expect("a root");

    let serving = root.serving_certificate("peerwright-system", "cluster.local").expect("a certificate");

    let mut roots = rustls::RootCertStore::empty();
    roots.add(root.issuing.certificate().clone()).expect("an anchor");
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = rustls::client::WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .expect("a verifier");
    let verify = |name: &str| {
        use rustls::client::danger::ServerCertVerifier;
        let name = rustls_pki_types::ServerName::try_from(name.to_owned()).expect("a name");
        verifier.verify_server_cert(&serving.key.cert[0], &[], &name, &[], rustls_pki_types::UnixTime::now()).is_ok()
    };
    assert!(verify("peerwright-operator.peerwright-system.svc"));
    assert!(verify("peerwright-operator.peerwright-system.svc.cluster.local"));
    assert!(!verify("demo-api.default.svc"));
    assert!(serving.not_after > unix_now() + 23 * 3600);
}
