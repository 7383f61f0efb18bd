//! What a stranger is shown who trusts one header, and what convicts sealers.

use super::registers::{
    NOW, authority, begun, certified, control, entries, genesis, key, next, proposal, public, sealers,
};
use crate::docket::{CertificateRefused, CommitCertificate, SealerSet};
use crate::fork::CertifiedHeader;
use crate::register::ControlRecord;
use crate::{Chain, ConsistencyProof, Docket, DocketRefused, ForkProof, ForkProofRefused, Frontier, InclusionProof};
use crate::{LeafHash, Verify};
use proptest::prelude::*;

/// Docket 0 and `count` more, and the chain that took them.
fn register(count: u32) -> (Vec<Docket>, Chain) {
    let (mut dockets, mut chain) = (vec![genesis()], begun());
    for number in 1..=count {
        let docket = next(&chain, entries(number % 5 + 1));
        chain.extend(&docket, Verify::Docket, NOW).unwrap();
        dockets.push(docket);
    }
    (dockets, chain)
}

fn leaves(dockets: &[Docket]) -> Vec<LeafHash> {
    dockets.iter().map(|docket| docket.header.hash().leaf()).collect()
}

fn frontier(dockets: &[Docket]) -> Frontier {
    let mut frontier = Frontier::new();
    leaves(dockets).into_iter().for_each(|leaf| frontier.push(leaf));
    frontier
}

fn certified_header(docket: &Docket) -> CertifiedHeader {
    CertifiedHeader { header: docket.header, certificate: docket.certificate.clone() }
}

#[test]
fn who_trusts_a_header_is_shown_each_transaction_of_the_register() {
    let (dockets, _) = register(9);
    let (head, before) = dockets.split_last().unwrap();
    for docket in before {
        let number = docket.header.number;
        let in_history = InclusionProof::of(number, &leaves(before)).unwrap();
        assert!(head.header.follows(&docket.header.hash(), &in_history));
        assert!(!head.header.follows(&head.header.hash(), &in_history));
        for (position, encoded) in (0..).zip(docket.body.transactions()) {
            let proof = docket.body.prove(position).unwrap().unwrap();
            let id = docket.header.holds_transaction(encoded, &proof).unwrap();
            assert_eq!(id, Some(crate::Transaction::decode(encoded.to_vec()).unwrap().id()));
            let other = super::registers::entry(b"elsewhere");
            assert_eq!(docket.header.holds_transaction(other.encoded(), &proof).unwrap(), None);
        }
        assert_eq!(docket.body.prove(docket.body.count()).unwrap(), None);
    }
}

/// Builder and verifier of the earlier systems did not agree on the order of a pair.
#[test]
fn what_builds_a_docket_and_what_checks_a_proof_agree_in_every_position_of_every_size() {
    let chain = begun();
    for count in 1..=17 {
        let (header, body) = chain.seal(&proposal(entries(count))).unwrap();
        let proofs: Vec<_> = (0..count).map(|position| body.prove(position).unwrap().unwrap()).collect();
        for (position, proof) in proofs.iter().enumerate() {
            for (place, encoded) in body.transactions().enumerate() {
                let is_proven = header.holds_transaction(encoded, proof).unwrap().is_some();
                assert_eq!(is_proven, place == position, "{position} of {count}, asked for {place}");
            }
        }
    }
}

#[test]
fn a_verifier_that_skips_dockets_ends_where_one_does_that_reads_them_all() {
    let (dockets, whole) = register(12);
    for number in 1..dockets.len() {
        let before = &dockets[..number];
        let mut skipping = begun();
        let proof = ConsistencyProof::of(1, &leaves(before)).unwrap();
        let CertifiedHeader { header, certificate } = certified_header(&dockets[number]);
        skipping.skip_to(&header, &certificate, frontier(before), &proof).unwrap();
        for docket in &dockets[number..] {
            skipping.extend(docket, Verify::EveryTransaction, NOW).unwrap();
        }
        assert_eq!(skipping, whole);
    }
}

#[test]
fn what_governs_a_register_cannot_be_skipped() {
    let (mut dockets, mut chain) = register(2);
    let change = ControlRecord::SealerChange(SealerSet::new(2, public(&sealers())).unwrap());
    let docket = next(&chain, vec![control(&change, &authority())]);
    chain.extend(&docket, Verify::Docket, NOW).unwrap();
    dockets.push(docket);
    let last = next(&chain, entries(1));
    let mut skipping = begun();
    let mut skip = |to: &Docket, before: &[Docket]| {
        let proof = ConsistencyProof::of(skipping.history().size(), &leaves(before)).unwrap();
        skipping.skip_to(&to.header, &to.certificate, frontier(before), &proof)?;
        skipping.extend(to, Verify::Docket, NOW).map(drop)
    };
    assert_eq!(skip(&last, &dockets), Err(DocketRefused::LastControl { expected: 0, found: 3 }));
    // By way of the control docket, which the header names.
    assert_eq!(skip(&dockets[3], &dockets[..3]), Ok(()));
    assert_eq!(skip(&last, &dockets), Ok(()));
}

