//! The one rule by which signatures hold: <https://zips.z.cash/zip-0215>.

use crate::{Context, NodeKey, NodePublicKey, Signature, SignatureRefused};

/// Every encoding of a point of small order: eight canonical ones, six that are not.
const SMALL_ORDER: [&str; 14] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

fn point(hex: &str) -> [u8; 32] {
    hex::decode(hex).unwrap().try_into().unwrap()
}

/// R and a zero s.
fn signature(r: [u8; 32]) -> Signature {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&r);
    Signature::from_bytes(bytes)
}

#[test]
fn the_equation_is_taken_times_eight_and_encodings_need_not_be_canonical() {
    for key in SMALL_ORDER {
        for r in SMALL_ORDER {
            let verified =
                NodePublicKey::from_bytes(point(key)).verify(Context::Message, b"Zcash", &signature(point(r)));
            assert_eq!(verified, Ok(()), "key {key}, R {r}");
        }
    }
}

#[test]
fn a_key_of_small_order_is_weak_and_an_honest_one_is_not() {
    for key in SMALL_ORDER {
        assert!(NodePublicKey::from_bytes(point(key)).is_weak(), "{key}");
    }
    for seed in 0..32 {
        assert!(!NodeKey::from_seed([seed; 32]).public().is_weak());
    }
    assert!(!NodePublicKey::from_bytes([2; 32]).is_weak());
}

#[test]
fn an_s_above_the_group_order_is_refused() {
    const GROUP_ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    let key = NodeKey::from_seed([5; 32]);
    let mut bytes = *key.sign(Context::Message, b"message").as_bytes();
    let mut carry = 0;
    for (byte, order) in bytes[32..].iter_mut().zip(point(GROUP_ORDER)) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    let verified = key.public().verify(Context::Message, b"message", &Signature::from_bytes(bytes));
    assert_eq!(verified, Err(SignatureRefused::SignatureInvalid));
}
