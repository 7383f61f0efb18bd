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
        "6c78ff4c3e53552ff3e37f0d21e5bd4150e72a25b9aebf7a1bf9f9a7a212e09e"
    );
}

#[test]
fn the_version_1_document_is_believed() {
    let signed = SignedSnapshot::decode(&bytes(SIGNED)).unwrap();
    assert_eq!(signed.verify(&bytes(ROOT), NETWORK, NOW), Ok(sample()));
    assert_eq!(hex::encode(signed.digest()), "b21ac6f43767b12ba765fabe14d3f6587124436b6c0c0420b7c92b030b53f8c3");
}

#[test]
fn signing_the_sample_again_gives_the_same_bytes() {
    let signed = SignedSnapshot::sign(&sample(), &signer(), bytes(SIGNER)).unwrap();
    assert_eq!(hex::encode(signed.encode()), SIGNED.trim());
}
