//! One tree an origin: each message comes once, and comes in spite of losses.

use super::net::{HOSTILE, Net, OwnedInput, SECOND, author, authored, is_message, say, texts, with_stranger};
use crate::{
    GossipSettings, GossipStatistics, Input, LinkId, bounds,
    frame::{Definition, Frame, Graft, Moved},
};
use bytes::Bytes;
use peerwright_ledger::{Entry, Message, MessageBody, RegisterId};
use peerwright_secure::PeerId;
use std::time::Duration;

const NODES: usize = 50;

/// Fifty nodes that have few links each.
fn sparse(count: usize) -> Net {
    let mut net = Net::new(count);
    for node in 0..count {
        net.nodes[node].configure = |config| (config.connections.outbound, config.connections.inbound) = (4, 5);
        net.start(node);
    }
    net.run(SECOND * 10);
    net
}

fn sum(net: &Net, figure: impl Fn(&GossipStatistics) -> u64) -> u64 {
    let engines = net.nodes.iter().filter_map(|node| node.engine.as_ref());
    engines.map(|engine| figure(&engine.statistics().gossip)).sum()
}

/// Submits in turns and gives the redundant copies for a thousand deliveries.
fn redundancy(net: &mut Net, authors: usize, rounds: usize, first: usize) -> u64 {
    let before = (sum(net, |gossip| gossip.duplicates), sum(net, |gossip| gossip.delivered));
    for number in 0..rounds * authors {
        net.submit(number % authors, &format!("text-{}", first + number));
        net.run(Duration::from_millis(20));
    }
    net.run(SECOND * 2);
    let copies = sum(net, |gossip| gossip.duplicates) - before.0;
    copies * 1_000 / (sum(net, |gossip| gossip.delivered) - before.1)
}

#[test]
fn warm_trees_bring_each_message_to_fifty_nodes_once() {
    let mut net = sparse(NODES);
    let cold = redundancy(&mut net, 10, 2, 0);
    let warm = redundancy(&mut net, 10, 10, 20);
    for node in 0..NODES {
        assert!(net.holds_exactly(node, &texts("text", 120)), "node {node}");
    }
    net.assert_stored_once();
    assert!(cold > warm, "the first messages find the trees: {cold}");
    assert!(warm <= 50, "{warm} redundant copies for a thousand deliveries");
}

#[test]
fn when_a_third_of_the_nodes_vanish_the_next_message_still_reaches_the_others_at_once() {
    let mut net = sparse(NODES);
    redundancy(&mut net, 10, 2, 0);
    for node in 35..NODES {
        net.stop(node);
    }
    net.submit(3, "text-20");
    net.run(Duration::from_millis(450));
    for node in 0..35 {
        assert!(net.holds_exactly(node, &texts("text", 21)), "node {node}");
    }
}

#[test]
fn an_own_message_goes_out_on_three_links_whatever_the_trees_say() {
    let mut net = Net::running(7);
    let origin = net.nodes[0].key.public();
    let links: Vec<LinkId> = net.engine(0).peers().iter().map(|view| view.link).collect();
    for link in links {
        net.give(0, OwnedInput::Frame { link, bytes: Frame::Prune { origin }.encode() });
    }
    let before = net.nodes[0].sent_frames.len();
    net.submit(0, "text-0");
    net.run(SECOND);
    let sent = net.nodes[0].sent_frames[before..].iter().filter(|(_, sent)| is_message(*sent)).count();
    assert_eq!(sent, GossipSettings::default().fanout);
    assert!((0..7).all(|node| net.holds_exactly(node, &texts("text", 1))));
}

/// The stranger is node 0's neighbour.
pub(super) fn with_neighbour(count: usize) -> Net {
    let mut net = with_stranger(count);
    say(&mut net, &Frame::Neighbour { priority: true });
    net
}

/// That somebody has the author's messages up to this one, and for how many milliseconds.
fn announcement(through: u64, age: u16) -> Frame<'static> {
    let definitions = vec![Definition { name: 1, origin: author().public(), incarnation: 1 }];
    Frame::Announce { definitions, rows: vec![Moved { name: 1, through, age }] }
}

/// The stranger says that it has the author's messages up to this one.
fn announce(net: &mut Net, through: u64) {
    say(net, &announcement(through, Moved::LONG_AGO));
    net.run(SECOND / 2);
}

