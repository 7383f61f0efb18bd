//! Which signed snapshots are believed.

use super::authority::{AFTER, InstallRoot, NOW, signer};
use super::samples::{NETWORK, largest, sample};
use crate::{MAX_SNAPSHOT_BYTES, SignedSnapshot, SnapshotRefused};
use peerwright_encoding::DecodeError;
use peerwright_secure::{ChainRefused, NodeKey, SignatureRefused, sha256};
use proptest::prelude::*;
use std::sync::LazyLock;

static ROOT: LazyLock<InstallRoot> = LazyLock::new(|| InstallRoot::from_seed([1; 32]));

fn signed() -> SignedSnapshot {
    SignedSnapshot::sign(&sample(), &signer(), ROOT.certify(&signer().public())).unwrap()
}

#[test]
fn a_signed_snapshot_arrives_as_it_was() {
    let travelled = SignedSnapshot::decode(&signed().encode()).unwrap();
    assert_eq!(travelled, signed());
    assert_eq!(travelled.digest(), sha256(&sample().encode()));
    assert_eq!(travelled.verify(&ROOT.der, NETWORK, NOW), Ok(sample()));
}

#[test]
fn the_largest_snapshot_travels() {
    let signed = SignedSnapshot::sign(&largest(), &signer(), ROOT.certify(&signer().public())).unwrap();
    assert!(SignedSnapshot::decode(&signed.encode()).is_ok());
}

#[test]
fn a_snapshot_over_a_limit_is_not_signed() {
    let mut snapshot = sample();
    snapshot.content.api.issuer = "i".repeat(1000);
    let refused = SignedSnapshot::sign(&snapshot, &signer(), Vec::new()).unwrap_err();
    assert_eq!(refused.code(), "snapshot_malformed");
    let refused = SignedSnapshot::decode(&vec![1; MAX_SNAPSHOT_BYTES + 1]).unwrap_err();
    assert!(matches!(refused, SnapshotRefused::Malformed(DecodeError::TooLong { .. })));
}

#[test]
fn another_root_network_or_time_is_refused() {
    let other_root = InstallRoot::from_seed([8; 32]);
    let refused = signed().verify(&other_root.der, NETWORK, NOW).unwrap_err();
    assert_eq!(refused, SnapshotRefused::Signer(ChainRefused::NotIssuedByRoot));
    assert_eq!(refused.code(), "not_issued_by_root");

    let refused = signed().verify(&ROOT.der, NETWORK, AFTER).unwrap_err();
    assert_eq!(refused, SnapshotRefused::Signer(ChainRefused::Expired));

    let refused = signed().verify(&ROOT.der, "another", NOW).unwrap_err();
    assert_eq!(refused, SnapshotRefused::ForeignNetwork(NETWORK.into()));
    assert_eq!(refused.code(), "snapshot_foreign_network");
}

#[test]
fn a_key_without_the_certificate_does_not_sign() {
    let thief = NodeKey::from_seed([6; 32]);
    let forged = SignedSnapshot::sign(&sample(), &thief, ROOT.certify(&signer().public())).unwrap();
    let refused = forged.verify(&ROOT.der, NETWORK, NOW).unwrap_err();
    assert_eq!(refused, SnapshotRefused::Signature(SignatureRefused::SignatureInvalid));
    assert_eq!(refused.code(), "signature_invalid");
}

#[test]
fn any_altered_byte_is_refused() {
    let encoded = signed().encode();
    for place in 0..encoded.len() {
        for mask in [0x01, 0x20, 0x80] {
            let mut altered = encoded.clone();
            altered[place] ^= mask;
            let believed = SignedSnapshot::decode(&altered).and_then(|signed| signed.verify(&ROOT.der, NETWORK, NOW));
            assert!(believed.is_err(), "byte {place} ^ {mask:#x}");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..256), length in 0u8..255) {
        let framed = [&[1, 0, 0, 0, length], bytes.as_slice()].concat();
        if let Ok(signed) = SignedSnapshot::decode(&framed) {
            prop_assert_eq!(signed.encode(), framed);
            prop_assert!(signed.verify(&ROOT.der, NETWORK, NOW).is_err());
        }
    }
}
