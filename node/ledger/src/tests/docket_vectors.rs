//! The version-1 bytes of dockets and of what proves something about them, which are stored and hashed for ever.

use super::registers::{NOW, authority, begun, control, entries, genesis, key, next, owner, public, sealers};
use super::samples::CREATED;
use crate::docket::SealerSet;
use crate::fork::CertifiedHeader;
use crate::register::{Change, ControlRecord, GovernanceChange, RegisterPolicy, Role};
use crate::{Chain, ConsistencyProof, Docket, DocketHeader, ForkProof, InclusionProof, LeafHash, Verify};
use bytes::Bytes;
use peerwright_encoding::{Reader, Writer};

fn bytes(hex: &str) -> Bytes {
    hex::decode(hex.trim()).unwrap().into()
}

fn written(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new();
    write(&mut writer);
    writer.finish()
}

/// Docket 0, two transactions, new sealers by the authority.
fn dockets() -> ([Docket; 3], Chain) {
    let mut chain = begun();
    let entries = next(&chain, entries(2));
    chain.extend(&entries, Verify::EveryTransaction, NOW).unwrap();
    let change = ControlRecord::SealerChange(SealerSet::new(2, public(&[key(30), key(31)])).unwrap());
    let mut forced = super::registers::proposal(vec![control(&change, &authority())]);
    forced.proposer = authority().public();
    let (header, body) = chain.seal(&forced).unwrap();
    let forced = Docket { header, certificate: header.hash().certify(&authority()), body };
    chain.extend(&forced, Verify::EveryTransaction, NOW).unwrap();
    ([genesis(), entries, forced], chain)
}

#[test]
fn dockets_have_their_version_1_bytes_and_hashes() {
    let vectors = [
        (
            include_str!("../../vectors/docket-genesis-v1.hex"),
            "a7ed73cbf6db71a8fbf90a430d711c82f2b9cb62583807e0d0dea54e0efa1c59",
        ),
        (
            include_str!("../../vectors/docket-v1.hex"),
            "5e3b6137c99544672c1bc2175b7cee11188069eebb64c007e63594629cae4d94",
        ),
        (
            include_str!("../../vectors/docket-authority-v1.hex"),
            "b5d35f3939ace2b7795be524d077f516e3ebd69916a9db9700286d8826216530",
        ),
    ];
    let (dockets, _) = dockets();
    let mut chain: Option<Chain> = None;
    for (docket, (vector, hash)) in dockets.into_iter().zip(vectors) {
        assert_eq!(hex::encode(docket.encode()), vector.trim());
        let read = Docket::decode(bytes(vector)).unwrap();
        assert_eq!(read, docket);
        assert_eq!(read.header.hash().to_string(), hash);
        assert_eq!(DocketHeader::decode(&read.header.encode()).unwrap(), docket.header);
        match &mut chain {
            None => chain = Some(Chain::begin(&read, NOW).unwrap()),
            Some(chain) => drop(chain.extend(&read, Verify::EveryTransaction, NOW).unwrap()),
        }
    }
    assert_eq!(begun().register().to_string(), "3e5f4941ad7f0256ccfd28fa1efb208f");
}

#[test]
fn a_checkpoint_has_its_version_1_bytes() {
    const CHECKPOINT: &str = include_str!("../../vectors/checkpoint-v1.hex");
    let (_, chain) = dockets();
    assert_eq!(hex::encode(chain.encode()), CHECKPOINT.trim());
    assert_eq!(Chain::decode(&bytes(CHECKPOINT)).unwrap(), chain);
}

#[test]
fn changes_of_policy_and_roster_have_their_version_1_bytes() {
    let register = begun().register();
    let changes = [
        Change::Policy(RegisterPolicy { version: 2, ..RegisterPolicy::default() }),
        Change::admit(register, Role::Auditor, "nora", CREATED, &key(60)),
        Change::Dismiss(key(12).public()),
    ];
    let vectors = include_str!("../../vectors/control-v1.hex");
    assert_eq!(vectors.lines().count(), changes.len());
    for (change, vector) in changes.into_iter().zip(vectors.lines()) {
        let mut change = GovernanceChange { version: 1, proposed_at_micros: CREATED, change, votes: [].into() };
        [owner(), key(12)].iter().for_each(|voter| change.vote(register, voter));
        let record = ControlRecord::Governance(Box::new(change));
        assert_eq!(hex::encode(record.encode()), vector);
        assert_eq!(ControlRecord::decode(&bytes(vector)).unwrap(), record);
    }
}

#[test]
fn proofs_have_their_version_1_bytes() {
    let leaves: Vec<LeafHash> = (0u8..7).map(|number| LeafHash::of(&[&[number]])).collect();
    let included = InclusionProof::of(4, &leaves).unwrap();
    let consistent = ConsistencyProof::of(3, &leaves).unwrap();
    let vectors: Vec<&str> = include_str!("../../vectors/merkle-v1.hex").lines().collect();
    let [inclusion, consistency] = vectors.as_slice() else { panic!("two vectors") };
    assert_eq!(hex::encode(written(|writer| included.write(writer))), *inclusion);
    assert_eq!(hex::encode(written(|writer| consistent.write(writer))), *consistency);
    assert_eq!(InclusionProof::read(&mut Reader::new(&bytes(inclusion))).unwrap(), included);
    assert_eq!(ConsistencyProof::read(&mut Reader::new(&bytes(consistency))).unwrap(), consistent);
}

#[test]
fn a_fork_proof_has_its_version_1_bytes() {
    const FORK: &str = include_str!("../../vectors/fork-v1.hex");
    let docket = |count| {
        let Docket { header, certificate, .. } = next(&begun(), entries(count));
        CertifiedHeader { header, certificate }
    };
    let proof = ForkProof::of(docket(1), docket(2)).unwrap();
    assert_eq!(hex::encode(proof.encode()), FORK.trim());
    let read = ForkProof::decode(&bytes(FORK)).unwrap();
    assert_eq!(read, proof);
    let sets = [SealerSet::new(1, public(&sealers())).unwrap()];
    assert_eq!(read.verify(&sets, &authority().public()), Ok(()));
}
