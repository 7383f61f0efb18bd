//! What nodes say they hold: told on link-up, on change and again, kept by others until its time is over.

use super::net::{HOSTILE, Net, OwnedInput, REGISTER, SECOND, say, with_stranger};
use crate::{
    Advertisement, Event, HolderState, HolderWord, Input, WithdrawalCause,
    bounds::{MAX_ADVERTISEMENT_ROWS, STORE_RETRY},
    frame::{Frame, kind},
};
use peerwright_ledger::RegisterId;
use std::time::Duration;

const OTHER: RegisterId = RegisterId::from_bytes([0xbb; 16]);

fn row(register: RegisterId, dockets: u64) -> Advertisement {
    Advertisement {
        register,
        first: 0,
        dockets,
        state: HolderState::Sealing,
        name: "orders".to_owned(),
        description: "what was ordered".to_owned(),
    }
}

/// What a node may say has changed, and somebody waits for it to be told or not.
fn holds(net: &mut Net, node: usize, rows: &[Advertisement], at_once: bool) {
    net.nodes[node].advertised = rows.to_vec();
    net.give(node, OwnedInput::Plain(Input::HoldingsChanged { at_once }));
}

/// What a node has heard of another.
fn heard(net: &Net, node: usize, of: usize) -> Vec<Advertisement> {
    let views = net.engine(node).advertisements().into_iter().filter(|view| view.peer == net.peer(of));
    views.map(|view| view.advertisement).collect()
}

/// Who may hold a register, as a node has it: of itself it says nothing.
fn holders(net: &Net, node: usize, register: RegisterId) -> Vec<(usize, HolderWord)> {
    let number = |peer| (0..net.nodes.len()).find(|number| net.peer(*number) == peer).unwrap();
    let views = net.engine(node).holders(&register).into_iter();
    let mut holders: Vec<_> = views.map(|view| (number(view.peer), view.word)).collect();
    holders.sort_by_key(|(number, _)| *number);
    holders
}

const fn advertised(dockets: u64) -> HolderWord {
    HolderWord::Advertised { first: 0, dockets, state: HolderState::Sealing }
}

fn told_frames(net: &Net, node: usize) -> usize {
    net.nodes[node].sent_frames.iter().filter(|(_, kind)| *kind == kind::ADVERTISEMENTS).count()
}

#[test]
fn who_comes_up_hears_all_and_then_what_changes() {
    let mut net = Net::running(2);
    holds(&mut net, 0, &[row(REGISTER, 5), row(OTHER, 1)], true);
    net.run(SECOND / 10);
    assert_eq!(heard(&net, 1, 0), [row(REGISTER, 5), row(OTHER, 1)], "with name, description and state");
    net.stop(1);
    net.start(1);
    net.run(SECOND * 3);
    assert_eq!(heard(&net, 1, 0).len(), 2, "who has restarted hears all of it again");
    holds(&mut net, 0, &[row(REGISTER, 6), row(OTHER, 1)], true);
    net.run(SECOND / 10);
    assert_eq!(heard(&net, 1, 0), [row(REGISTER, 6), row(OTHER, 1)]);
    holds(&mut net, 0, &[row(OTHER, 1)], true);
    net.run(SECOND / 10);
    assert_eq!(heard(&net, 1, 0), [row(OTHER, 1)]);
    let withdrawn = Event::RegisterWithdrawn { peer: net.peer(0), register: REGISTER, cause: WithdrawalCause::Told };
    assert!(net.events(1).any(|event| *event == withdrawn));
    let advertised = Event::RegisterAdvertised { peer: net.peer(0), register: OTHER, dockets: 1 };
    assert!(net.events(1).any(|event| *event == advertised));
}

#[test]
fn nothing_is_told_before_the_driver_has_begun_and_nothing_twice_that_has_not_changed() {
    let mut net = Net::running(2);
    net.run(SECOND * 300);
    assert_eq!((told_frames(&net, 0), net.nodes[0].advertisements_read), (0, 0));
    holds(&mut net, 0, &[row(REGISTER, 5)], true);
    net.run(SECOND);
    assert_eq!(told_frames(&net, 0), 1);
    for _ in 0..3 {
        holds(&mut net, 0, &[row(REGISTER, 5)], true);
        net.run(SECOND);
    }
    assert_eq!(told_frames(&net, 0), 1, "what is as it was is not told again at once");
    assert_eq!(heard(&net, 1, 0), [row(REGISTER, 5)]);
}

