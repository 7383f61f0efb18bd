//! Many signatures at once.

use crate::{Context, NodeKey, NodePublicKey, Signature, SignatureBatch};
use proptest::prelude::*;

type Claim = (NodePublicKey, Context, Vec<u8>, Signature);

fn claim(seed: u8, message: Vec<u8>, forged: bool) -> Claim {
    let key = NodeKey::from_seed([seed; 32]);
    let signature = key.sign(Context::Message, &message);
    // Made for another purpose: as good as any forgery.
    let context = if forged { Context::Transaction } else { Context::Message };
    (key.public(), context, message, signature)
}

fn batch(claims: &[Claim]) -> SignatureBatch {
    let mut batch = SignatureBatch::new();
    for (key, context, message, signature) in claims {
        batch.add(key, *context, message, signature);
    }
    batch
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_batch_holds_when_each_of_it_does(
        claims in prop::collection::vec((0u8..4, prop::collection::vec(any::<u8>(), 0..40), prop::bool::weighted(0.05)), 0..24)
    ) {
        let claims: Vec<Claim> = claims.into_iter().map(|(seed, message, forged)| claim(seed, message, forged)).collect();
        let each = claims.iter().all(|(key, context, message, signature)| key.verify(*context, message, signature).is_ok());
        let batch = batch(&claims);
        prop_assert_eq!(batch.len(), claims.len());
        prop_assert_eq!(batch.holds(), each);
    }
}

#[test]
fn errors_that_would_cancel_out_are_found() {
    // Without factors the sum of both equations would hold: what one s has too much, the other has too little.
    let (one, other) = (claim(1, b"one".to_vec(), false), claim(1, b"other".to_vec(), false));
    assert!(batch(&[one.clone(), other.clone()]).holds());
    let moved = |(key, context, message, signature): Claim, by: i8| {
        let mut bytes = *signature.as_bytes();
        bytes[32] = bytes[32].wrapping_add_signed(by);
        (key, context, message, Signature::from_bytes(bytes))
    };
    assert!(!batch(&[moved(one, 1), moved(other, -1)]).holds());
}

#[test]
fn a_key_that_is_no_point_makes_the_batch_fail() {
    let (_, context, message, signature) = claim(1, Vec::new(), false);
    assert!(!batch(&[(NodePublicKey::from_bytes([2; 32]), context, message, signature)]).holds());
}
