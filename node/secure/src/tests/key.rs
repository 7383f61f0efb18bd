//! Keys, signatures, peer ids.

use crate::{Context, NodeKey, NodePublicKey, PeerId, Signature, SignatureRefused};
use proptest::prelude::*;

const CONTEXTS: [Context; 11] = [
    Context::Transaction,
    Context::Message,
    Context::TlsBinding,
    Context::Enrollment,
    Context::Snapshot,
    Context::Member,
    Context::Accusation,
    Context::Docket,
    Context::DocketAuthority,
    Context::Attestation,
    Context::Governance,
];

/// RFC 8032, section 7.1: secret seed, public key, message, signature.
const RFC_8032: [[&str; 4]; 4] = [
    [
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ],
    [
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ],
    [
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ],
    [
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ],
];

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    hex::decode(hex).unwrap().try_into().unwrap()
}

#[test]
fn the_signature_layer_agrees_with_rfc_8032() {
    for [seed, public, message, signature] in RFC_8032 {
        let key = NodeKey::from_seed(bytes(seed));
        let message = hex::decode(message).unwrap();
        assert_eq!(key.public().as_bytes(), &bytes(public));
        assert_eq!(key.sign_raw(&message).as_bytes(), &bytes(signature));
        assert_eq!(key.public().verify_raw(&message, &Signature::from_bytes(bytes(signature))), Ok(()));
    }
}

#[test]
fn a_peer_id_is_the_hash_of_the_public_key_and_a_signature_covers_its_context() {
    let key = NodeKey::from_seed([7; 32]);
    assert_eq!(
        hex::encode(key.public().as_bytes()),
        "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c"
    );
    assert_eq!(key.peer_id().to_string(), "fe812c12f3ab4ce6ac5db69ac352f906cb1b11ef43fb33e252ef7ff552263889");
    let signed = b"peerwright/v1/tls-binding\0key";
    assert_eq!(key.sign(Context::TlsBinding, b"key"), key.sign_raw(signed));
}

#[test]
fn no_context_accepts_anothers_signature() {
    let key = NodeKey::from_seed([1; 32]);
    for made_for in CONTEXTS {
        let signature = key.sign(made_for, b"message");
        for offered_for in CONTEXTS {
            let accepted = key.public().verify(offered_for, b"message", &signature).is_ok();
            assert_eq!(accepted, made_for == offered_for, "{made_for:?} as {offered_for:?}");
        }
    }
}

#[test]
fn bytes_that_are_no_point_are_no_key() {
    // y = 2 is not on the curve.
    let mut bytes = [0; 32];
    bytes[0] = 2;
    let refused = NodePublicKey::from_bytes(bytes).verify(Context::Message, b"", &Signature::from_bytes([0; 64]));
    assert_eq!(refused, Err(SignatureRefused::KeyInvalid));
    assert_eq!(SignatureRefused::KeyInvalid.code(), "key_invalid");
    assert_eq!(SignatureRefused::SignatureInvalid.code(), "signature_invalid");
}

#[test]
fn a_secret_is_never_printed() {
    let key = NodeKey::from_seed([0xab; 32]);
    assert!(!format!("{key:?}").contains("abab"));
    assert_eq!(NodeKey::from_seed(key.seed()).public(), key.public());
}

#[test]
fn a_public_key_travels_in_a_subject_public_key_info() {
    let key = NodeKey::from_seed([3; 32]).public();
    let spki = key.to_spki_der();
    assert_eq!(NodePublicKey::from_spki_der(&spki), Some(key));
    assert_eq!(NodePublicKey::from_spki_der(&spki[..43]), None);
    assert_eq!(NodePublicKey::from_spki_der(&[spki.as_slice(), &[0]].concat()), None);
}

#[test]
fn a_peer_id_is_read_as_it_is_written() {
    let id = PeerId::from_bytes([0xfe; 32]);
    assert_eq!(id.to_string().parse(), Ok(id));
    assert_eq!(format!("{id:?}"), "PeerId(fefefefe)");
    let refused = id.to_string().to_uppercase().parse::<PeerId>().unwrap_err();
    assert_eq!(refused.to_string(), "a peer id must be 64 lower-case hex digits");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_flipped_bit_is_refused(seed: [u8; 32], message in prop::collection::vec(any::<u8>(), 1..64), place: prop::sample::Index, bit in 0u8..8) {
        let key = NodeKey::from_seed(seed);
        let signature = key.sign(Context::Message, &message);
        prop_assert_eq!(key.public().verify(Context::Message, &message, &signature), Ok(()));

        let (mut public, mut altered, mut forged) = (*key.public().as_bytes(), message.clone(), *signature.as_bytes());
        public[place.index(32)] ^= 1 << bit;
        altered[place.index(message.len())] ^= 1 << bit;
        forged[place.index(64)] ^= 1 << bit;
        prop_assert!(NodePublicKey::from_bytes(public).verify(Context::Message, &message, &signature).is_err());
        prop_assert!(key.public().verify(Context::Message, &altered, &signature).is_err());
        prop_assert!(key.public().verify(Context::Message, &message, &Signature::from_bytes(forged)).is_err());
    }
}