#[test]
fn who_advertises_nothing_says_nothing() {
    let mut net = Net::running(3);
    holds(&mut net, 0, &[], true);
    net.run(SECOND * 90);
    net.stop(1);
    net.start(1);
    net.run(SECOND * 90);
    assert!(net.nodes[0].advertisements_read > 0, "it was asked what it holds");
    assert_eq!(told_frames(&net, 0), 0, "neither again and again nor to who comes up");
}

#[test]
fn what_was_withdrawn_while_no_link_was_up_is_known_with_the_next() {
    let mut net = Net::running(2);
    holds(&mut net, 0, &[row(REGISTER, 5)], true);
    net.run(SECOND);
    net.cut(&[0], &[1]);
    net.run(SECOND * 30);
    holds(&mut net, 0, &[], true);
    net.run(SECOND);
    assert_eq!(heard(&net, 1, 0), [row(REGISTER, 5)], "nobody has said so");
    net.heal();
    net.run_until(SECOND * 200, "it hears that there is nothing any more", |net| heard(net, 1, 0).is_empty());
    assert!(net.events(1).any(|event| {
        *event == Event::RegisterWithdrawn { peer: net.peer(0), register: REGISTER, cause: WithdrawalCause::Told }
    }));
}

#[test]
fn who_begins_anew_with_nothing_is_believed_at_once() {
    let mut net = Net::running(2);
    holds(&mut net, 0, &[row(REGISTER, 5)], true);
    net.run(SECOND);
    net.stop(0);
    net.nodes[0].advertised.clear();
    net.start(0);
    net.run_until(SECOND * 30, "its former life's word counts no longer", |net| heard(net, 1, 0).is_empty());
    let withdrawn =
        Event::RegisterWithdrawn { peer: net.peer(0), register: REGISTER, cause: WithdrawalCause::Restarted };
    assert!(net.events(1).any(|event| *event == withdrawn));
}

#[test]
fn further_dockets_are_told_together_some_seconds_later() {
    let mut net = Net::running(2);
    holds(&mut net, 0, &[row(REGISTER, 5)], true);
    net.run(SECOND);
    for dockets in 6..106 {
        holds(&mut net, 0, &[row(REGISTER, dockets)], false);
        net.run(SECOND / 50);
    }
    assert_eq!(heard(&net, 1, 0), [row(REGISTER, 5)]);
    net.run(SECOND * 5);
    assert_eq!((heard(&net, 1, 0), told_frames(&net, 0)), (vec![row(REGISTER, 105)], 2));
}

#[test]
fn what_is_told_is_what_the_store_holds_when_it_is_told() {
    let mut net = Net::running(2);
    holds(&mut net, 0, &[row(REGISTER, 5)], true);
    net.run(SECOND);
    // Nobody says that something has changed: with the next list everybody hears all the same.
    net.nodes[0].advertised = vec![Advertisement { first: 3, ..row(REGISTER, 9) }];
    net.run(SECOND * 90);
    assert_eq!(heard(&net, 1, 0), [Advertisement { first: 3, ..row(REGISTER, 9) }]);
}

#[test]
fn a_store_that_fails_is_asked_again_and_what_was_told_stays() {
    let mut net = Net::running(2);
    holds(&mut net, 0, &[row(REGISTER, 5)], true);
    net.run(SECOND);
    net.nodes[0].store.fails = true;
    holds(&mut net, 0, &[row(REGISTER, 6)], true);
    net.run(SECOND * 3);
    assert!(net.events(0).any(|event| *event == Event::StoreFailed { operation: "advertisements" }));
    assert_eq!(heard(&net, 1, 0), [row(REGISTER, 5)]);
    net.nodes[0].store.fails = false;
    net.run(STORE_RETRY + SECOND);
    assert_eq!(heard(&net, 1, 0), [row(REGISTER, 6)]);
}

#[test]
fn what_a_peer_that_is_gone_has_said_counts_for_five_minutes_more() {
    let mut net = Net::running(3);
    holds(&mut net, 0, &[row(REGISTER, 5)], true);
    net.run(SECOND * 200);
    assert_eq!(heard(&net, 1, 0), [row(REGISTER, 5)], "it is said again and again");
    net.stop(0);
    net.run(SECOND * 220);
    assert_eq!(heard(&net, 1, 0), [row(REGISTER, 5)]);
    net.run(SECOND * 120);
    assert_eq!(heard(&net, 1, 0), []);
    let expired = Event::RegisterWithdrawn { peer: net.peer(0), register: REGISTER, cause: WithdrawalCause::Expired };
    assert!(net.events(1).any(|event| *event == expired));
}

