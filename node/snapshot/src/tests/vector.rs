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
        "09589946ce61383b13d11eacb54143bb034e19605b1398558bd7d953a6b48ce4"
    );
}

#[test]
fn the_version_1_document_is_believed() {
    let signed = SignedSnapshot::decode(&bytes(SIGNED)).unwrap();
    assert_eq!(signed.verify(&bytes(ROOT), NETWORK, NOW), Ok(sample()));
    assert_eq!(hex::encode(signed.digest()), "5e2ad29ea5ec3d896883e7f4f1d7de0912fd122ce41a120163a11345b175f897");
}

#[test]
fn signing_the_sample_again_gives_the_same_bytes() {
    let signed = SignedSnapshot::sign(&sample(), &signer(), bytes(SIGNER)).unwrap();
    assert_eq!(hex::encode(signed.encode()), SIGNED.trim());
}