/// So many messages of the author, of a register that nobody here holds.
pub(super) fn written(net: &Net, count: u64) -> Vec<Message> {
    let mut previous = [0; 32];
    let next = |sequence| {
        let body = MessageBody {
            previous,
            register: RegisterId::from_bytes([9; 16]),
            created_at_micros: net.now.0,
            entries: vec![Entry::Inline(Bytes::from_static(b"transaction"))],
            ..authored(net, sequence)
        };
        let message = body.sign(&author()).unwrap();
        previous = message.id();
        message
    };
    (1..=count).map(next).collect()
}

/// Time passes, and the links that the test plays do not fall silent.
pub(super) fn live_on(net: &mut Net, time: Duration) {
    for _ in 0..time.as_secs() {
        for link in [HOSTILE, OTHER] {
            net.give(0, OwnedInput::Frame { link, bytes: Frame::Keepalive { sent: 1 }.encode() });
        }
        net.run(SECOND);
    }
}

#[test]
fn who_announces_and_does_not_give_is_soon_left_alone() {
    let mut net = with_neighbour(2);
    for through in 1..=10 {
        announce(&mut net, through);
    }
    let statistics = net.engine(0).statistics().gossip;
    let strikes = u64::from(bounds::MAX_STRIKES);
    assert_eq!((statistics.pulls, statistics.pulls_failed), (strikes, strikes));
    live_on(&mut net, bounds::STRIKE_PAUSE);
    announce(&mut net, 11);
    assert_eq!(net.engine(0).statistics().gossip.pulls, strikes + 1, "it has another chance");
}

#[test]
fn what_nobody_keeps_is_asked_for_once_and_blamed_on_nobody() {
    let mut net = with_neighbour(2);
    let messages = written(&net, 4);
    for number in [0, 2] {
        say(&mut net, &Frame::Message { hops: 5, message: messages[number].encoded() });
    }
    say(&mut net, &announcement(3, Moved::LONG_AGO));
    net.run(Duration::from_millis(110));
    assert_eq!(net.engine(0).statistics().gossip.pulls, 1);
    say(&mut net, &Frame::GraftEnd { origin: author().public(), incarnation: 1, floor: 3 });
    say(&mut net, &Frame::Message { hops: 5, message: messages[3].encoded() });
    net.run(SECOND * 2);
    for node in 0..2 {
        let statistics = net.engine(node).statistics().gossip;
        assert_eq!((statistics.delivered, statistics.pulls_failed), (3, 0), "node {node}");
    }
    assert_eq!(net.engine(0).statistics().gossip.pulls, 1);
    say(&mut net, &Frame::Message { hops: 5, message: messages[1].encoded() });
    net.run(SECOND);
    assert!((0..2).all(|node| net.engine(node).statistics().gossip.delivered == 4), "it may still come");
}

#[test]
fn a_range_is_given_within_the_credits_of_who_asks() {
    let mut net = with_neighbour(2);
    for number in 0..20 {
        net.submit(0, &format!("text-{number}"));
        net.run(SECOND / 100);
    }
    let (origin, incarnation) = (net.nodes[0].key.public(), net.nodes[0].incarnation);
    let sent = |net: &Net| net.engine(0).statistics().gossip.given;
    let graft = Graft { origin, incarnation, from: 3, through: u64::MAX, messages: 5, bytes: 100_000 };
    say(&mut net, &Frame::Graft(graft));
    assert_eq!(sent(&net), 5);
    say(&mut net, &Frame::Graft(Graft { messages: 100, bytes: 700, ..graft }));
    assert!((6..10).contains(&sent(&net)), "bytes count, too");
    say(&mut net, &Frame::Graft(Graft { from: 30, through: 20, ..graft }));
    assert!((6..10).contains(&sent(&net)), "nothing is asked for");
}

/// Another neighbour of node 0 that the test plays.
const OTHER: LinkId = LinkId(u64::MAX - 1);

fn other_says(net: &mut Net, frame: &Frame<'_>) {
    net.give(0, OwnedInput::Frame { link: OTHER, bytes: frame.encode() });
}