#[test]
fn a_register_may_be_held_by_who_says_so_and_by_who_takes_part_in_it() {
    let mut net = Net::running(3);
    assert_eq!(holders(&net, 0, REGISTER), [(1, HolderWord::Named), (2, HolderWord::Named)]);
    holds(&mut net, 1, &[row(REGISTER, 5), row(OTHER, 1)], true);
    net.run(SECOND);
    assert_eq!(holders(&net, 0, REGISTER), [(1, advertised(5)), (2, HolderWord::Named)]);
    assert_eq!(holders(&net, 0, OTHER), [(1, advertised(1))], "whether it is subscribed anywhere or not");
    net.set_policy(2, &[], &[]);
    holds(&mut net, 1, &[row(REGISTER, 5)], true);
    net.run(SECOND * 90);
    assert_eq!((holders(&net, 0, REGISTER), holders(&net, 0, OTHER)), (vec![(1, advertised(5))], vec![]));
    let ban = crate::BanRecord::of_peer(net.peer(1), None);
    net.set_policy(0, &[ban], &[REGISTER]);
    assert_eq!(holders(&net, 0, REGISTER), []);
}

#[test]
fn who_says_that_it_holds_more_than_before_is_heard_of() {
    let mut net = Net::running(2);
    for dockets in [5, 6] {
        holds(&mut net, 0, &[row(REGISTER, dockets)], true);
        net.run(SECOND);
        let advertised = Event::RegisterAdvertised { peer: net.peer(0), register: REGISTER, dockets };
        assert!(net.events(1).any(|event| *event == advertised), "{dockets}");
    }
}

#[test]
fn a_banned_peer_s_word_counts_no_longer() {
    let mut net = Net::running(3);
    holds(&mut net, 0, &[row(REGISTER, 5)], true);
    net.run(SECOND);
    let ban = crate::BanRecord::of_peer(net.peer(0), None);
    net.set_policy(1, &[ban], &[REGISTER]);
    assert_eq!(heard(&net, 1, 0), []);
    assert_eq!(heard(&net, 2, 0), [row(REGISTER, 5)], "where it is not banned it does");
    net.set_policy(1, &[], &[REGISTER]);
    net.run_until(SECOND * 90, "it is linked and heard again", |net| heard(net, 1, 0) == [row(REGISTER, 5)]);
}

#[test]
fn a_list_of_several_frames_arrives_whole() {
    let mut net = Net::running(2);
    let count = MAX_ADVERTISEMENT_ROWS * 2 + 1;
    let register = |number: usize| RegisterId::from_bytes((number as u128).to_be_bytes());
    let mut rows: Vec<_> = (0..count).map(|number| row(register(number), 1)).collect();
    holds(&mut net, 0, &rows, true);
    net.run(SECOND);
    assert_eq!((heard(&net, 1, 0).len(), told_frames(&net, 0)), (count, 3));
    // What is withdrawn and what has changed, in as few frames as it takes.
    rows.truncate(count - 2);
    rows.iter_mut().take(MAX_ADVERTISEMENT_ROWS + 1).for_each(|row| row.dockets = 2);
    holds(&mut net, 0, &rows, true);
    net.run(SECOND);
    assert_eq!((heard(&net, 1, 0), told_frames(&net, 0)), (rows, 5));
}

#[test]
fn a_peer_speaks_for_itself_alone_and_within_its_bounds() {
    let mut net = with_stranger(2);
    let frame = Frame::Advertisements { whole: true, last: true, rows: vec![row(OTHER, 7)], gone: vec![REGISTER] };
    say(&mut net, &frame);
    let views = net.engine(0).advertisements();
    assert_eq!(views.len(), 1);
    assert_eq!(
        (views[0].peer, &views[0].advertisement),
        (peerwright_secure::PeerId::from_bytes([0xee; 32]), &row(OTHER, 7))
    );
    for number in 0..2_000u128 {
        let rows = vec![row(RegisterId::from_bytes(number.to_be_bytes()), 1)];
        say(&mut net, &Frame::Advertisements { whole: false, last: false, rows, gone: vec![] });
    }
    assert_eq!(net.engine(0).statistics().advertisements.heard, 1_024);
    assert!(net.events(0).any(|event| *event == Event::Dropped { what: "advertisements_full" }));
    net.give(0, OwnedInput::Plain(Input::LinkDown { link: HOSTILE, reason: crate::DownReason::Broken }));
    net.run(Duration::from_secs(331));
    assert_eq!(net.engine(0).statistics().advertisements.heard, 0);
}
