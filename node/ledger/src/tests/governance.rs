//! Who owns a register, who may change what governs it, and how.

use super::registers::{
    NOW, attested, authority, begun, certified, control, entries, genesis, key, next, owner, place, proposal, public,
    record, sealers,
};
use super::samples::CREATED;
use crate::chain::seal_genesis;
use crate::docket::{MAX_SEALERS, SealerSet};
use crate::register::{
    Change, ControlRecord, ControlRefused, GenesisRecord, GovernanceChange, MAX_ATTESTATIONS, Quorum, RegisterPolicy,
    Role,
};
use crate::{Chain, Docket, DocketHeader, DocketRefused, Verify};
use peerwright_encoding::DecodeError;
use peerwright_secure::{NodeKey, NodePublicKey};

/// The point of order 1: anybody can sign for it.
const WEAK: NodePublicKey = NodePublicKey::from_bytes({
    let mut bytes = [0; 32];
    bytes[0] = 1;
    bytes
});

fn admin() -> NodeKey {
    key(12)
}

fn proposed(chain: &Chain, change: Change, voters: &[NodeKey]) -> GovernanceChange {
    let version = chain.governance().version() + 1;
    let mut proposed = GovernanceChange { version, proposed_at_micros: CREATED, change, votes: [].into() };
    voters.iter().for_each(|voter| proposed.vote(chain.register(), voter));
    proposed
}

/// A chain that goes on after the change, or why none does.
fn after(chain: &Chain, change: GovernanceChange) -> Result<Chain, ControlRefused> {
    let record = ControlRecord::Governance(Box::new(change));
    let encoded = record.sign(chain.register(), CREATED, &key(77)).unwrap().encoded().clone();
    let sealed = chain.seal(&proposal(vec![encoded.clone()]));
    // Whatever this sealer thinks of it: what others say who have signed.
    let forged = sealed.clone().unwrap_or_else(|| {
        let change = ControlRecord::SealerChange(SealerSet::new(2, public(&sealers())).unwrap());
        let next_version = chain.governance().sealers().version();
        assert_eq!(next_version, 1);
        let (header, _) = chain.seal(&proposal(vec![control(&change, &authority())])).unwrap();
        let body = crate::DocketBody::gather([encoded.as_ref()]).unwrap();
        let view = crate::TransactionView::read(&encoded).unwrap();
        let transactions_root = crate::merkle_root([view.leaf(&view.id())]);
        let body_bytes = u32::try_from(body.encoded().len()).unwrap();
        (DocketHeader { transactions_root, body_bytes, ..header }, body)
    });
    let mut taken = chain.clone();
    match taken.extend(&certified(forged, &sealers()), Verify::Docket, NOW) {
        Ok(_) => {
            assert!(sealed.is_some(), "what sealers do not seal nobody takes");
            Ok(taken)
        }
        Err(DocketRefused::Control(refused)) => {
            assert!(sealed.is_none(), "what nobody takes is not sealed");
            Err(refused)
        }
        Err(other) => panic!("{other}"),
    }
}

fn admit(chain: &Chain, role: Role, newcomer: &NodeKey) -> Change {
    Change::admit(chain.register(), role, "nora", CREATED, newcomer)
}

fn without_owner_s_right(chain: &Chain, quorum: Quorum) -> Chain {
    let policy = RegisterPolicy { version: 2, quorum, owner_decides_alone: false, ..*chain.governance().policy() };
    after(chain, proposed(chain, Change::Policy(policy), &[owner()])).unwrap()
}

#[test]
fn a_genesis_record_is_read_as_it_was_written_and_names_its_register() {
    let record = record();
    let read = GenesisRecord::decode(&record.encode()).unwrap();
    assert_eq!(read, record);
    assert_eq!((read.verify(), read.owner()), (Ok(()), Some(owner().public())));
    assert_eq!(record.register().as_bytes(), &record.hash().as_bytes()[..16]);
    let again = attested(|record| record.nonce = [8; 16]);
    assert_ne!(again.register(), record.register());
}

