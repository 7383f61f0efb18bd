//! The version-1 bytes, which nodes in the field must be able to read for ever.

use super::authority::{NOW, signer};
use super::samples::{NETWORK, sample};
use crate::{SignedSnapshot, Snapshot};

const ROOT: &str = include_str!("../../vectors/install-root.hex");
const SIGNER: &str = include_str!("../../vectors/signer.hex");
const PAYLOAD: &str = include_str!("../../vectors/payload-v1.hex");
const SIGNED: &str = include_str!("../../vectors/signed-v1.hex");

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex.trim()).unwrap()
}

#[test]
fn the_sample_has_the_version_1_payload() {
    assert_eq!(hex::encode(sample().encode()), PAYLOAD.trim());
    assert_eq!(Snapshot::decode(&bytes(PAYLOAD)), Ok(sample()));
    assert_eq!(
        hex::encode(sample().content.digest()),
        "5f432370c5a2030a853da63f9732d02e43a367d4f1e847ab30ffa48452e631fb"
    );
}

#[test]
fn the_version_1_document_is_believed() {
    let signed = SignedSnapshot::decode(&bytes(SIGNED)).unwrap();
    assert_eq!(signed.verify(&bytes(ROOT), NETWORK, NOW), Ok(sample()));
    assert_eq!(hex::encode(signed.digest()), "17e3a56f4906da70ddd4c3ed6628fefe960791adcf3eb00026ca1eb8ea6c492e");
}

#[test]
fn signing_the_sample_again_gives_the_same_bytes() {
    let signed = SignedSnapshot::sign(&sample(), &signer(), bytes(SIGNER)).unwrap();
    assert_eq!(hex::encode(signed.encode()), SIGNED.trim());
}
