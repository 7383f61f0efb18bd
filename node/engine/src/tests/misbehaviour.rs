//! Peers that do what no peer should, and peers that only fail.

use super::net::{Net, OwnedInput, REGISTER, SECOND, address_of, author, authored};
use crate::{
    Address, AddressSource, BanRecord, CloseReason, DialFailure, DownReason, Event, Input, LinkId, Misbehaviour,
    PeerCertificate, Policy, Protection, WithheldReason,
    bounds::LONGEST_PAUSE,
    frame::{Frame, VERSION, kind},
};
use bytes::Bytes;
use peerwright_secure::{Fingerprint, PeerId, SpiffeId};
use std::time::Duration;

const STRANGER: PeerId = PeerId::from_bytes([0xee; 32]);
const FIRST_LINK: u64 = u64::MAX / 2;

/// Node 0 of three, and somebody that the test plays: a quarter of the network.
struct Played {
    net: Net,
    links: u64,
}

impl Played {
    fn begin() -> Self {
        Self::among(3)
    }

    fn among(nodes: usize) -> Self {
        Self { net: Net::running(nodes), links: FIRST_LINK }
    }

    fn link(&self) -> LinkId {
        LinkId(self.links)
    }

    /// Links, as soon as a pause after an offence is over; who is banned tries once.
    fn connect(&mut self) {
        for _ in 0..LONGEST_PAUSE.as_secs() {
            self.links += 1;
            let up =
                Input::LinkUp { link: self.link(), peer: STRANGER, incarnation: 1, outbound: false, address: None };
            self.net.give(0, OwnedInput::Plain(up));
            if self.is_connected() || self.is_banned() {
                return;
            }
            self.net.run(SECOND);
        }
    }

    fn is_connected(&self) -> bool {
        self.net.engine(0).peers().iter().any(|view| view.peer == STRANGER)
    }

    fn say(&mut self, bytes: impl Into<Bytes>) {
        let link = self.link();
        self.net.give(0, OwnedInput::Frame { link, bytes: bytes.into() });
    }

    /// Connects and sends a frame of a known kind that ends too early.
    fn say_nonsense(&mut self) {
        if !self.is_connected() {
            self.connect();
        }
        self.say(vec![VERSION, kind::ECHO, 1]);
        self.net.run(SECOND);
    }

    /// Connects and brings a message that does not verify.
    fn bring_forgery(&mut self, sequence: u64) {
        self.connect();
        let mut bytes = authored(&self.net, sequence).sign(&author()).unwrap().encoded().to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        self.say(Frame::Message { hops: 5, message: &bytes }.encode());
        self.net.run(SECOND);
    }

    /// Six offences that ban.
    fn earn_a_ban(&mut self) {
        for _ in 0..6 {
            self.say_nonsense();
        }
    }

    fn is_banned(&self) -> bool {
        self.net.engine(0).bans().iter().any(|ban| ban.subject == STRANGER.into() && ban.automatic)
    }

    fn withheld(&self) -> Vec<WithheldReason> {
        let reasons = self.net.events(0).filter_map(|event| match event {
            Event::BanWithheld { peer: STRANGER, reason, .. } => Some(*reason),
            _ => None,
        });
        reasons.collect()
    }
}

#[test]
fn six_invalid_messages_ban_for_an_hour_with_evidence_that_is_kept() {
    let mut played = Played::begin();
    for sequence in 1..=5 {
        played.bring_forgery(sequence);
    }
    assert!(!played.is_banned());
    played.bring_forgery(6);
    assert!(played.is_banned());
    let [ban] = played.net.engine(0).auto_bans().try_into().unwrap();
    assert_eq!((ban.peer, ban.reason, ban.count), (STRANGER, Misbehaviour::InvalidMessage, 1));
    assert_eq!((ban.expires, ban.offences.len()), (Some(ban.since + 3_600), 6));
    assert_eq!(played.net.nodes[0].auto_bans, std::slice::from_ref(&ban));
    assert!(played.net.events(0).any(|event| *event == Event::AutoBanned { ban: Box::new(ban.clone()) }));
    let banned = BanRecord::of_peer(STRANGER, ban.expires);
    assert!(played.net.events(0).any(|event| *event == Event::PeerBanned { ban: banned.clone() }));
    played.connect();
    let refused =
        |event: &Event| matches!(event, Event::LinkClosed { peer: STRANGER, reason: CloseReason::Banned, .. });
    assert!(played.net.events(0).any(refused) && !played.is_connected());
}

#[test]
fn an_automatic_ban_ends_by_itself_and_counts_after_its_end() {
    let mut played = Played::begin();
    for round in 1..=3 {
        played.earn_a_ban();
        assert!(played.is_banned(), "round {round}");
        let end = played.net.engine(0).auto_bans().last().unwrap().expires.unwrap();
        let left = Duration::from_secs(end - played.net.now.seconds() + 1);
        played.net.run(left);
        assert!(!played.is_banned(), "within a minute of its end");
        played.connect();
        assert!(played.is_connected());
    }
    let unbanned = Event::PeerUnbanned { subject: STRANGER.into(), expired: true };
    assert_eq!(played.net.events(0).filter(|event| **event == unbanned).count(), 3);
    played.earn_a_ban();
    assert_eq!(played.net.engine(0).auto_bans().last().unwrap().expires, None, "the fourth is for good");
}

