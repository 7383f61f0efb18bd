//! One docket, one encoding, within the limits.

use super::registers::{begun, genesis, next, record};
use crate::docket::{HEADER_BYTES, MAX_CERTIFICATE_BYTES, MAX_DOCKET_BYTES, MAX_DOCKET_TRANSACTIONS, MAX_SEALERS};
use crate::register::{ControlRecord, GenesisRecord, VerifyPolicy};
use crate::{Chain, CommitCertificate, Docket, DocketBody, DocketHash, DocketHeader, MerkleRoot, RegisterId, Verify};
use peerwright_encoding::DecodeError;
use peerwright_secure::{NodePublicKey, Signature};
use proptest::prelude::*;

/// Bytes with some of them replaced.
fn altered(bytes: &[u8], changes: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (place, value) in changes {
        let place = place.index(bytes.len());
        bytes[place] = *value;
    }
    bytes
}

fn any_changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![0u8..4, any::<u8>()]), 1..4)
}

fn any_header() -> impl Strategy<Value = DocketHeader> {
    let hashes = any::<[[u8; 32]; 4]>();
    let numbers = (any::<[u64; 3]>(), any::<[u32; 3]>(), any::<bool>(), any::<bool>());
    (any::<[u8; 16]>(), hashes, numbers).prop_map(
        |(register, [previous, history, transactions, sealer], (numbers, counts, is_first, control))| DocketHeader {
            register: RegisterId::from_bytes(register),
            number: numbers[0],
            previous: (!is_first).then(|| DocketHash::from_bytes(previous)),
            history_root: MerkleRoot::from_bytes(history),
            last_control: numbers[1],
            transactions_root: MerkleRoot::from_bytes(transactions),
            transaction_count: counts[0],
            body_bytes: counts[1],
            sealed_at_micros: numbers[2],
            sealer: NodePublicKey::from_bytes(sealer),
            sealers_version: counts[2],
            control,
        },
    )
}

#[test]
fn a_body_has_ten_thousand_transactions_and_fifteen_mebibytes_at_most() {
    let most = usize::try_from(MAX_DOCKET_TRANSACTIONS).unwrap();
    assert!(DocketBody::gather(vec![&b"t"[..]; most]).is_ok());
    let limit = MAX_DOCKET_TRANSACTIONS.into();
    let many = DocketBody::gather(vec![&b"t"[..]; most + 1]).unwrap_err();
    assert_eq!(many, DecodeError::TooLong { what: "docket", length: limit + 1, limit });
    let half = vec![0; usize::try_from(MAX_DOCKET_BYTES).unwrap() / 2 - 6];
    let longest = DocketBody::gather([&half[..], &half[..]]).unwrap();
    assert_eq!(u32::try_from(longest.encoded().len()), Ok(MAX_DOCKET_BYTES));
    let limit = MAX_DOCKET_BYTES.into();
    let long = DocketBody::gather([&half[..], &half[..], &[]]).unwrap_err();
    assert_eq!(long, DecodeError::TooLong { what: "docket body", length: limit + 4, limit });
}

#[test]
fn the_longest_transaction_has_a_docket_and_the_longest_docket_fits_a_message() {
    let chain = begun();
    let overhead = super::registers::entry(b"").encoded().len();
    let longest = super::registers::entry(&vec![0; 10 * 1024 * 1024 - overhead]).encoded().clone();
    assert_eq!(longest.len(), 10 * 1024 * 1024);
    let docket = next(&chain, vec![longest]);
    assert_eq!(docket.header.transaction_count, 1);
    assert!(Docket::decode(docket.encode()).is_ok());
    let whole = 12 + HEADER_BYTES + MAX_CERTIFICATE_BYTES + usize::try_from(MAX_DOCKET_BYTES).unwrap();
    assert!(whole < 16 * 1024 * 1024);
}

#[test]
fn a_claimed_count_or_length_allocates_nothing() {
    for claim in [[0, 0, 0x27, 0x10].as_slice(), &[0, 0, 0, 1, 0, 0xa0, 0, 0], &[0xff; 8]] {
        assert!(DocketBody::decode(claim.to_vec()).is_err());
    }
}

#[test]
fn a_certificate_of_all_sealers_has_the_longest_encoding_and_one_more_is_refused() {
    let by = |count: usize| {
        let signature = Signature::from_bytes([7; 64]);
        let keys = (0..count).map(|number| NodePublicKey::from_bytes([u8::try_from(number).unwrap(); 32]));
        CommitCertificate::Sealers(keys.map(|key| (key, signature)).collect()).encode()
    };
    assert_eq!(by(MAX_SEALERS).len(), MAX_CERTIFICATE_BYTES);
    assert!(CommitCertificate::decode(&by(MAX_SEALERS)).is_ok());
    assert!(CommitCertificate::decode(&by(MAX_SEALERS + 1)).is_err());
}

#[test]
fn a_policy_says_how_much_is_checked() {
    assert_eq!(VerifyPolicy::Docket.with_secret(7), Verify::Sampled { secret: 7 });
    assert_eq!(VerifyPolicy::EveryTransaction.with_secret(7), Verify::EveryTransaction);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_header_is_read_as_it_was_written(header in any_header()) {
        let encoded = header.encode();
        prop_assert_eq!(encoded.len(), HEADER_BYTES);
        prop_assert_eq!(DocketHeader::decode(&encoded), Ok(header));
        prop_assert!(DocketHeader::decode(&encoded[1..]).is_err());
        prop_assert!(DocketHeader::decode(&[encoded.as_slice(), &[0]].concat()).is_err());
    }

    #[test]
    fn any_body_is_read_in_place_as_it_was_gathered(
        transactions in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..40)
    ) {
        let body = DocketBody::gather(transactions.iter().map(Vec::as_slice)).unwrap();
        prop_assert_eq!(usize::try_from(body.count()).unwrap(), transactions.len());
        let read = DocketBody::decode(body.encoded().clone()).unwrap();
        prop_assert_eq!(&read, &body);
        for (read, written) in read.transactions().zip(&transactions) {
            prop_assert_eq!(read, written.as_slice());
            prop_assert!(body.encoded().as_ptr_range().contains(&read.as_ptr()) || read.is_empty());
        }
    }

    #[test]
    fn what_is_read_of_altered_bytes_encodes_to_the_same_bytes(changes in any_changes()) {
        let docket = altered(&genesis().encode(), &changes);
        if let Ok(read) = Docket::decode(docket.clone()) {
            prop_assert_eq!(read.encode(), docket);
        }
        let record = altered(&record().encode(), &changes);
        if let Ok(read) = GenesisRecord::decode(&record) {
            prop_assert_eq!(read.encode(), record);
        }
        let chain = altered(&begun().encode(), &changes);
        if let Ok(read) = Chain::decode(&chain) {
            prop_assert_eq!(read.encode(), chain);
        }
        for line in include_str!("../../vectors/control-v1.hex").lines() {
            let control = altered(&hex::decode(line).unwrap(), &changes);
            if let Ok(read) = ControlRecord::decode(&control) {
                prop_assert_eq!(read.encode(), control);
            }
        }
    }
}
