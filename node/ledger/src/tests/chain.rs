//! A register that is verified docket by docket.

use super::registers::{
    NOW, authority, begun, certified, control, entries, entry, genesis, key, next, owner, proposal, public, record,
    sealers,
};
use super::samples::{CREATED, HOUR, author, plain};
use crate::chain::MAX_SEALED_AHEAD_MICROS;
use crate::docket::{CertificateRefused, CommitCertificate, SealerSet};
use crate::register::{ControlRecord, ControlRefused};
use crate::{Chain, Docket, DocketHash, DocketHeader, DocketRefused, MerkleRoot, Refusal, RegisterId, Verify};
use crate::{TransactionBody, verify_body};
use peerwright_secure::NodeKey;
use proptest::prelude::*;

/// The next docket with another header, signed by all sealers.
fn altered(chain: &Chain, change: impl FnOnce(&mut DocketHeader)) -> Docket {
    let Docket { mut header, body, .. } = next(chain, entries(3));
    change(&mut header);
    certified((header, body), &sealers())
}

fn refusal(chain: &Chain, docket: &Docket) -> DocketRefused {
    let mut tried = chain.clone();
    let refused = tried.extend(docket, Verify::EveryTransaction, NOW).unwrap_err();
    assert_eq!(&tried, chain, "what is refused changes nothing");
    if !docket.header.control {
        let by_header = tried.extend_header(&docket.header, &docket.certificate, NOW);
        let by_body = || verify_body(&docket.header, &docket.body, Verify::EveryTransaction).map(drop);
        assert_eq!(by_header.and_then(|()| by_body()), Err(refused.clone()));
    }
    refused
}

#[test]
fn a_register_begins_with_its_record_and_goes_on_docket_by_docket() {
    let mut chain = begun();
    assert_eq!((chain.register(), chain.head().number), (record().register(), 0));
    assert_eq!(chain.genesis(), &record().hash());
    for number in 1..5 {
        let docket = next(&chain, entries(number));
        let ids = chain.extend(&docket, Verify::EveryTransaction, NOW).unwrap();
        assert_eq!(ids.len(), usize::try_from(number).unwrap());
        assert_eq!(chain.head().number, u64::from(number));
        assert_eq!(chain.head().hash, docket.header.hash());
    }
}

#[test]
fn a_docket_is_read_as_it_was_written_and_its_body_stays_where_it_was_received() {
    let docket = next(&begun(), entries(3));
    let encoded = docket.encode();
    let read = Docket::decode(encoded.clone()).unwrap();
    assert_eq!(read, docket);
    assert!(encoded.as_ptr_range().contains(&read.body.encoded().as_ptr()));
}

#[test]
fn any_altered_bit_of_a_docket_is_refused() {
    let chain = begun();
    let encoded = next(&chain, entries(2)).encode();
    for bit in 0..encoded.len() * 8 {
        let mut bytes = encoded.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let taken = Docket::decode(bytes)
            .map_err(DocketRefused::from)
            .and_then(|docket| chain.clone().extend(&docket, Verify::Docket, NOW));
        assert!(taken.is_err(), "bit {bit}");
    }
}