#[test]
fn genesis_records_against_the_rules_are_neither_sealed_nor_read() {
    let range = |what, value, minimum, maximum| ControlRefused::OutOfRange { what, value, minimum, maximum };
    let long = "n".repeat(39);
    let described = "d".repeat(2049);
    let crowd = |count: usize| {
        let places = (0..count).map(|number| {
            let role = if number == 0 { Role::Owner } else { Role::Auditor };
            (NodePublicKey::from_bytes([u8::try_from(number).unwrap(); 32]), place(role, ""))
        });
        places.collect()
    };
    let version = |what| ControlRefused::Version { what, expected: 1, found: 2 };
    let cases: [(GenesisRecord, ControlRefused); 10] = [
        (attested(|record| record.name.clear()), range("the name's length", 0, 1, 38)),
        (attested(|record| record.name = long), range("the name's length", 39, 1, 38)),
        (attested(|record| record.description = described), range("the description's length", 2049, 0, 2048)),
        (attested(|record| record.attestations.clear()), range("the number of attestations", 0, 1, 25)),
        (
            attested(|record| record.attestations = crowd(MAX_ATTESTATIONS + 1)),
            range("the number of attestations", 26, 1, 25),
        ),
        (
            attested(|record| record.attestations.retain(|_, place| place.role != Role::Owner)),
            ControlRefused::Owners(0),
        ),
        (
            attested(|record| record.attestations.values_mut().for_each(|place| place.role = Role::Owner)),
            ControlRefused::Owners(2),
        ),
        (attested(|record| record.sealers = SealerSet::new(2, public(&sealers())).unwrap()), version("set of sealers")),
        (attested(|record| record.policy.version = 2), version("policy")),
        (
            attested(|record| record.policy.build_interval_millis = 9),
            range("the build interval in milliseconds", 9, 10, 60_000),
        ),
    ];
    for (record, refused) in cases {
        assert_eq!(record.check(), Err(refused.clone()));
        let sealed = seal_genesis(&record, &owner(), sealers()[0].public());
        assert_eq!(sealed.unwrap_err(), refused.into());
        assert!(GenesisRecord::decode(&record.encode()).is_err());
    }
    let longest = attested(|record| {
        record.name = "ß".repeat(38);
        record.description = "日".repeat(2048);
    });
    assert_eq!(GenesisRecord::decode(&longest.encode()).unwrap(), longest);
}

#[test]
fn policies_outside_their_ranges_are_refused() {
    let policy = RegisterPolicy::default();
    assert_eq!(policy.check(), Ok(()));
    let refused = [
        RegisterPolicy { version: 0, ..policy },
        RegisterPolicy { proposal_life_days: 0, ..policy },
        RegisterPolicy { proposal_life_days: 91, ..policy },
        RegisterPolicy { max_docket_transactions: 0, ..policy },
        RegisterPolicy { max_docket_transactions: 10_001, ..policy },
        RegisterPolicy { max_docket_bytes: 64 * 1024 - 1, ..policy },
        RegisterPolicy { max_docket_bytes: 15 * 1024 * 1024 + 1, ..policy },
        RegisterPolicy { build_interval_millis: 9, ..policy },
        RegisterPolicy { build_interval_millis: 60_001, ..policy },
    ];
    for policy in refused {
        assert!(matches!(policy.check(), Err(ControlRefused::OutOfRange { .. })), "{policy:?}");
    }
}

#[test]
fn a_register_begins_only_with_its_own_attested_record_from_its_owner() {
    let proposer = sealers()[0].public();
    let begin = |record: &GenesisRecord, by: &NodeKey| {
        seal_genesis(record, by, proposer).map(|_| ()).map_err(|refused| match refused {
            DocketRefused::Control(refused) => refused,
            other => panic!("{other}"),
        })
    };
    assert_eq!(begin(&record(), &owner()), Ok(()));
    assert_eq!(begin(&record(), &admin()), Err(ControlRefused::Author(admin().public())));
    let mut changed = record();
    changed.name.push('!');
    assert!(matches!(begin(&changed, &owner()), Err(ControlRefused::Attestation { .. })));
    let weak = attested(|record| record.authority = WEAK);
    assert_eq!(begin(&weak, &owner()), Err(ControlRefused::WeakKey(WEAK)));
    let weak = attested(|record| record.sealers = SealerSet::new(1, [WEAK].into()).unwrap());
    assert_eq!(begin(&weak, &owner()), Err(ControlRefused::WeakKey(WEAK)));
    let foreign = seal_genesis(&record(), &owner(), key(99).public());
    assert_eq!(foreign.unwrap_err(), DocketRefused::ForeignSealer(key(99).public()));
}

#[test]
fn docket_0_is_a_control_docket_of_its_record_s_time_without_anything_before() {
    let begin = |change: &dyn Fn(&mut DocketHeader)| {
        let Docket { mut header, body, .. } = genesis();
        change(&mut header);
        Chain::begin(&certified((header, body), &sealers()), NOW).unwrap_err()
    };
    assert_eq!(begin(&|header| header.number = 1), DocketRefused::Number { expected: 0, found: 1 });
    let previous = Some(genesis().header.hash());
    assert_eq!(begin(&|header| header.previous = previous), DocketRefused::GenesisHasPrevious);
    assert_eq!(begin(&|header| header.control = false), ControlRefused::Genesis.into());
    assert_eq!(begin(&|header| header.sealed_at_micros += 1), DocketRefused::GenesisTime);
    let earlier = DocketRefused::EarlierThanPrevious { micros: 1 };
    assert_eq!(begin(&|header| header.sealed_at_micros -= 1), earlier);
    assert_eq!(begin(&|header| header.last_control = 1), DocketRefused::LastControl { expected: 0, found: 1 });
    let version = DocketRefused::SealersVersion { expected: 1, found: 2 };
    assert_eq!(begin(&|header| header.sealers_version = 2), version);
    assert!(matches!(Chain::begin(&genesis(), 0), Err(DocketRefused::InFuture { .. })));
    let minority = Chain::begin(&certified((genesis().header, genesis().body), &sealers()[..1]), NOW);
    assert_eq!(minority.unwrap_err().code(), "certificate_minority");
}

