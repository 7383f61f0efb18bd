//! Trees, and proofs about them.

use crate::{ConsistencyBuilder, ConsistencyProof, Frontier, InclusionProof, LeafHash, MerkleRoot, merkle_root};
use peerwright_encoding::{Reader, Writer};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

/// The leaves of the certificate transparency tests, and one more.
const LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];

/// The roots of their first 1, 2, ... 8.
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn samples() -> Vec<LeafHash> {
    LEAVES.iter().map(|data| LeafHash::of(&[&hex::decode(data).unwrap()])).collect()
}

fn leaves(count: usize) -> Vec<LeafHash> {
    (0..count).map(|number| LeafHash::of(&[&number.to_be_bytes()])).collect()
}

/// MTH of RFC 6962, 2.1, as it is written there.
fn tree_hash(leaves: &[LeafHash]) -> [u8; 32] {
    match leaves {
        [] => Sha256::digest([]).into(),
        [leaf] => *leaf.as_bytes(),
        several => {
            let mut split = 1;
            while split * 2 < several.len() {
                split *= 2;
            }
            let (left, right) = several.split_at(split);
            Sha256::new_with_prefix([1]).chain_update(tree_hash(left)).chain_update(tree_hash(right)).finalize().into()
        }
    }
}

fn root_of(leaves: &[LeafHash]) -> MerkleRoot {
    merkle_root(leaves.iter().copied())
}