#[test]
fn a_lifted_ban_and_a_restart_erase_nothing() {
    let mut played = Played::begin();
    for _ in 0..3 {
        played.earn_a_ban();
        played.net.give(0, OwnedInput::Plain(Input::LiftAutoBan { peer: STRANGER }));
        assert!(!played.is_banned());
        played.net.start(0);
        played.net.run(SECOND * 10);
    }
    assert_eq!(played.net.engine(0).auto_bans().len(), 3);
    played.earn_a_ban();
    assert_eq!(played.net.engine(0).auto_bans().last().unwrap().expires, None);
    played.net.start(0);
    played.net.run(SECOND * 10);
    assert!(played.is_banned());
    played.connect();
    assert!(!played.is_connected());
    played.net.run(SECOND * 7_200);
    assert!(played.is_banned());
}

#[test]
fn failures_and_silence_never_ban() {
    let mut played = Played::begin();
    let address = address_of(1).socket;
    played.net.stop(1);
    for _ in 0..50 {
        played.connect();
        let link = played.link();
        played.net.give(0, OwnedInput::Plain(Input::LinkDown { link, reason: DownReason::Broken }));
        played.connect();
        // Nothing is heard from it until its link is closed for that.
        played.net.run(SECOND * 7);
        for reason in [DialFailure::Unreachable, DialFailure::Timeout, DialFailure::Handshake] {
            played.net.give(0, OwnedInput::Plain(Input::DialFailed { address, reason }));
        }
    }
    let engine = played.net.engine(0);
    assert_eq!(engine.statistics().bans.offences, 0);
    assert!(engine.bans().is_empty() && engine.auto_bans().is_empty());
    assert!(engine.score_of(&STRANGER) < 50, "it costs score");
}

