use super::{MisbehaviourSettings, Offenders, Verdict};
use crate::{
    AutoBan, EvidenceDigest, Misbehaviour, Offence,
    bounds::{BAN_HISTORY, INCIDENT_WINDOW, MAX_BANS_OF_A_PEER, MAX_OFFENCES, MAX_OFFENDERS},
};
use peerwright_secure::PeerId;
use proptest::prelude::*;

const NOW: u64 = 1_700_000_000;
const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;

fn peer(number: u16) -> PeerId {
    let mut bytes = [0; 32];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    PeerId::from_bytes(bytes)
}

fn offence(kind: Misbehaviour, at: u64) -> Offence {
    Offence { at, kind, evidence: EvidenceDigest::from_bytes([7; 32]) }
}

fn offenders() -> Offenders {
    Offenders::new(MisbehaviourSettings::default())
}

/// Notes an offence and bans for it when it is one too many.
fn judge(offenders: &mut Offenders, number: u16, offence: Offence) -> Option<AutoBan> {
    let verdict = offenders.note(peer(number), offence).unwrap();
    verdict.guilty.then(|| offenders.ban(peer(number), None, offence))
}

/// The offences of one kind that lead to one ban, a second apart.
fn banned_for(offenders: &mut Offenders, number: u16, kind: Misbehaviour, from: u64) -> AutoBan {
    (0..6).find_map(|second| judge(offenders, number, offence(kind, from + second))).unwrap()
}

#[test]
fn five_invalid_messages_in_five_minutes_are_tolerated_and_the_sixth_bans_for_an_hour() {
    let mut offenders = offenders();
    for second in 0..5 {
        assert_eq!(judge(&mut offenders, 1, offence(Misbehaviour::InvalidMessage, NOW + second)), None);
    }
    let ban = judge(&mut offenders, 1, offence(Misbehaviour::InvalidMessage, NOW + 299)).unwrap();
    assert_eq!((ban.peer, ban.reason, ban.since), (peer(1), Misbehaviour::InvalidMessage, NOW + 299));
    assert_eq!((ban.expires, ban.count, ban.offences.len()), (Some(NOW + 299 + HOUR), 1, 6));
    assert!(ban.is_in_force(NOW + 299 + HOUR - 1) && !ban.is_in_force(NOW + 299 + HOUR));
}

#[test]
fn bans_of_a_group_are_those_of_its_peers_and_of_peers_whose_group_nobody_knows() {
    let mut offenders = offenders();
    for (number, group) in [(1, Some("a")), (2, Some("a")), (3, Some("b")), (4, None)] {
        let malice = offence(Misbehaviour::MaliciousContent, NOW);
        offenders.note(peer(number), malice).unwrap();
        offenders.ban(peer(number), group.map(str::to_owned), malice);
    }
    let banned = |group| offenders.banned_of(group, NOW);
    assert_eq!((banned(Some("a")), banned(Some("b")), banned(Some("c")), banned(None)), (3, 2, 1, 4));
    offenders.lift(&peer(1), NOW);
    assert_eq!(offenders.banned_of(Some("a"), NOW), 2);
}

#[test]
fn each_kind_has_its_window_and_its_ban() {
    let cases = [
        (Misbehaviour::InvalidMessage, 300, Some(HOUR)),
        (Misbehaviour::Spam, HOUR, Some(2 * HOUR)),
        (Misbehaviour::ProtocolViolation, 0, None),
        (Misbehaviour::MaliciousContent, 0, None),
    ];
    for (kind, window, length) in cases {
        let mut offenders = offenders();
        if window > 0 {
            for _ in 0..5 {
                assert_eq!(judge(&mut offenders, 1, offence(kind, NOW)), None);
            }
            assert_eq!(judge(&mut offenders, 1, offence(kind, NOW + window)), None, "the first five are too old");
            assert_eq!(offenders.note(peer(1), offence(kind, NOW + window)), Some(Verdict { times: 2, guilty: false }));
        } else {
            assert_eq!(judge(&mut offenders, 1, offence(kind, NOW)).unwrap().expires, None);
        }
        let ban = banned_for(&mut offenders, 2, kind, NOW);
        assert_eq!(ban.expires, length.map(|length| ban.since + length), "{kind}");
    }
}

#[test]
fn kinds_are_counted_apart_and_peers_too() {
    let mut offenders = offenders();
    for second in 0..5 {
        for (number, kind) in [(1, Misbehaviour::InvalidMessage), (1, Misbehaviour::Spam), (2, Misbehaviour::Spam)] {
            assert_eq!(judge(&mut offenders, number, offence(kind, NOW + second)), None);
        }
    }
    let ban = judge(&mut offenders, 1, offence(Misbehaviour::Spam, NOW + 9)).unwrap();
    assert_eq!(ban.offences.len(), 11, "the evidence of both kinds accumulates");
    assert!(!offenders.is_banned(&peer(2), NOW + 9));
}

#[test]
fn the_fourth_ban_is_for_good() {
    let mut offenders = offenders();
    let ends = [0, 1, 2, 3].map(|day| banned_for(&mut offenders, 1, Misbehaviour::Spam, NOW + day * DAY));
    assert_eq!(ends.each_ref().map(|ban| ban.expires.is_some()), [true, true, true, false]);
    assert_eq!(ends.map(|ban| ban.count), [1, 2, 3, 4]);
    assert!(offenders.is_banned(&peer(1), NOW + 1_000 * DAY));
    assert!(!offenders.forget(NOW + 5 * DAY));
}