#[test]
fn trees_have_the_roots_of_the_certificate_transparency_tests() {
    assert_eq!(root_of(&[]).to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (count, root) in (1..).zip(ROOTS) {
        assert_eq!(root_of(&samples()[..count]).to_string(), root, "{count} leaves");
    }
}

#[test]
fn a_tree_grows_leaf_by_leaf_to_the_hash_of_the_rfc() {
    let leaves = leaves(130);
    let mut frontier = Frontier::new();
    for count in 0..leaves.len() {
        assert_eq!(frontier.root().as_bytes(), &tree_hash(&leaves[..count]), "{count} leaves");
        frontier.push(leaves[count]);
        assert_eq!(frontier.size(), count as u64 + 1);
    }
}

/// RFC 6962, 2.1.3: the tree of seven leaves, and what is beside which way.
#[test]
fn the_paths_of_seven_leaves_are_those_of_the_rfc() {
    let leaves = leaves(7);
    let node = |from: usize, to: usize| tree_hash(&leaves[from..to]);
    let [b, c, d, f] = [node(1, 2), node(2, 3), node(3, 4), node(5, 6)];
    let [g, h, i, j] = [node(0, 2), node(2, 4), node(4, 6), node(6, 7)];
    let (k, l) = (node(0, 4), node(4, 7));
    let written = |write: &dyn Fn(&mut Writer)| {
        let mut writer = Writer::new();
        write(&mut writer);
        writer.finish()[20..].to_vec()
    };
    for (index, path) in [(0, vec![b, h, l]), (3, vec![c, g, l]), (4, vec![f, j, k]), (6, vec![i, k])] {
        let proof = InclusionProof::of(index, &leaves).unwrap();
        assert_eq!(written(&|writer| proof.write(writer)), path.concat(), "leaf {index}");
    }
    for (earlier, path) in [(3, vec![c, d, g, l]), (4, vec![l]), (6, vec![i, j, k])] {
        let proof = ConsistencyProof::of(earlier, &leaves).unwrap();
        assert_eq!(written(&|writer| proof.write(writer)), path.concat(), "{earlier} leaves");
    }
}

#[test]
fn doubling_the_last_leaf_makes_another_root() {
    for count in 1..33 {
        let once = leaves(count);
        let mut twice = once.clone();
        twice.push(once[count - 1]);
        assert_ne!(root_of(&once), root_of(&twice), "{count} leaves");
    }
}

#[test]
fn each_leaf_is_proven_to_be_in_its_place_and_in_no_other() {
    for count in 1..=40u64 {
        let leaves = leaves(usize::try_from(count).unwrap());
        let root = root_of(&leaves);
        for (index, leaf) in (0..).zip(&leaves) {
            let proof = InclusionProof::of(index, &leaves).unwrap();
            assert_eq!((proof.index(), proof.size()), (index, count));
            for (place, other) in (0..).zip(&leaves) {
                assert_eq!(proof.holds(other, &root), place == index, "{index} of {count}, asked for {place}");
            }
            assert!(!proof.holds(leaf, &root_of(&leaves[1..])));
        }
        assert_eq!(InclusionProof::of(count, &leaves), None);
        let indexes: Vec<u64> = (0..count).rev().collect();
        let alone: Option<Vec<_>> = indexes.iter().map(|index| InclusionProof::of(*index, &leaves)).collect();
        assert_eq!(InclusionProof::of_each(&indexes, &leaves), alone);
    }
}

#[test]
fn a_proof_from_leaves_one_by_one_is_the_proof_from_all_at_once() {
    let leaves = leaves(40);
    for later in 0..=leaves.len() {
        for earlier in 0..=later as u64 {
            let mut builder = ConsistencyBuilder::new(earlier, later as u64).unwrap();
            assert_eq!(builder.size(), 0);
            leaves.iter().take(later).for_each(|leaf| builder.push(*leaf));
            let (tree, proof) = builder.finish().unwrap();
            assert_eq!((tree.size(), tree.root()), (later as u64, root_of(&leaves[..later])));
            assert_eq!(proof, ConsistencyProof::of(earlier, &leaves[..later]).unwrap());
        }
    }
    assert!(ConsistencyBuilder::new(2, 1).is_none());
    assert!(ConsistencyBuilder::new(1, 2).unwrap().finish().is_none(), "leaves lack");
}

#[test]
fn a_tree_is_proven_to_begin_with_each_smaller_one_and_with_nothing_else() {
    let leaves = leaves(33);
    for later in 0..=leaves.len() {
        let root = root_of(&leaves[..later]);
        for earlier in 0..=later {
            let proof = ConsistencyProof::of(earlier as u64, &leaves[..later]).unwrap();
            assert!(proof.holds(&root_of(&leaves[..earlier]), &root), "{earlier} of {later}");
            for other in (0..=leaves.len()).filter(|other| *other != earlier) {
                assert!(!proof.holds(&root_of(&leaves[..other]), &root), "{other} for {earlier} of {later}");
            }
            for other in (0..=leaves.len()).filter(|other| *other != later && earlier > 0) {
                assert!(!proof.holds(&root_of(&leaves[..earlier]), &root_of(&leaves[..other])));
            }
        }
        assert_eq!(ConsistencyProof::of(later as u64 + 1, &leaves[..later]), None);
    }
}

#[test]
fn an_altered_proof_does_not_hold() {
    let leaves = leaves(21);
    let root = root_of(&leaves);
    let mut writer = Writer::new();
    InclusionProof::of(19, &leaves).unwrap().write(&mut writer);
    let included = writer.finish();
    let mut writer = Writer::new();
    ConsistencyProof::of(13, &leaves).unwrap().write(&mut writer);
    let consistent = writer.finish();
    let holds =
        |bytes: &[u8]| InclusionProof::read(&mut Reader::new(bytes)).is_ok_and(|proof| proof.holds(&leaves[19], &root));
    let agrees = |bytes: &[u8]| {
        let read = ConsistencyProof::read(&mut Reader::new(bytes));
        read.is_ok_and(|proof| proof.holds(&root_of(&leaves[..13]), &root))
    };
    assert!(holds(&included) && agrees(&consistent));
    for (bytes, check) in [(included, &holds as &dyn Fn(&[u8]) -> bool), (consistent, &agrees)] {
        // Of a size, only the low bits decide on the path; a proof for another size with the same path says the same.
        for bit in (0..bytes.len() * 8).filter(|bit| bit / 8 >= 16) {
            let mut altered = bytes.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(!check(&altered), "bit {bit}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_frontier_goes_on_after_it_was_written_and_read(count in 0usize..200, more in 0usize..50) {
        let leaves = leaves(count + more);
        let mut frontier = Frontier::new();
        leaves[..count].iter().for_each(|leaf| frontier.push(*leaf));
        let mut writer = Writer::new();
        frontier.write(&mut writer);
        let bytes = writer.finish();
        let mut reader = Reader::new(&bytes);
        let mut read = Frontier::read(&mut reader).unwrap();
        prop_assert!(reader.finish().is_ok());
        prop_assert_eq!(&read, &frontier);
        leaves[count..].iter().for_each(|leaf| read.push(*leaf));
        prop_assert_eq!(read.root(), root_of(&leaves));
    }

    #[test]
    fn no_bytes_make_a_proof_s_reader_or_check_panic(bytes in prop::collection::vec(any::<u8>(), 0..120), sizes in any::<[u64; 2]>()) {
        let root = root_of(&leaves(3));
        let claimed = [&sizes[0].to_be_bytes()[..], &sizes[1].to_be_bytes(), &[0, 0, 0, 2], &[7; 64]].concat();
        for bytes in [bytes, claimed] {
            if let Ok(proof) = InclusionProof::read(&mut Reader::new(&bytes)) {
                prop_assert!(!proof.holds(&leaves(1)[0], &root));
            }
            if let Ok(proof) = ConsistencyProof::read(&mut Reader::new(&bytes)) {
                prop_assert!(!proof.holds(&root_of(&leaves(2)), &root));
            }
        }
    }
}
