use peerwright_secure::NodeKey;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P384_SHA384};

use super::*;
use crate::identity::fixtures::{Keys, Signed};

fn check(signed: &Signed) -> Result<CertificateRequest, Refusal> {
    CertificateRequest::check(&signed.csr, &signed.public_key, &signed.binding, &signed.proof)
}

#[test]
fn honest_request_is_accepted_and_names_its_peer() {
    let keys = Keys::of(1);

    let request = check(&keys.request("token", "demo-uid")).expect("accepted");

    assert_eq!(request.peer_id(), keys.node.peer_id());
    assert_eq!(request.prove("token", "demo-uid"), Ok(()));
}

#[test]
fn proof_is_good_for_one_token_and_one_network() {
    let request = check(&Keys::of(1).request("token", "demo-uid")).expect("accepted");

    assert_eq!(request.prove("another token", "demo-uid"), Err(Refusal::ProofInvalid));
    assert_eq!(request.prove("token", "other-uid"), Err(Refusal::ProofInvalid));
}

#[test]
fn each_broken_part_is_refused() {
    type Case = (&'static str, Refusal, fn(&mut Signed));
    let cases: &[Case] = &[
        ("empty request", Refusal::CsrInvalid, |signed| signed.csr.clear()),
        ("bytes behind the request", Refusal::CsrInvalid, |signed| signed.csr.push(0)),
        ("broken signature of the request", Refusal::CsrInvalid, |signed| {
            *signed.csr.last_mut().expect("bytes") ^= 1;
        }),
        ("overlong request", Refusal::CsrInvalid, |signed| signed.csr.resize(MAX_CSR_BYTES + 1, 0)),
        ("key of another curve", Refusal::CsrInvalid, |signed| {
            let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect("a key");
            signed.csr = CertificateParams::default().serialize_request(&key).expect("a request").der().to_vec();
        }),
        ("another node's key", Refusal::ProofInvalid, |signed| {
            signed.public_key = NodeKey::from_seed([9; 32]).public().as_bytes().to_vec();
        }),
        ("short node key", Refusal::ProofInvalid, |signed| signed.public_key.truncate(31)),
        ("weak node key", Refusal::ProofInvalid, |signed| {
            signed.public_key = [[1].as_slice(), &[0; 31]].concat();
            signed.binding = [[1].as_slice(), &[0; 63]].concat();
        }),
        ("short binding", Refusal::ProofInvalid, |signed| signed.binding.truncate(63)),
        ("binding of another TLS key", Refusal::ProofInvalid, |signed| {
            signed.binding = Keys::of(1).request("token", "demo-uid").binding;
        }),
        ("short proof", Refusal::ProofInvalid, |signed| signed.proof.truncate(63)),
    ];
    for (name, refusal, break_it) in cases {
        let mut signed = Keys::of(1).request("token", "demo-uid");
        break_it(&mut signed);

        assert_eq!(check(&signed).err(), Some(*refusal), "{name}");
    }
}