#[test]
fn docket_0_of_another_register_s_record_is_refused() {
    let other = attested(|record| record.nonce = [8; 16]);
    let stolen = ControlRecord::Genesis(Box::new(other));
    let encoded = control(&stolen, &owner());
    let Docket { header, .. } = genesis();
    let body = crate::DocketBody::gather([encoded.as_ref()]).unwrap();
    let view = crate::TransactionView::read(&encoded).unwrap();
    let transactions_root = crate::merkle_root([view.leaf(&view.id())]);
    let header = DocketHeader { transactions_root, ..header };
    let refused = Chain::begin(&certified((header, body), &sealers()), NOW);
    assert_eq!(refused.unwrap_err(), ControlRefused::OtherGenesis.into());
}

#[test]
fn sets_of_sealers_have_one_to_twenty_five() {
    let many = |count: u8| (0..count).map(|number| NodePublicKey::from_bytes([number; 32])).collect();
    assert!(SealerSet::new(1, many(0)).is_err());
    assert_eq!(SealerSet::new(1, many(1)).unwrap().majority(), 1);
    assert_eq!(SealerSet::new(1, many(2)).unwrap().majority(), 2);
    assert_eq!(SealerSet::new(1, many(5)).unwrap().majority(), 3);
    assert!(SealerSet::new(1, many(25)).is_ok());
    let limit = MAX_SEALERS as u64;
    let refused = SealerSet::new(1, many(26)).unwrap_err();
    assert_eq!(refused, DecodeError::TooLong { what: "set of sealers", length: 26, limit });
}

#[test]
fn the_owner_alone_changes_policy_and_roster_where_the_policy_says_so() {
    let chain = begun();
    let policy = RegisterPolicy { version: 7, max_docket_transactions: 2, ..RegisterPolicy::default() };
    let chain = after(&chain, proposed(&chain, Change::Policy(policy), &[owner()])).unwrap();
    assert_eq!((chain.governance().policy(), chain.governance().version()), (&policy, 1));
    assert_eq!(chain.seal(&proposal(entries(5))).unwrap().0.transaction_count, 2);
    let lower = RegisterPolicy { version: 7, ..RegisterPolicy::default() };
    let refused = after(&chain, proposed(&chain, Change::Policy(lower), &[owner()]));
    assert_eq!(refused, Err(ControlRefused::Version { what: "policy", expected: 8, found: 7 }));
    let chain = after(&chain, proposed(&chain, admit(&chain, Role::Designer, &key(50)), &[owner()])).unwrap();
    assert_eq!(chain.governance().roster().get(&key(50).public()), Some(&Role::Designer));
}

#[test]
fn a_change_takes_the_votes_that_the_policy_asks_for() {
    // Owner and four admins: 5 voters.
    let mut chain = begun();
    let admins: Vec<NodeKey> = [12, 51, 52, 53].map(key).to_vec();
    for newcomer in &admins[1..] {
        chain = after(&chain, proposed(&chain, admit(&chain, Role::Admin, newcomer), &[owner()])).unwrap();
    }
    for (quorum, needed) in [(Quorum::StrictMajority, 3), (Quorum::Supermajority, 4), (Quorum::Unanimous, 5)] {
        let chain = without_owner_s_right(&chain, quorum);
        let voters: Vec<NodeKey> = [owner()].into_iter().chain(admins.clone()).collect();
        let change = || admit(&chain, Role::Auditor, &key(60));
        let few = after(&chain, proposed(&chain, change(), &voters[..needed - 1]));
        assert_eq!(few, Err(ControlRefused::Quorum { votes: needed - 1, needed }));
        assert!(after(&chain, proposed(&chain, change(), &voters[..needed])).is_ok());
    }
}

