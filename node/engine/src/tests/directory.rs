//! Who holds a register: searches, answers, words of holders.

use super::net::{HOSTILE, Net, OwnedInput, REGISTER, SECOND, say, with_stranger};
use crate::{
    Advertisement, Event, HolderState, Input, LinkId, Output, Outputs,
    bounds::{HOLDER_KEPT, QUESTIONS_BURST, SEARCH_INTERVAL, SEARCH_LATER},
    frame::{Contact, Frame},
};
use bytes::Bytes;
use peerwright_ledger::RegisterId;
use peerwright_secure::PeerId;
use std::net::SocketAddr;

const RARE: RegisterId = RegisterId::from_bytes([0xbb; 16]);
const HOLDERS: [usize; 2] = [11, 17];
const OTHER: LinkId = LinkId(u64::MAX - 1);

/// `count` nodes, of which two hold a register with one transaction.
fn with_rare_register(count: usize) -> Net {
    let mut net = Net::new(count);
    for holder in HOLDERS {
        net.nodes[holder].policy.registers.push(RARE);
    }
    for node in 0..count {
        net.start_knowing(node, 0..2);
    }
    net.run(SECOND * 30);
    net.submit_to(HOLDERS[0], RARE, Bytes::from_static(b"rare-0"));
    // Until all holders have searched.
    net.run(SEARCH_LATER * 3 / 2);
    net
}

/// A node that has no link to a holder.
fn far_from_holders(net: &Net) -> usize {
    let is_far = |node: &usize| HOLDERS.iter().all(|holder| holder != node && !net.are_linked(*node, *holder));
    (2..net.nodes.len()).find(is_far).unwrap()
}

fn holds_rare(net: &Net, node: usize) -> bool {
    net.nodes[node].store.texts(RARE).contains("rare-0")
}

#[test]
fn who_subscribes_to_a_register_finds_its_holders_wherever_they_are() {
    let mut net = with_rare_register(40);
    let node = far_from_holders(&net);
    assert!(!holds_rare(&net, node));
    net.set_policy(node, &[], &[REGISTER, RARE]);
    net.run_until(SECOND * 30, "the register is there", |net| holds_rare(net, node));
    let directory = net.engine(node).statistics().directory;
    assert!(directory.questions <= 60, "{directory:?}");
}

#[test]
fn who_has_found_holders_is_found_by_the_next() {
    let mut net = with_rare_register(30);
    let node = far_from_holders(&net);
    net.set_policy(node, &[], &[REGISTER, RARE]);
    net.run_until(SECOND * 30, "the register is there", |net| holds_rare(net, node));
    HOLDERS.iter().for_each(|holder| net.stop(*holder));
    net.run(SECOND * 60);
    let other = (2..net.nodes.len())
        .find(|other| !HOLDERS.contains(other) && *other != node && !net.are_linked(*other, node))
        .unwrap();
    net.set_policy(other, &[], &[REGISTER, RARE]);
    net.run_until(SECOND * 60, "the register is there", |net| holds_rare(net, other));
}

#[test]
fn holders_say_again_and_again_that_they_hold() {
    let mut net = with_rare_register(20);
    net.run(HOLDER_KEPT + SECOND * 60);
    let kept: u64 = (0..20).map(|node| net.engine(node).statistics().directory.kept).sum();
    assert!(kept >= 8, "{kept} words are kept");
}

#[test]
fn a_network_in_which_all_are_linked_does_not_search() {
    let mut net = Net::running(5);
    net.run(SEARCH_INTERVAL * 2);
    assert!((0..5).all(|node| net.engine(node).statistics().directory.searches == 0));
}

/// What node 0 answers on a link.
fn answer(net: &mut Net, link: LinkId, frame: &Frame<'_>) -> Option<(Vec<Contact>, Vec<Contact>)> {
    let mut out = Outputs::new();
    let bytes = frame.encode();
    let now = net.now;
    net.nodes[0].engine.as_mut()?.handle(now, Input::Frame { link, bytes: &bytes }, &mut out);
    let answers = out.drain().filter_map(|output| match output {
        Output::Send { link: on, bytes, .. } if on == link => match Frame::decode(&bytes) {
            Ok(Frame::Holders { holders, nearer, .. }) => Some((holders, nearer)),
            _ => None,
        },
        _ => None,
    });
    answers.last()
}