#[test]
fn headers_that_do_not_continue_the_register_are_refused() {
    let chain = begun();
    let head = chain.head();
    let refused = |change: &dyn Fn(&mut DocketHeader)| refusal(&chain, &altered(&chain, change));
    let other = RegisterId::from_bytes([1; 16]);
    assert_eq!(refused(&|header| header.register = other), DocketRefused::OtherRegister(other));
    assert_eq!(refused(&|header| header.number = 2), DocketRefused::Number { expected: 1, found: 2 });
    assert_eq!(refused(&|header| header.previous = None), DocketRefused::PreviousMissing);
    let found = DocketHash::from_bytes([1; 32]);
    let expected = head.hash;
    assert_eq!(refused(&|header| header.previous = Some(found)), DocketRefused::Previous { expected, found });
    let earlier = refused(&|header| header.sealed_at_micros = head.sealed_at_micros - 1);
    assert_eq!(earlier, DocketRefused::EarlierThanPrevious { micros: 1 });
    assert_eq!(refused(&|header| header.history_root = MerkleRoot::from_bytes([1; 32])), DocketRefused::History);
    let last_control = refused(&|header| header.last_control = 1);
    assert_eq!(last_control, DocketRefused::LastControl { expected: 0, found: 1 });
    let version = refused(&|header| header.sealers_version = 2);
    assert_eq!(version, DocketRefused::SealersVersion { expected: 1, found: 2 });
    let foreign = key(99).public();
    assert_eq!(refused(&|header| header.sealer = foreign), DocketRefused::ForeignSealer(foreign));
    assert_eq!(refused(&|header| header.transaction_count = 0), DocketRefused::Empty);
    assert_eq!(refused(&|header| header.transaction_count = 1001), DocketRefused::OverPolicy("transactions"));
    assert_eq!(refused(&|header| header.body_bytes = 1024 * 1024 + 1), DocketRefused::OverPolicy("bytes"));
}

#[test]
fn bodies_that_are_not_what_their_header_says_are_refused() {
    let chain = begun();
    let refused = |change: &dyn Fn(&mut DocketHeader)| refusal(&chain, &altered(&chain, change));
    assert_eq!(refused(&|header| header.transaction_count = 2), DocketRefused::Count { expected: 2, found: 3 });
    assert_eq!(refused(&|header| header.body_bytes -= 1), DocketRefused::BodyBytes);
    let root = MerkleRoot::from_bytes([1; 32]);
    assert_eq!(refused(&|header| header.transactions_root = root), DocketRefused::TransactionsRoot);
    assert_eq!(refused(&|header| header.control = true), DocketRefused::ControlMisplaced);
}

#[test]
fn a_docket_dated_more_than_five_minutes_ahead_is_refused_until_its_time_comes() {
    let chain = begun();
    let ahead = NOW + MAX_SEALED_AHEAD_MICROS;
    let on_time = altered(&chain, |header| header.sealed_at_micros = ahead);
    assert!(chain.clone().extend(&on_time, Verify::Docket, NOW).is_ok());
    let early = altered(&chain, |header| header.sealed_at_micros = ahead + 1);
    assert_eq!(refusal(&chain, &early), DocketRefused::InFuture { seconds: 301 });
    assert!(chain.clone().extend(&early, Verify::Docket, NOW + 1).is_ok());
}

#[test]
fn a_docket_holds_no_transaction_twice() {
    let chain = begun();
    let twice = entry(b"twice");
    let sealed = chain.seal(&proposal(vec![entry(b"one").encoded().clone(), twice.encoded().clone()])).unwrap();
    let doubled = [entry(b"one").encoded().clone(), twice.encoded().clone(), twice.encoded().clone()];
    let docket = forged(&chain, sealed.0, &doubled);
    assert_eq!(refusal(&chain, &docket), DocketRefused::DuplicateTransaction(twice.id()));
}

/// What sealers would sign who do not check what they sign.
fn forged(chain: &Chain, header: DocketHeader, transactions: &[bytes::Bytes]) -> Docket {
    let body = crate::DocketBody::gather(transactions.iter().map(AsRef::as_ref)).unwrap();
    let leaves = transactions.iter().map(|encoded| {
        let view = crate::TransactionView::read(encoded).unwrap();
        view.leaf(&view.id())
    });
    let header = DocketHeader {
        transactions_root: crate::merkle_root(leaves),
        transaction_count: body.count(),
        body_bytes: u32::try_from(body.encoded().len()).unwrap(),
        number: chain.head().number + 1,
        ..header
    };
    certified((header, body), &sealers())
}