/// The stranger and another are node 0's neighbours.
pub(super) fn with_two_neighbours() -> Net {
    let mut net = with_neighbour(1);
    let peer = PeerId::from_bytes([0xdd; 32]);
    let up = Input::LinkUp { link: OTHER, peer, incarnation: 1, outbound: false, address: None };
    net.give(0, OwnedInput::Plain(up));
    other_says(&mut net, &Frame::Neighbour { priority: true });
    net
}

/// The stranger brings a message; the other has it from elsewhere, and does not want it pushed.
fn comes_by_the_stranger(net: &mut Net, message: &Message) {
    say(net, &Frame::Message { hops: 5, message: message.encoded() });
    net.run(SECOND / 10);
    let prune = Frame::Prune { origin: author().public() };
    other_says(net, &prune);
}

/// Pushes to stop and to begin that node 0 asked for.
fn turns(net: &Net) -> (u64, u64) {
    let statistics = net.engine(0).statistics().gossip;
    (statistics.prunes_sent, statistics.grafts_sent)
}

/// The other had the message so much before it came a tenth of a second ago.
fn had_it_before(through: u64, early: Duration) -> Frame<'static> {
    announcement(through, u16::try_from((SECOND / 10 + early).as_millis()).unwrap())
}

#[test]
fn a_link_by_which_rare_messages_would_have_come_sooner_becomes_the_parent() {
    let mut net = with_two_neighbours();
    let messages = written(&net, 3);
    comes_by_the_stranger(&mut net, &messages[0]);
    other_says(&mut net, &had_it_before(1, bounds::QUICKER_BY - Duration::from_millis(1)));
    assert_eq!(turns(&net), (0, 0), "it is hardly quicker");
    other_says(&mut net, &announcement(1, Moved::LONG_AGO));
    assert_eq!(turns(&net), (0, 0), "it does not say");
    other_says(&mut net, &had_it_before(1, bounds::QUICKER_BY));
    assert_eq!(turns(&net), (1, 1));

    say(&mut net, &announcement(1, 10_000));
    assert_eq!(turns(&net), (1, 1), "it has only just turned");
    live_on(&mut net, bounds::STEADY);
    other_says(&mut net, &Frame::Message { hops: 5, message: messages[1].encoded() });
    net.run(SECOND / 10);
    say(&mut net, &announcement(2, 10_000));
    assert_eq!(turns(&net), (2, 2));
}

#[test]
fn a_link_by_which_frequent_messages_come_sooner_all_the_time_becomes_the_parent() {
    let mut net = with_two_neighbours();
    let messages = written(&net, 30);
    let mut turned_at = None;
    for (sequence, message) in (1..).zip(&messages) {
        comes_by_the_stranger(&mut net, message);
        // Once it is late in between.
        let early = if sequence == 4 { Duration::ZERO } else { SECOND / 20 };
        // Before the second nobody knows that they are frequent.
        if sequence > 1 {
            other_says(&mut net, &had_it_before(sequence, early));
        }
        if turns(&net).1 > 0 {
            turned_at = Some(sequence);
            break;
        }
        live_on(&mut net, SECOND);
    }
    // A second and a tenth each; it is ahead without a break from the fifth on.
    assert_eq!(turned_at, Some(5 + 5));
}

#[test]
fn who_is_pushed_to_is_no_quicker_way() {
    let mut net = with_two_neighbours();
    let messages = written(&net, 1);
    say(&mut net, &Frame::Message { hops: 5, message: messages[0].encoded() });
    net.run(SECOND / 10);
    other_says(&mut net, &had_it_before(1, SECOND));
    assert_eq!(turns(&net), (0, 0));
}

#[test]
fn who_says_to_be_quicker_and_is_not_is_soon_believed_no_more() {
    let mut net = with_two_neighbours();
    let messages = written(&net, 5);
    for (sequence, message) in (1..).zip(&messages) {
        // The stranger was told not to push, says what it has, and is asked for it.
        say(&mut net, &announcement(sequence, Moved::LONG_AGO));
        net.run(SECOND / 2);
        comes_by_the_stranger(&mut net, message);
        live_on(&mut net, bounds::STEADY);
        other_says(&mut net, &announcement(sequence, Moved::LONG_AGO - 1));
    }
    assert_eq!(turns(&net).0, u64::from(bounds::MAX_STRIKES));
}