/// Node 0 of three, one stranger that listens somewhere, and another.
fn with_strangers() -> (Net, Contact) {
    let mut net = with_stranger(3);
    let address: SocketAddr = "10.9.9.9:5000".parse().unwrap();
    say(&mut net, &Frame::Introduction { address });
    let peer = PeerId::from_bytes([0xdd; 32]);
    let up = Input::LinkUp { link: OTHER, peer, incarnation: 1, outbound: false, address: None };
    net.give(0, OwnedInput::Plain(up));
    (net, Contact { peer: PeerId::from_bytes([0xee; 32]), address })
}

#[test]
fn who_asks_hears_of_this_node_first_then_of_others_and_never_of_itself() {
    let (mut net, stranger) = with_strangers();
    say(&mut net, &Frame::Hold { registers: vec![REGISTER, RARE] });
    let own = net.peer(0);
    let (holders, _) = answer(&mut net, OTHER, &Frame::FindHolders { register: REGISTER }).unwrap();
    assert_eq!(holders.iter().map(|holder| holder.peer).collect::<Vec<_>>(), [own, stranger.peer]);
    let (holders, _) = answer(&mut net, OTHER, &Frame::FindHolders { register: RARE }).unwrap();
    assert_eq!(holders, [stranger]);
    let (holders, nearer) = answer(&mut net, HOSTILE, &Frame::FindHolders { register: RARE }).unwrap();
    assert!(holders.is_empty() && nearer.iter().all(|contact| contact.peer != stranger.peer));
}

#[test]
fn who_advertises_a_register_answers_that_it_holds_it_though_others_are_to() {
    let (mut net, _) = with_strangers();
    let question = Frame::FindHolders { register: RARE };
    assert_eq!(answer(&mut net, OTHER, &question).unwrap().0, []);
    net.nodes[0].advertised = vec![Advertisement {
        register: RARE,
        first: 0,
        dockets: 1,
        state: HolderState::Syncing,
        name: String::new(),
        description: String::new(),
    }];
    net.give(0, OwnedInput::Plain(Input::HoldingsChanged { at_once: true }));
    net.run(SECOND);
    let own = net.peer(0);
    let (holders, _) = answer(&mut net, OTHER, &question).unwrap();
    assert_eq!(holders.iter().map(|holder| holder.peer).collect::<Vec<_>>(), [own]);
}

#[test]
fn whom_a_search_has_found_may_hold_the_register_once_it_is_linked() {
    let mut net = with_rare_register(40);
    let node = far_from_holders(&net);
    net.set_policy(node, &[], &[REGISTER, RARE]);
    net.run_until(SECOND * 60, "a search has ended", |net| !net.engine(node).holders_of(&RARE).is_empty());
    net.run_until(SECOND * 60, "a holder is linked and known", |net| {
        let holders = net.engine(node).holders(&RARE);
        let is_linked = |peer| net.engine(node).peers().iter().any(|link| link.peer == peer);
        assert!(holders.iter().all(|holder| is_linked(holder.peer)), "nobody who is not linked");
        HOLDERS.iter().any(|number| holders.iter().any(|holder| holder.peer == net.peer(*number)))
    });
}

#[test]
fn a_link_asks_and_says_only_so_much() {
    let (mut net, _) = with_strangers();
    let answered = (0..100).filter(|_| answer(&mut net, OTHER, &Frame::FindHolders { register: RARE }).is_some());
    assert_eq!(answered.count(), usize::try_from(QUESTIONS_BURST).unwrap());
    for number in 0..100 {
        say(&mut net, &Frame::Hold { registers: vec![RegisterId::from_bytes([number; 16])] });
    }
    assert_eq!(net.engine(0).statistics().directory.kept, u64::from(QUESTIONS_BURST));
}

#[test]
fn an_answer_that_nobody_asked_for_is_dropped() {
    let (mut net, stranger) = with_strangers();
    say(&mut net, &Frame::Holders { register: REGISTER, holders: vec![stranger], nearer: vec![stranger] });
    assert!(net.events(0).any(|event| *event == Event::Dropped { what: "unrequested" }));
    assert!(net.engine(0).holders_of(&REGISTER).is_empty());
}