#[test]
fn transactions_that_a_register_does_not_hold_are_neither_sealed_nor_taken() {
    let chain = begun();
    let sealed_at = proposal(vec![]).time_micros;
    let of = |change: &dyn Fn(&mut TransactionBody)| {
        let mut body = TransactionBody { register: record().register(), ..plain(b"data") };
        change(&mut body);
        body.sign(&author()).unwrap().encoded().clone()
    };
    let foreign = RegisterId::from_bytes([1; 16]);
    let cases = [
        (of(&|body| body.register = foreign), Refusal::OtherRegister(foreign)),
        (of(&|body| body.valid_until_micros = sealed_at), Refusal::Expired { seconds: 0 }),
        (of(&|body| body.valid_until_micros = body.created_at_micros), Refusal::NeverValid),
        (
            of(&|body| body.valid_until_micros = sealed_at + 24 * HOUR + 60_000_001),
            Refusal::LifetimeTooLong { seconds: 86_461, limit: 86_460 },
        ),
    ];
    let (header, _) = chain.seal(&proposal(entries(1))).unwrap();
    for (encoded, refused) in cases {
        assert_eq!(chain.seal(&proposal(vec![encoded.clone()])), None);
        let both = chain.seal(&proposal(vec![encoded.clone(), entry(b"good").encoded().clone()])).unwrap();
        assert_eq!(both.1.transactions().collect::<Vec<_>>(), [entry(b"good").encoded().as_ref()]);
        let docket = forged(&chain, header, &[entry(b"good").encoded().clone(), encoded]);
        assert_eq!(refusal(&chain, &docket), DocketRefused::Transaction { position: 1, refusal: refused });
    }
}

#[test]
fn a_transaction_that_its_author_did_not_sign_is_found_when_every_transaction_is_checked() {
    let chain = begun();
    let mut unsigned = entry(b"unsigned").encoded().to_vec();
    *unsigned.last_mut().unwrap() ^= 1;
    let (header, _) = chain.seal(&proposal(entries(1))).unwrap();
    let docket = forged(&chain, header, &[entry(b"good").encoded().clone(), unsigned.into()]);
    assert!(chain.clone().extend(&docket, Verify::Docket, NOW).is_ok());
    let refused = refusal(&chain, &docket);
    assert!(matches!(refused, DocketRefused::Transaction { position: 1, refusal: Refusal::Signature(_) }), "{refused}");
    assert_eq!(refused.code(), "signature_invalid");
}

#[test]
fn a_sample_finds_a_forgery_now_and_then_and_every_secret_finds_another() {
    let chain = begun();
    let mut unsigned = entry(b"unsigned").encoded().to_vec();
    *unsigned.last_mut().unwrap() ^= 1;
    let (header, _) = chain.seal(&proposal(entries(1))).unwrap();
    let docket = forged(&chain, header, &[unsigned.into()]);
    let finds = |secret| verify_body(&docket.header, &docket.body, Verify::Sampled { secret }).is_err();
    let found = (0..10_000).filter(|secret| finds(*secret)).count();
    assert!((50..200).contains(&found), "{found} of 10000");
}

#[test]
fn a_certificate_is_signed_by_most_sealers_and_nobody_else() {
    let chain = begun();
    let sealed = chain.seal(&proposal(entries(1))).unwrap();
    let by = |keys: &[_]| certified(sealed.clone(), keys);
    let all = sealers();
    for enough in [&all[..2], &all[1..], &all[..]] {
        assert!(chain.clone().extend(&by(enough), Verify::Docket, NOW).is_ok());
    }
    let minority = CertificateRefused::Minority { signed: 1, majority: 2 };
    assert_eq!(refusal(&chain, &by(&all[..1])), minority.into());
    let foreign = [all[0].clone(), all[1].clone(), key(99)];
    assert_eq!(refusal(&chain, &by(&foreign)), CertificateRefused::Foreign(key(99).public()).into());
    let mut forged = by(&all);
    let other = sealed.0.hash().sign(&key(99));
    let CommitCertificate::Sealers(signatures) = &mut forged.certificate else { unreachable!() };
    signatures.insert(all[1].public(), other);
    let refused = refusal(&chain, &forged);
    assert!(
        matches!(refused, DocketRefused::Certificate(CertificateRefused::Signature { key, .. }) if key == all[1].public())
    );
}