#[test]
fn a_newer_version_is_no_offence() {
    let mut played = Played::begin();
    played.connect();
    let mut longer = Frame::PullEnd { request: 1 }.encode().to_vec();
    longer.extend_from_slice(b"a field of tomorrow");
    let unknown_flag = vec![VERSION, kind::STATE, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for _ in 0..300 {
        played.say(vec![VERSION + 1, kind::ECHO, 1]);
        played.say(vec![VERSION, 0xfe, 1, 2, 3]);
        played.say(longer.clone());
        played.say(unknown_flag.clone());
    }
    let statistics = played.net.engine(0).statistics();
    assert_eq!((statistics.links.frames_unsupported, statistics.links.frames_malformed), (1_200, 0));
    assert!(played.is_connected() && statistics.bans.offences == 0);
}

#[test]
fn one_frame_that_cannot_be_read_closes_the_link_and_bans_nobody() {
    let mut played = Played::begin();
    played.say_nonsense();
    assert!(!played.is_connected() && !played.is_banned());
    played.connect();
    assert!(played.is_connected());
    let told = Event::Misbehaved { peer: STRANGER, kind: Misbehaviour::InvalidMessage, times: 1 };
    assert!(played.net.events(0).any(|event| *event == told));
}

#[test]
fn what_a_peer_gives_beside_its_link_counts_as_what_it_sends() {
    let mut played = Played::begin();
    played.connect();
    for _ in 0..6 {
        let evidence = b"a docket".as_slice().into();
        played.net.give(0, OwnedInput::Plain(Input::Misbehaved { peer: STRANGER, evidence }));
    }
    assert!(played.is_banned());
    let told = Event::Misbehaved { peer: STRANGER, kind: Misbehaviour::InvalidMessage, times: 6 };
    assert!(played.net.events(0).any(|event| *event == told));
}

#[test]
fn no_more_than_a_quarter_is_banned() {
    let mut played = Played::among(2);
    played.earn_a_ban();
    assert_eq!(played.withheld(), [WithheldReason::GroupShare], "one of three would be more");
    assert!(!played.is_banned());
    assert_eq!(played.net.engine(0).statistics().bans.withheld, 1);
    played.connect();
    assert!(played.is_connected());
}

#[test]
fn seeds_hubs_and_sealers_are_not_banned() {
    for (protection, reason) in [
        (Protection::Seed, WithheldReason::Seed),
        (Protection::Hub, WithheldReason::Hub),
        (Protection::Sealer, WithheldReason::Sealer),
    ] {
        let mut played = Played::begin();
        let protected = [(STRANGER, protection)].into();
        let policy = Policy { registers: vec![REGISTER], protected, ..Policy::default() };
        played.net.give(0, OwnedInput::Plain(Input::Policy(policy)));
        played.earn_a_ban();
        assert_eq!(played.withheld(), [reason]);
        assert!(!played.is_banned());
    }
}

/// A network that says so many nodes are of the group `demo-peer`, beside another large one; the stranger is of it when
/// its name begins so.
fn played_in_groups(nodes: usize, name: &str) -> Played {
    let mut played = Played::begin();
    let groups = [("demo-peer".to_owned(), nodes), ("demo-hub".to_owned(), 100)].into();
    let policy = Policy { registers: vec![REGISTER], groups, ..Policy::default() };
    played.net.give(0, OwnedInput::Plain(Input::Policy(policy)));
    let certificate = |node: &str| PeerCertificate {
        spiffe: SpiffeId::new("demo.default.peerwright.internal", "default", node).unwrap(),
        fingerprint: Fingerprint::from_bytes([1; 32]),
    };
    let own = Input::Certificate { of: None, certificate: certificate("demo-peer-0") };
    played.net.give(0, OwnedInput::Plain(own));
    for _ in 0..6 {
        if !played.is_connected() {
            played.connect();
            let of = Some(played.link());
            played.net.give(0, OwnedInput::Plain(Input::Certificate { of, certificate: certificate(name) }));
        }
        played.say_nonsense();
    }
    played
}

#[test]
fn a_quarter_is_a_quarter_of_the_peer_s_own_group() {
    let enough = played_in_groups(4, "demo-peer-3");
    assert!(enough.is_banned());
    assert_eq!(enough.net.engine(0).auto_bans()[0].group.as_deref(), Some("demo-peer"));
    let few = played_in_groups(3, "demo-peer-2");
    assert!(!few.is_banned());
    assert_eq!(few.withheld(), [WithheldReason::GroupShare]);
}

#[test]
fn whoever_is_of_no_group_is_one_of_all_that_are_known() {
    for stranger in ["elsewhere-0", "demo-peer", "demo-peer-x", "demo-peers-0"] {
        let played = played_in_groups(3, stranger);
        assert!(played.is_banned(), "one of the four that node 0 knows, itself included");
        assert_eq!(played.net.engine(0).auto_bans()[0].group, None, "{stranger}");
    }
}

#[test]
fn a_peer_that_a_name_of_its_own_leads_to_is_a_seed() {
    let mut played = Played::among(5);
    let seed = played.net.peer(1);
    let link = played.net.engine(0).peers().iter().find(|view| view.peer == seed).unwrap().link;
    played.net.give(0, OwnedInput::Frame { link, bytes: vec![VERSION, kind::ECHO, 1].into() });
    for _ in 0..5 {
        played.net.run_until(SECOND * 90, "the link is back", |net| net.are_linked(0, 1));
        let link = played.net.engine(0).peers().iter().find(|view| view.peer == seed).unwrap().link;
        played.net.give(0, OwnedInput::Frame { link, bytes: vec![VERSION, kind::ECHO, 1].into() });
    }
    let withheld = Event::BanWithheld { peer: seed, kind: Misbehaviour::InvalidMessage, reason: WithheldReason::Seed };
    assert!(played.net.events(0).any(|event| *event == withheld));
    assert!(played.net.engine(0).bans().is_empty());
}

#[test]
fn the_node_whose_own_ban_has_ended_dials_at_once() {
    let mut played = Played::among(5);
    let net = &mut played.net;
    let of_one_name = |node| Address { host: "nodes".to_owned(), ..address_of(node) };
    net.give(0, OwnedInput::Addresses(AddressSource::Seeds, (1..5).map(of_one_name).collect()));
    let banned = net.peer(1);
    for _ in 0..6 {
        net.run_until(SECOND * 90, "the link is back", |net| net.are_linked(0, 1));
        let link = net.engine(0).peers().iter().find(|view| view.peer == banned).unwrap().link;
        net.give(0, OwnedInput::Frame { link, bytes: vec![VERSION, kind::ECHO, 1].into() });
    }
    let end = net.engine(0).auto_bans().last().unwrap().expires.unwrap();
    let left = Duration::from_secs(end - net.now.seconds() - 1);
    net.run(left);
    assert!(!net.are_linked(0, 1) && net.are_linked(0, 2) && net.are_linked(1, 2), "it is banned at node 0 alone");
    net.run_until(SECOND * 4, "the peer is back", |net| net.are_linked(0, 1));
}

#[test]
fn who_is_convicted_stays_away_longer_each_time_and_comes_back_by_itself() {
    let mut played = Played::among(5);
    let net = &mut played.net;
    let peer = net.peer(1);
    for pause in [5, 10, 20] {
        net.run_until(SECOND * 90, "the link is back", |net| net.are_linked(0, 1));
        let link = net.engine(0).peers().iter().find(|view| view.peer == peer).unwrap().link;
        net.give(0, OwnedInput::Frame { link, bytes: vec![VERSION, kind::ECHO, 1].into() });
        net.run(SECOND * (pause - 1));
        assert!(!net.are_linked(0, 1), "a pause of {pause} s");
        assert!(net.are_linked(1, 2), "it is kept away by node 0 alone");
    }
    net.run_until(SECOND * 90, "the link is back", |net| net.are_linked(0, 1));
    assert!(net.engine(0).auto_bans().is_empty());
}