#[test]
fn who_skips_is_shown_that_nothing_was_replaced() {
    let (dockets, mut chain) = register(3);
    let other = next(&chain, entries(2));
    let (known, mut rival) = (next(&chain, entries(1)), chain.clone());
    chain.extend(&known, Verify::Docket, NOW).unwrap();
    rival.extend(&other, Verify::Docket, NOW).unwrap();
    let last = next(&rival, entries(1));
    let rivals: Vec<Docket> = dockets.iter().cloned().chain([other]).collect();
    let proof = ConsistencyProof::of(chain.history().size(), &leaves(&rivals)).unwrap();
    let refused = chain.clone().skip_to(&last.header, &last.certificate, frontier(&rivals), &proof);
    assert_eq!(refused, Err(DocketRefused::History));
    let honest: Vec<Docket> = dockets.into_iter().chain([known]).collect();
    let proof = ConsistencyProof::of(chain.history().size(), &leaves(&honest)).unwrap();
    let refused = chain.clone().skip_to(&last.header, &last.certificate, frontier(&honest), &proof);
    assert_eq!(refused, Err(DocketRefused::History));
    let back = chain.skip_to(&honest[2].header, &honest[2].certificate, frontier(&honest[..2]), &proof);
    assert_eq!(back, Err(DocketRefused::Number { expected: 5, found: 2 }));
}

fn sets() -> [SealerSet; 1] {
    [SealerSet::new(1, public(&sealers())).unwrap()]
}

fn fork() -> ForkProof {
    let chain = begun();
    let by = |count, keys: &[_]| certified(chain.seal(&proposal(entries(count))).unwrap(), keys);
    let (one, other) = (by(1, &sealers()[..2]), by(2, &sealers()[1..]));
    ForkProof::of(certified_header(&one), certified_header(&other)).unwrap()
}

#[test]
fn two_final_dockets_with_one_number_convict_who_signed_both() {
    let proof = fork();
    assert_eq!(proof.verify(&sets(), &authority().public()), Ok(()));
    assert_eq!((proof.register(), proof.number()), (begun().register(), 1));
    assert_eq!(proof.culprits(), [sealers()[1].public()]);
    assert_eq!(ForkProof::decode(&proof.encode()).unwrap(), proof);
    assert!(proof.encode().len() <= crate::MAX_FORK_PROOF_BYTES);
    let [first, second] = proof.hashes();
    assert!(first < second);
}

#[test]
fn one_docket_or_two_of_one_history_are_no_fork() {
    let (dockets, _) = register(2);
    let [_, one, next] = dockets.as_slice() else { unreachable!() };
    let same = ForkProof::of(certified_header(one), certified_header(one));
    assert_eq!(same, Err(ForkProofRefused::NoFork));
    let after = ForkProof::of(certified_header(one), certified_header(next));
    assert_eq!(after, Err(ForkProofRefused::NoFork));
}

#[test]
fn a_fork_without_two_certificates_proves_nothing() {
    let chain = begun();
    let one = next(&chain, entries(1));
    let header = chain.seal(&proposal(entries(2))).unwrap().0;
    let against = |certificate, sets: &[SealerSet]| {
        let other = CertifiedHeader { header, certificate };
        ForkProof::of(certified_header(&one), other).unwrap().verify(sets, &authority().public())
    };
    let hash = header.hash();
    let by = |keys: &[_]| {
        CommitCertificate::Sealers(
            keys.iter().map(|key: &peerwright_secure::NodeKey| (key.public(), hash.sign(key))).collect(),
        )
    };
    let minority = CertificateRefused::Minority { signed: 1, majority: 2 };
    assert_eq!(against(by(&sealers()[..1]), &sets()), Err(minority.into()));
    assert_eq!(against(by(&[key(99)]), &sets()), Err(CertificateRefused::Foreign(key(99).public()).into()));
    assert_eq!(against(hash.certify(&authority()), &sets()), Err(CertificateRefused::NotForAuthority.into()));
    assert_eq!(against(by(&sealers()), &[]), Err(ForkProofRefused::UnknownSealers(1)));
    assert_eq!(against(by(&sealers()), &sets()), Ok(()));
}

#[test]
fn any_altered_bit_of_a_fork_proof_is_refused() {
    let encoded = fork().encode();
    for bit in 0..encoded.len() * 8 {
        let mut bytes = encoded.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let verdict = ForkProof::decode(&bytes).and_then(|proof| proof.verify(&sets(), &authority().public()));
        assert!(verdict.is_err(), "bit {bit}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_fork_proof_s_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        prop_assert!(ForkProof::decode(&bytes).is_err());
    }
}