#[test]
fn new_sealers_sign_from_the_next_docket_on() {
    let mut chain = begun();
    let others = [key(30), key(31), key(32)];
    let change = ControlRecord::SealerChange(SealerSet::new(2, public(&others)).unwrap());
    let docket = next(&chain, vec![control(&change, &sealers()[1])]);
    assert!(docket.header.control);
    assert_eq!(chain.extend_header(&docket.header, &docket.certificate, NOW), Err(DocketRefused::ControlWithoutBody));
    chain.extend(&docket, Verify::Docket, NOW).unwrap();
    assert_eq!((chain.governance().sealers().version(), chain.last_control()), (2, 1));

    let mut old = proposal(entries(1));
    assert_eq!(chain.seal(&old), None);
    old.proposer = others[0].public();
    let sealed = chain.seal(&old).unwrap();
    assert_eq!(sealed.0.last_control, 1);
    let foreign = refusal(&chain, &certified(sealed.clone(), &sealers()));
    assert!(matches!(foreign, DocketRefused::Certificate(CertificateRefused::Foreign(_))));
    chain.extend(&certified(sealed, &others[..2]), Verify::Docket, NOW).unwrap();
}

#[test]
fn the_authority_alone_replaces_the_sealers_and_does_nothing_else() {
    let chain = begun();
    let change = ControlRecord::SealerChange(SealerSet::new(2, public(&[key(30)])).unwrap());
    let mut forced = proposal(vec![control(&change, &authority())]);
    forced.proposer = authority().public();
    let (header, body) = chain.seal(&forced).unwrap();
    let certificate = header.hash().certify(&authority());
    let docket = Docket { header, certificate, body };
    let mut replaced = chain.clone();
    replaced.extend(&docket, Verify::Docket, NOW).unwrap();
    assert!(replaced.governance().sealers().contains(&key(30).public()));

    // Signed as a sealer signs, or by another.
    let as_sealer =
        Docket { certificate: certified((header, docket.body.clone()), &[authority()]).certificate, ..docket.clone() };
    assert_eq!(refusal(&chain, &as_sealer), DocketRefused::ForeignSealer(authority().public()));
    let by_other = Docket { certificate: header.hash().certify(&owner()), ..docket };
    assert!(matches!(refusal(&chain, &by_other), DocketRefused::Certificate(CertificateRefused::Signature { .. })));

    let mut ordinary = next(&chain, entries(1));
    ordinary.certificate = ordinary.header.hash().certify(&authority());
    assert_eq!(refusal(&chain, &ordinary), CertificateRefused::NotForAuthority.into());
    let mut first = genesis();
    first.certificate = first.header.hash().certify(&authority());
    assert_eq!(Chain::begin(&first, NOW), Err(CertificateRefused::NotForAuthority.into()));
}

#[test]
fn sealers_are_changed_one_version_at_a_time_by_those_who_may() {
    let chain = begun();
    let set = |version| ControlRecord::SealerChange(SealerSet::new(version, public(&[key(30)])).unwrap());
    assert_eq!(chain.seal(&proposal(vec![control(&set(2), &key(99))])), None);
    assert_eq!(chain.seal(&proposal(vec![control(&set(3), &authority())])), None);
    let (header, _) = chain.seal(&proposal(vec![control(&set(2), &authority())])).unwrap();
    let forged =
        |record: ControlRecord, by: &NodeKey| refusal(&chain, &forged(&chain, header, &[control(&record, by)]));
    assert_eq!(forged(set(2), &key(99)), ControlRefused::Author(key(99).public()).into());
    let version = ControlRefused::Version { what: "set of sealers", expected: 2, found: 3 };
    assert_eq!(forged(set(3), &authority()), version.into());
    let again = ControlRecord::Genesis(Box::new(record()));
    assert_eq!(forged(again, &owner()), ControlRefused::Genesis.into());
}

