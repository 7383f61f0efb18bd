//! Who hears that a register is held, of which nothing is advertised. Node 0 holds it; a neighbour that the test plays is
//! named by its certificate.

use super::net::{HOSTILE, Net, OwnedInput, REGISTER, SECOND, author, authored, say, with_stranger};
use crate::{
    Audience, Input, LinkId, MessageRange, Output, Outputs, PeerCertificate, Policy, Protection, Token,
    frame::{DigestRow, Frame, kind},
};
use bytes::Bytes;
use peerwright_ledger::{Entry, MessageBody, RegisterId, TransactionId};
use peerwright_secure::{Fingerprint, PeerId, SpiffeId};
use std::collections::BTreeMap;

const PRIVATE: RegisterId = RegisterId::from_bytes([0xbb; 16]);
const HOME: &str = "demo.default.peerwright.internal";
const STRANGER: PeerId = PeerId::from_bytes([0xee; 32]);
const OTHER: LinkId = LinkId(u64::MAX - 1);

fn certificate(domain: &str, node: &str) -> PeerCertificate {
    PeerCertificate {
        spiffe: SpiffeId::new(domain, "default", node).unwrap(),
        fingerprint: Fingerprint::from_bytes([1; 32]),
    }
}

fn policy(audience: Audience) -> Policy {
    Policy {
        registers: vec![REGISTER, PRIVATE],
        private: BTreeMap::from([(PRIVATE, audience)]),
        groups: [("demo-peer".to_owned(), 3), ("demo-far".to_owned(), 3)].into(),
        ..Policy::default()
    }
}

fn peers() -> Audience {
    Audience::Groups(["demo-peer".to_owned()].into())
}

/// Node 0 with one transaction in each register, and somebody on a link whose certificate has not been told yet.
fn played(policy: Policy) -> Net {
    let mut net = with_stranger(1);
    let own = Input::Certificate { of: None, certificate: certificate(HOME, "demo-peer-0") };
    net.give(0, OwnedInput::Plain(own));
    net.give(0, OwnedInput::Plain(Input::Policy(policy)));
    net.run(SECOND);
    for register in [REGISTER, PRIVATE] {
        net.submit_to(0, register, Bytes::copy_from_slice(register.as_bytes()));
    }
    net.run(SECOND);
    net
}

/// Everything that node 0 wants done because of an input.
fn outputs(net: &mut Net, input: Input<'_>) -> Vec<Output> {
    let mut out = Outputs::new();
    let now = net.now;
    net.nodes[0].engine.as_mut().unwrap().handle(now, input, &mut out);
    out.drain().collect()
}

/// Everything that it sends on a link because of an input.
fn answers(net: &mut Net, input: Input<'_>, link: LinkId) -> Vec<Bytes> {
    let sent = outputs(net, input).into_iter().filter_map(|output| match output {
        Output::Send { link: on, bytes, .. } if on == link => Some(bytes),
        _ => None,
    });
    sent.collect()
}

/// What somebody hears whose link comes up now, and who has this certificate.
fn heard_by(net: &mut Net, certificate: PeerCertificate) -> Vec<Bytes> {
    let peer = PeerId::from_bytes([0xdd; 32]);
    let up = Input::LinkUp { link: OTHER, peer, incarnation: 1, outbound: false, address: None };
    let mut heard = answers(net, up, OTHER);
    assert!(!names(&heard, PRIVATE), "before it is known who that is");
    heard.extend(answers(net, Input::Certificate { of: Some(OTHER), certificate }, OTHER));
    heard
}

fn names(frames: &[Bytes], register: RegisterId) -> bool {
    frames.iter().any(|frame| frame.windows(16).any(|bytes| bytes == register.as_bytes()))
}

/// How many registers the last state heartbeat among these counts.
fn counted(frames: &[Bytes]) -> u32 {
    let states = frames.iter().filter_map(|frame| match Frame::decode(frame) {
        Ok(Frame::State { registers, .. }) => Some(registers),
        _ => None,
    });
    states.last().unwrap()
}

#[test]
fn heartbeats_name_and_count_a_private_register_to_those_alone_who_hold_it_too() {
    for (domain, node, audience, hears) in [
        (HOME, "demo-peer-1", peers(), true),
        (HOME, "demo-far-1", peers(), false),
        (HOME, "elsewhere-1", peers(), false),
        (HOME, "elsewhere-1", Audience::Network, true),
        ("other.default.peerwright.internal", "demo-peer-1", peers(), false),
        ("other.default.peerwright.internal", "demo-peer-1", Audience::Network, false),
    ] {
        let mut net = played(policy(audience));
        let heard = heard_by(&mut net, certificate(domain, node));
        assert!(names(&heard, REGISTER), "what is not private everybody hears");
        assert_eq!((names(&heard, PRIVATE), counted(&heard)), (hears, 1 + u32::from(hears)), "{domain} {node}");
    }
}

