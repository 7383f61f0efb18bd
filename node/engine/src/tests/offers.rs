//! Many records at once: offered by their fingerprints, asked for where they lack.

use super::{
    members::{bring, known, stranger},
    net::{Net, OwnedInput, SECOND},
};
use crate::{
    LinkId,
    bounds::{SPREAD_WHOLE, STRIKE_PAUSE, WANT_PATIENCE},
    frame::{Frame, kind},
};
use bytes::Bytes;

const STRANGERS: usize = 100;

fn strangers() -> Vec<Bytes> {
    (100..).take(STRANGERS).map(|number| stranger(number, 1).1).collect()
}

/// Brings a node some, so that all know enough members to take offers.
fn bring_some(net: &mut Net, node: usize) {
    bring(net, node, &strangers().iter().take(STRANGERS / 2).map(AsRef::as_ref).collect::<Vec<_>>());
    net.run(SECOND);
}

fn bring_rest(net: &mut Net, node: usize) {
    bring(net, node, &strangers().iter().skip(STRANGERS / 2).map(AsRef::as_ref).collect::<Vec<_>>());
}

fn sent(net: &Net, node: usize, kind: u8) -> usize {
    net.nodes[node].sent_frames.iter().filter(|(_, sent)| *sent == kind).count()
}

fn offer(net: &mut Net, link: LinkId, fingerprints: &[u64]) {
    let bytes = Frame::RecordOffer { fingerprints: fingerprints.to_vec() }.encode();
    net.give(0, OwnedInput::Frame { link, bytes });
}

#[test]
fn many_records_are_offered_and_each_comes_to_a_node_once() {
    let mut net = Net::running(12);
    bring_some(&mut net, 0);
    let duplicates = |net: &Net| (0..12).map(|node| net.engine(node).statistics().members.duplicates).sum::<u64>();
    let (before, wants) = (duplicates(&net), (1..12).map(|node| sent(&net, node, kind::RECORD_WANT)).sum::<usize>());
    bring_rest(&mut net, 0);
    net.run_until(SECOND, "everybody knows all", |net| (0..12).all(|node| known(net, node).len() == 12 + STRANGERS));
    let (again, asked) = (duplicates(&net), (1..12).map(|node| sent(&net, node, kind::RECORD_WANT)).sum::<usize>());
    assert!(asked >= wants + 11, "every node has asked somebody: {wants}, {asked}");
    let new = STRANGERS / 2 * 11;
    assert!(again <= before + (new / 5) as u64, "of {new} that are new {} came again", again - before);
}

#[test]
fn few_records_are_passed_on_whole() {
    let mut net = Net::running(6);
    let all = strangers();
    let few: Vec<&[u8]> = all.iter().take(SPREAD_WHOLE).map(AsRef::as_ref).collect();
    bring(&mut net, 0, &few);
    net.run_until(SECOND / 2, "everybody knows them", |net| {
        (0..6).all(|node| known(net, node).len() == 6 + SPREAD_WHOLE)
    });
    assert!((0..6).all(|node| sent(&net, node, kind::RECORD_WANT) == 0));
}

#[test]
fn an_older_neighbour_is_sent_records_and_sends_them() {
    // Once one of the others has them first, and once the older node itself.
    for first in [1, 5] {
        let mut net = Net::new(6);
        net.nodes[5].unknown_kinds = &[kind::RECORD_OFFER, kind::RECORD_WANT];
        net.start_all();
        bring_some(&mut net, first);
        bring_rest(&mut net, first);
        net.run_until(SECOND, "everybody knows all", |net| (0..6).all(|node| known(net, node).len() == 6 + STRANGERS));
    }
}

#[test]
fn who_offers_and_does_not_give_costs_a_moment_and_is_not_asked_for_a_while() {
    let mut net = Net::running(4);
    net.run(SECOND * 3);
    let link = net.engine(0).peers()[0].link;
    let comparisons = net.engine(0).statistics().members.comparisons;
    offer(&mut net, link, &[1, 2, 2, 3]);
    offer(&mut net, link, &[1, 3]);
    assert_eq!(sent(&net, 0, kind::RECORD_WANT), 1, "what is asked for is not asked for again");
    net.run(WANT_PATIENCE + SECOND / 10);
    assert!(net.engine(0).statistics().members.comparisons > comparisons, "others are asked");
    offer(&mut net, link, &[4]);
    assert_eq!(sent(&net, 0, kind::RECORD_WANT), 1, "it has given nothing");
    net.run(STRIKE_PAUSE);
    offer(&mut net, link, &[5]);
    assert_eq!(sent(&net, 0, kind::RECORD_WANT), 2);
}

#[test]
fn what_was_asked_of_a_link_that_ends_comes_by_another() {
    let mut net = Net::running(5);
    // All of node 0's neighbours hear the offer; then it is gone before it has given anything.
    bring_some(&mut net, 0);
    bring_rest(&mut net, 0);
    let offers = sent(&net, 0, kind::RECORD_OFFER);
    net.run_until(SECOND, "it has offered", |net| sent(net, 0, kind::RECORD_OFFER) > offers);
    net.cut(&[0], &[2, 3, 4]);
    net.run(SECOND / 50);
    for link in net.engine(0).peers().iter().map(|view| view.link).collect::<Vec<_>>() {
        net.break_link(link);
    }
    net.run_until(SECOND * 8, "everybody knows all", |net| (1..5).all(|node| known(net, node).len() == 5 + STRANGERS));
}