#[test]
fn votes_of_who_has_none_forged_ones_and_old_ones_do_not_count() {
    let chain = begun();
    let change = || admit(&chain, Role::Auditor, &key(60));
    let foreign = after(&chain, proposed(&chain, change(), &[owner(), key(60)]));
    assert_eq!(foreign, Err(ControlRefused::ForeignVote(key(60).public())));
    let mut forged = proposed(&chain, change(), &[owner()]);
    forged.votes.insert(admin().public(), key(60).sign(peerwright_secure::Context::Governance, b"another"));
    assert!(matches!(after(&chain, forged), Err(ControlRefused::Vote { key, .. }) if key == admin().public()));

    let aged = |proposed_at_micros| {
        let mut aged = GovernanceChange { version: 1, proposed_at_micros, change: change(), votes: [].into() };
        aged.vote(chain.register(), &owner());
        after(&chain, aged).map(drop)
    };
    let sealed_at = proposal(vec![]).time_micros;
    let week = 7 * 24 * 3_600 * 1_000_000;
    assert_eq!(aged(sealed_at - week), Ok(()));
    assert_eq!(aged(sealed_at - week - 1), Err(ControlRefused::ProposalExpired { days: 7 }));
    assert_eq!(aged(sealed_at + 1), Err(ControlRefused::ProposedLater));
}

#[test]
fn votes_count_once() {
    let chain = begun();
    let change = proposed(&chain, admit(&chain, Role::Auditor, &key(60)), &[owner()]);
    let chain = after(&chain, change.clone()).unwrap();
    let again = ControlRefused::Version { what: "change", expected: 2, found: 1 };
    assert_eq!(after(&chain, change), Err(again));
    let chain = after(&chain, proposed(&chain, Change::Dismiss(key(60).public()), &[owner()])).unwrap();
    assert_eq!(chain.governance().roster().get(&key(60).public()), None);
}

#[test]
fn admitting_who_is_admitted_succeeds_and_changes_nothing() {
    let chain = begun();
    let again = after(&chain, proposed(&chain, admit(&chain, Role::Admin, &admin()), &[owner()])).unwrap();
    assert_eq!(again.governance().roster(), chain.governance().roster());
    assert_eq!(again.governance().version(), 1);
}

#[test]
fn the_last_admin_and_the_owner_stay() {
    let chain = begun();
    let tried = |chain: &Chain, change| after(chain, proposed(chain, change, &[owner()]));
    assert_eq!(tried(&chain, Change::Dismiss(admin().public())), Err(ControlRefused::LastAdmin));
    assert_eq!(tried(&chain, admit(&chain, Role::Auditor, &admin())), Err(ControlRefused::LastAdmin));
    assert_eq!(tried(&chain, Change::Dismiss(owner().public())), Err(ControlRefused::OwnerStays));
    assert_eq!(tried(&chain, admit(&chain, Role::Admin, &owner())), Err(ControlRefused::OwnerStays));
    assert_eq!(tried(&chain, admit(&chain, Role::Owner, &admin())), Err(ControlRefused::OwnerStays));
    let nobody = key(61).public();
    assert_eq!(tried(&chain, Change::Dismiss(nobody)), Err(ControlRefused::NotOnRoster(nobody)));
    let two = tried(&chain, admit(&chain, Role::Admin, &key(50))).unwrap();
    assert!(tried(&two, Change::Dismiss(admin().public())).is_ok());
}

#[test]
fn a_place_is_given_only_to_who_wants_it_and_while_there_is_one() {
    let mut chain = begun();
    let Change::Admit { attestation, .. } = admit(&chain, Role::Auditor, &key(60)) else { unreachable!() };
    let unwilling = Change::Admit { key: key(61).public(), attestation };
    let refused = after(&chain, proposed(&chain, unwilling, &[owner()]));
    assert!(
        matches!(refused, Err(ControlRefused::Attestation { key, .. }) if key == super::registers::key(61).public())
    );
    for seed in 100..123 {
        chain = after(&chain, proposed(&chain, admit(&chain, Role::Auditor, &key(seed)), &[owner()])).unwrap();
    }
    assert_eq!(chain.governance().roster().len(), MAX_ATTESTATIONS);
    let full = after(&chain, proposed(&chain, admit(&chain, Role::Auditor, &key(99)), &[owner()]));
    assert_eq!(full, Err(ControlRefused::RosterFull));
    assert_eq!(Chain::decode(&chain.encode()).unwrap(), chain);
}

#[test]
fn the_authority_does_not_certify_what_is_for_a_vote() {
    let chain = begun();
    let change = proposed(&chain, admit(&chain, Role::Auditor, &key(60)), &[owner()]);
    let record = ControlRecord::Governance(Box::new(change));
    let mut docket = next(&chain, vec![control(&record, &owner())]);
    docket.header.sealer = authority().public();
    docket.certificate = docket.header.hash().certify(&authority());
    let refused = chain.clone().extend(&docket, Verify::Docket, NOW);
    assert_eq!(refused.unwrap_err().code(), "certificate_authority");
}