#[test]
fn a_sealer_hears_of_every_register_whatever_it_is_called() {
    let protected = [(PeerId::from_bytes([0xdd; 32]), Protection::Sealer)].into();
    let mut net = played(Policy { protected, ..policy(peers()) });
    assert!(names(&heard_by(&mut net, certificate(HOME, "demo-far-1")), PRIVATE));
}

#[test]
fn a_stranger_that_asks_is_answered_as_if_nothing_were_held() {
    let mut net = played(policy(peers()));
    let named = Input::Certificate { of: Some(HOSTILE), certificate: certificate(HOME, "demo-far-1") };
    net.give(0, OwnedInput::Plain(named));
    let origin = net.nodes[0].key.public();
    let incarnation = net.nodes[0].incarnation;
    let mut ask = |frame: &Frame<'_>| {
        let bytes = frame.encode();
        let mut answers = answers(&mut net, Input::Frame { link: HOSTILE, bytes: &bytes }, HOSTILE);
        // That this node has become ready is none.
        answers.retain(|frame| frame[1] != kind::STATE);
        answers
    };
    let rows = vec![DigestRow { register: PRIVATE, messages: 1, hash: [1; 16] }];
    assert_eq!(
        ask(&Frame::Digest { reply: false, last: true, rows }),
        Vec::<Bytes>::new(),
        "it is not even asked back"
    );
    let page = ask(&Frame::HeldRequest { registers: vec![PRIVATE], after: None });
    assert_eq!(page, [Frame::HeldPage { more: false, rows: vec![] }.encode()]);
    let ranges = vec![MessageRange { register: PRIVATE, origin, incarnation, from: 1, to: 1 }];
    assert_eq!(ask(&Frame::Pull { request: 1, ranges }), [Frame::PullEnd { request: 1 }.encode()]);
    let id = TransactionId::from_bytes([9; 32]);
    let chunk = Frame::ChunkRequest { register: PRIVATE, id, offset: 0, length: 1 };
    assert_eq!(ask(&chunk), [Frame::ChunkGone { id }.encode()]);
    let holders = ask(&Frame::FindHolders { register: PRIVATE });
    assert_eq!(holders, [Frame::Holders { register: PRIVATE, holders: vec![], nearer: vec![] }.encode()]);
    let page = ask(&Frame::HeldRequest { registers: vec![REGISTER], after: None });
    assert!(names(&page, REGISTER), "of other registers it is told what it asks");
}

#[test]
fn what_others_have_said_of_a_private_register_is_not_handed_on_to_strangers() {
    let mut net = played(policy(peers()));
    let named = Input::Certificate { of: Some(HOSTILE), certificate: certificate(HOME, "demo-peer-1") };
    net.give(0, OwnedInput::Plain(named));
    say(&mut net, &Frame::Introduction { address: "10.9.9.9:5000".parse().unwrap() });
    say(&mut net, &Frame::Hold { registers: vec![PRIVATE] });
    let question = Frame::FindHolders { register: PRIVATE }.encode();
    drop(heard_by(&mut net, certificate(HOME, "demo-far-1")));
    let told = answers(&mut net, Input::Frame { link: OTHER, bytes: &question }, OTHER);
    let strangers = told.iter().any(|frame| frame.windows(32).any(|bytes| bytes == STRANGER.as_bytes()));
    assert!(told.len() == 1 && !strangers);
}

fn asked_to_verify(output: &Output) -> Option<Token> {
    match output {
        Output::Verify { token, .. } => Some(*token),
        _ => None,
    }
}

#[test]
fn a_body_is_asked_of_those_alone_who_may_hear_of_its_register() {
    for (node, is_asked) in [("demo-peer-1", true), ("demo-far-1", false)] {
        let mut net = played(policy(peers()));
        let named = Input::Certificate { of: Some(HOSTILE), certificate: certificate(HOME, node) };
        net.give(0, OwnedInput::Plain(named));
        let id = TransactionId::from_bytes([9; 32]);
        let entries = vec![Entry::Announced { id, size: 40_000 }];
        let body = MessageBody { register: PRIVATE, entries, ..authored(&net, 1) };
        let message = body.sign(&author()).unwrap();
        let bytes = Frame::Message { hops: 5, message: message.encoded() }.encode();
        let questions = outputs(&mut net, Input::Frame { link: HOSTILE, bytes: &bytes });
        let [token] = questions.iter().filter_map(asked_to_verify).collect::<Vec<_>>().try_into().unwrap();
        let sent = answers(&mut net, Input::Verified { token, valid: true }, HOSTILE);
        assert_eq!(sent.iter().any(|frame| frame[1] == kind::CHUNK_REQUEST), is_asked, "{node}");
    }
}