#[test]
fn a_control_transaction_rides_alone() {
    let chain = begun();
    let change = ControlRecord::SealerChange(SealerSet::new(2, public(&[key(30)])).unwrap());
    let both = vec![control(&change, &authority()), entry(b"data").encoded().clone()];
    let (header, body) = chain.seal(&proposal(both.clone())).unwrap();
    assert!(!header.control);
    assert_eq!(body.transactions().collect::<Vec<_>>(), [entry(b"data").encoded().as_ref()]);
    assert_eq!(refusal(&chain, &forged(&chain, header, &both)), DocketRefused::ControlMisplaced);
}

#[test]
fn two_sealers_form_the_same_docket_of_one_proposal() {
    let mut one = begun();
    let other = Chain::decode(&one.encode()).unwrap();
    let shared = proposal(entries(7));
    assert_eq!(one.seal(&shared), other.seal(&shared));
    let (header, body) = one.seal(&shared).unwrap();
    let ids = one.extend_uncertified(&header, &body, Verify::EveryTransaction).unwrap();
    assert_eq!(ids.len(), 7);
    assert_eq!(one.head().hash, header.hash());
}

#[test]
fn a_docket_is_never_dated_before_the_one_it_follows() {
    let mut chain = begun();
    let mut late = proposal(entries(1));
    late.time_micros = 0;
    let (header, body) = chain.seal(&late).unwrap();
    assert_eq!(header.sealed_at_micros, CREATED);
    chain.extend(&certified((header, body), &sealers()), Verify::Docket, NOW).unwrap();
}

#[test]
fn what_has_no_room_waits_for_the_next_docket() {
    let chain = begun();
    let (header, body) = chain.seal(&proposal(entries(1003))).unwrap();
    assert_eq!((header.transaction_count, body.count()), (1000, 1000));
    let large = entry(&vec![0; 2 * 1024 * 1024]).encoded().clone();
    let alone = chain.seal(&proposal(vec![large.clone(), entry(b"small").encoded().clone()])).unwrap();
    assert_eq!(alone.1.count(), 1);
    let behind = chain.seal(&proposal(vec![entry(b"small").encoded().clone(), large])).unwrap();
    assert_eq!(behind.1.transactions().collect::<Vec<_>>(), [entry(b"small").encoded().as_ref()]);
    assert!(chain.clone().extend(&certified(alone, &sealers()), Verify::Docket, NOW).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_chain_goes_on_after_a_restart_as_it_would_have_without(counts in prop::collection::vec(1u32..4, 1..6)) {
        let mut chain = begun();
        let mut restarted = chain.clone();
        let mut by_header = chain.clone();
        for count in counts {
            let docket = next(&chain, entries(count));
            chain.extend(&docket, Verify::Docket, NOW).unwrap();
            restarted = Chain::decode(&restarted.encode()).unwrap();
            let read = Docket::decode(docket.encode()).unwrap();
            restarted.extend(&read, Verify::EveryTransaction, NOW).unwrap();
            by_header.extend_header(&docket.header, &docket.certificate, NOW).unwrap();
            prop_assert_eq!(&restarted, &chain);
            prop_assert_eq!(&by_header, &chain);
        }
    }

    #[test]
    fn no_bytes_make_a_docket_s_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Docket::decode(bytes.clone()).is_err());
        prop_assert!(Chain::decode(&bytes).is_err());
        prop_assert!(ControlRecord::decode(&[&[1, 0], bytes.as_slice()].concat()).is_err());
    }
}