#[test]
fn lifting_a_ban_does_not_erase_it() {
    let mut offenders = offenders();
    for day in 0..3 {
        let ban = banned_for(&mut offenders, 1, Misbehaviour::InvalidMessage, NOW + day * DAY);
        assert!(offenders.lift(&peer(1), ban.since + 1));
        assert!(!offenders.is_banned(&peer(1), ban.since + 1));
        assert!(!offenders.lift(&peer(1), ban.since + 2), "it is lifted already");
    }
    let fourth = banned_for(&mut offenders, 1, Misbehaviour::InvalidMessage, NOW + 3 * DAY);
    assert_eq!((fourth.expires, fourth.count), (None, 4));
    assert!(offenders.lift(&peer(1), NOW + 3 * DAY + 60));
    let history = offenders.bans();
    assert_eq!(history.len(), 4);
    assert!(history.iter().all(|ban| ban.lifted.is_some()));
}

#[test]
fn bans_survive_a_restart_with_their_count() {
    let mut before = offenders();
    for day in 0..3 {
        banned_for(&mut before, 1, Misbehaviour::Spam, NOW + day * DAY);
    }
    let mut after = offenders();
    after.recall(before.bans(), NOW + 2 * DAY + 60);
    assert_eq!(after.bans(), before.bans());
    assert!(after.is_banned(&peer(1), NOW + 2 * DAY + 60));
    assert_eq!(after.banned(NOW + 2 * DAY + 60), 1);
    assert_eq!(banned_for(&mut after, 1, Misbehaviour::Spam, NOW + 3 * DAY).expires, None);
}

#[test]
fn a_ban_is_forgotten_a_week_after_its_end_and_an_offence_after_a_day() {
    let mut offenders = offenders();
    let ban = banned_for(&mut offenders, 1, Misbehaviour::InvalidMessage, NOW);
    let end = ban.expires.unwrap();
    assert!(!offenders.forget(end + BAN_HISTORY.as_secs() - 1));
    assert!(offenders.forget(end + BAN_HISTORY.as_secs()));
    assert!(offenders.bans().is_empty());
    offenders.note(peer(2), offence(Misbehaviour::Spam, NOW));
    offenders.forget(NOW + INCIDENT_WINDOW.as_secs() - 1);
    assert_eq!(offenders.len(), 1);
    offenders.forget(NOW + INCIDENT_WINDOW.as_secs());
    assert_eq!(offenders.len(), 0);
}

#[test]
fn one_whose_ban_is_withheld_begins_anew() {
    let mut offenders = offenders();
    for second in 0..6 {
        offenders.note(peer(1), offence(Misbehaviour::Spam, NOW + second));
    }
    offenders.withhold(&peer(1));
    assert_eq!(
        offenders.note(peer(1), offence(Misbehaviour::Spam, NOW + 7)),
        Some(Verdict { times: 1, guilty: false })
    );
}

#[test]
fn the_evidence_names_every_offence() {
    let ban = |seconds: &[u64]| {
        let mut offenders = offenders();
        for second in seconds {
            offenders.note(peer(1), offence(Misbehaviour::Spam, NOW + second));
        }
        offenders.ban(peer(1), None, offence(Misbehaviour::Spam, NOW + 9))
    };
    assert_eq!(ban(&[1, 2]).evidence, ban(&[1, 2]).evidence);
    assert_ne!(ban(&[1, 2]).evidence, ban(&[1, 3]).evidence);
    assert_ne!(ban(&[1, 2]).evidence, ban(&[1]).evidence);
}

#[test]
fn a_full_table_forgets_who_was_never_banned_first_and_never_a_ban_in_force() {
    let mut offenders = offenders();
    let all = u16::try_from(MAX_OFFENDERS).unwrap();
    for number in 1..all {
        offenders.ban(peer(number), None, offence(Misbehaviour::ProtocolViolation, NOW));
    }
    offenders.note(peer(0), offence(Misbehaviour::Spam, NOW));
    assert!(offenders.note(peer(all), offence(Misbehaviour::Spam, NOW)).is_some(), "in the place of peer 0");
    offenders.ban(peer(all), None, offence(Misbehaviour::ProtocolViolation, NOW));
    assert_eq!(offenders.note(peer(all + 1), offence(Misbehaviour::Spam, NOW)), None);
    assert_eq!(offenders.banned(NOW), MAX_OFFENDERS);
}

proptest! {
    #[test]
    fn what_is_kept_stays_bounded_and_bans_follow_the_rules(
        steps in prop::collection::vec((0..4usize, 0..4_000u64, any::<bool>()), 1..400),
    ) {
        let mut offenders = offenders();
        let mut now = NOW;
        for (kind, seconds, lift) in steps {
            now += seconds;
            let kind = Misbehaviour::ALL[kind];
            if lift {
                offenders.lift(&peer(1), now);
            }
            if offenders.is_banned(&peer(1), now) {
                continue;
            }
            let earlier = offenders.bans().iter().filter(|ban| ban.expires.is_some()).count();
            if let Some(ban) = judge(&mut offenders, 1, offence(kind, now)) {
                let is_for_good = earlier >= 3 || MisbehaviourSettings::default().rule(kind).ban.is_none();
                prop_assert_eq!(ban.expires.is_none(), is_for_good);
                prop_assert!(ban.offences.len() <= MAX_OFFENCES * Misbehaviour::ALL.len());
                prop_assert!(offenders.is_banned(&peer(1), now));
            }
            prop_assert!(offenders.bans().len() <= MAX_BANS_OF_A_PEER);
        }
    }
}
