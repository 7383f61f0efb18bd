//! The proof in a certificate request.

use crate::{Enrollment, NodeKey};

const ASKED: Enrollment<'static> = Enrollment { spki: b"tls key", token: b"token", network_uid: "uid" };

#[test]
fn a_proof_holds_for_one_key_token_and_network() {
    let key = NodeKey::from_seed([1; 32]);
    let proof = ASKED.sign(&key);
    assert_eq!(ASKED.verify(&key.public(), &proof), Ok(()));

    let others = [
        Enrollment { spki: b"another", ..ASKED },
        Enrollment { token: b"another", ..ASKED },
        Enrollment { network_uid: "another", ..ASKED },
    ];
    for other in others {
        assert!(other.verify(&key.public(), &proof).is_err(), "{other:?}");
    }
    assert!(ASKED.verify(&NodeKey::from_seed([2; 32]).public(), &proof).is_err());
}
