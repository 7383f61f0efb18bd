//! Links: one a peer, alive or gone.

use super::net::{Net, OwnedInput, SECOND, address_of};
use crate::{
    Address, AddressSource, CloseReason, DialRefusal, DownReason, Event, Input, LinkId, Output, Outputs,
    bounds::SLOW_DIAL,
};
use peerwright_secure::PeerId;
use std::time::Duration;

#[test]
fn simultaneous_dials_settle_to_one_link_on_which_both_agree() {
    for seed in 0..20 {
        let mut net = Net::with_seed(4, seed);
        for node in 0..4 {
            net.start(node);
        }
        net.run(SECOND * 5);
        assert!(net.all_linked(), "seed {seed}");
        for node in 0..4 {
            let peers = net.engine(node).peers();
            assert_eq!(peers.len(), 3);
            for view in peers {
                let far = (0..4).find(|other| net.peer(*other) == view.peer).unwrap();
                let own = net.peer(node);
                let other = net.engine(far).peers().into_iter().find(|view| view.peer == own).unwrap();
                assert_ne!(view.direction, other.direction, "one dialled and the other was dialled");
            }
        }
    }
}

#[test]
fn settled_links_are_left_alone() {
    let mut net = Net::running(4);
    let links: Vec<LinkId> = (0..4).flat_map(|node| net.engine(node).peers()).map(|view| view.link).collect();
    net.run(SECOND * 3_600);
    let later: Vec<LinkId> = (0..4).flat_map(|node| net.engine(node).peers()).map(|view| view.link).collect();
    assert_eq!(links, later);
    let lost: u64 = (0..4).map(|node| net.engine(node).statistics().links.unreachable).sum();
    assert_eq!(lost, 0);
}

#[test]
fn an_own_address_is_recognised_and_left_alone() {
    let mut net = Net::running(2);
    assert!(net.events(0).any(|event| *event == Event::OwnAddress { address: address_of(0).socket }));
    let own: Vec<bool> = net.engine(0).addresses().iter().map(|view| view.own).collect();
    assert_eq!(own, [true, false]);
    let dials = |net: &Net| net.events(0).filter(|event| matches!(event, Event::OwnAddress { .. })).count();
    net.run(SECOND * 900);
    assert_eq!(dials(&net), 1);
}

#[test]
fn a_silent_peer_is_unreachable_within_five_seconds_and_back_after_the_heal() {
    let mut net = Net::running(3);
    net.cut(&[2], &[0, 1]);
    net.run_until(SECOND * 6, "the cut is noticed", |net| {
        !net.are_linked(0, 2) && net.engine(2).peers().is_empty() && net.engine(0).peers().len() == 1
    });
    let is_unreachable = |event: &&Event| matches!(event, Event::LinkClosed { reason: CloseReason::Unreachable, .. });
    assert_eq!(net.events(0).filter(is_unreachable).count(), 1);
    net.heal();
    net.run_until(SECOND * 10, "all are linked again", Net::all_linked);
}

#[test]
fn a_broken_connection_is_dialled_again_at_once() {
    let mut net = Net::running(2);
    net.run(SECOND * 20);
    let link = net.engine(0).peers()[0].link;
    net.break_link(link);
    net.run(SECOND / 1_000);
    assert!(!net.are_linked(0, 1));
    net.run_until(SECOND / 10, "the link is back", Net::all_linked);
}

#[test]
fn a_link_that_breaks_again_and_again_is_dialled_less_and_less() {
    let mut net = Net::running(2);
    for _ in 0..600 {
        for link in [0, 1].iter().flat_map(|node| net.engine(*node).peers()).map(|view| view.link).collect::<Vec<_>>() {
            net.break_link(link);
        }
        net.run(SECOND / 2);
    }
    let established = net.engine(0).statistics().links.established;
    assert!(established < 40, "{established} links in five minutes");
}

#[test]
fn round_trips_are_measured_and_states_are_told() {
    let mut net = Net::running(2);
    net.run(SECOND * 40);
    let [view] = net.engine(0).peers().try_into().unwrap();
    assert_eq!(view.round_trip, Some(net.latency * 4));
    assert_eq!((view.ready, view.registers), (Some(true), 1));
    assert!(view.sent_bytes > 0 && view.received_bytes > 0);
    let trips = net.engine(0).statistics().links.round_trips;
    assert!(trips.count > 0);
    assert_eq!(trips.sum_micros, trips.count * u64::try_from((net.latency * 4).as_micros()).unwrap());
    let beats = net.events(0).filter_map(|event| match event {
        Event::HeartbeatSent { sequence, .. } => Some(*sequence),
        _ => None,
    });
    let beats: Vec<u64> = beats.collect();
    assert!(beats.ends_with(&[1, 2]), "on the link that stayed, one at once and one later: {beats:?}");
}

#[test]
fn idle_links_cost_little() {
    let mut net = Net::running(2);
    net.run(SECOND * 60);
    let before = net.engine(0).statistics().links;
    net.run(SECOND * 600);
    let after = net.engine(0).statistics().links;
    assert!(after.bytes_sent - before.bytes_sent < 600 * 28, "{} bytes", after.bytes_sent - before.bytes_sent);
    assert!(after.frames_sent - before.frames_sent < 600 * 5 / 2);
}

#[test]
fn a_paused_process_does_not_blame_its_peers() {
    let mut net = Net::running(2);
    // The timer comes 20 s late and before the frames that waited.
    let later = net.now + SECOND * 20;
    net.now = later;
    net.give(0, OwnedInput::Plain(Input::Timer));
    assert_eq!(net.engine(0).peers().len(), 1);
}

#[test]
fn a_full_node_refuses_further_links() {
    let mut net = Net::new(1);
    net.nodes[0].configure = |config| config.connections.inbound = 3;
    net.start(0);
    for number in 1..=5 {
        let input = Input::LinkUp {
            link: LinkId(number),
            peer: PeerId::from_bytes([u8::try_from(number).unwrap(); 32]),
            incarnation: 1,
            outbound: false,
            address: None,
        };
        net.give(0, OwnedInput::Plain(input));
    }
    assert_eq!(net.engine(0).peers().len(), 3);
    let is_full = |event: &&Event| matches!(event, Event::LinkClosed { reason: CloseReason::Full, .. });
    assert_eq!(net.events(0).filter(is_full).count(), 2);
    net.give(0, OwnedInput::Plain(Input::LinkDown { link: LinkId(2), reason: DownReason::Broken }));
    net.give(0, OwnedInput::Plain(Input::LinkDown { link: LinkId(2), reason: DownReason::Broken }));
    assert_eq!(net.engine(0).peers().len(), 2);
    assert_eq!(net.engine(0).statistics().links.lost, 1);
}

#[test]
fn no_link_is_kept_before_the_first_policy() {
    let mut net = Net::new(1);
    net.nodes[0].begin_life_without_policy();
    let input = Input::LinkUp {
        link: LinkId(1),
        peer: PeerId::from_bytes([7; 32]),
        incarnation: 1,
        outbound: false,
        address: None,
    };
    net.give(0, OwnedInput::Plain(input));
    net.give(0, OwnedInput::Addresses(AddressSource::Seeds, vec![address_of(0)]));
    assert!(net.engine(0).peers().is_empty());
    assert_eq!(net.engine(0).statistics().links.dialling, 0);
}

#[test]
fn what_the_same_cable_announces_is_tried_unless_nobody_may_be_sent_there() {
    let mut net = Net::new(1);
    net.start_knowing(0, []);
    let sockets = ["192.168.7.7:5000", "169.254.169.254:5000", "127.0.0.1:5000", "192.168.7.7:22"];
    let address = |socket: &&str| Address { host: "announced".to_owned(), socket: socket.parse().unwrap() };
    let addresses: Vec<Address> = sockets.iter().map(address).collect();
    let (now, mut out) = (net.now, Outputs::new());
    let engine = net.nodes[0].engine.as_mut().unwrap();
    engine.handle(now, Input::Addresses { source: AddressSource::Local, addresses: &addresses }, &mut out);
    let refused = |reason| engine.statistics().links.addresses_refused(reason);
    assert_eq!([DialRefusal::Metadata, DialRefusal::Loopback, DialRefusal::LowPort].map(refused), [1; 3]);
    let dialled = |output: Output| match output {
        Output::Dial { address } => Some(address.socket),
        _ => None,
    };
    assert_eq!(out.drain().filter_map(dialled).collect::<Vec<_>>(), [addresses[0].socket]);
}

#[test]
fn who_is_slow_to_answer_keeps_nobody_else_from_being_dialled() {
    let mut net = Net::new(1);
    net.start_knowing(0, []);
    let address = |number: usize| Address { host: "seed".to_owned(), socket: address_of(number + 1).socket };
    let addresses: Vec<Address> = (0..9).map(address).collect();
    let (now, mut out) = (net.now, Outputs::new());
    let engine = net.nodes[0].engine.as_mut().unwrap();
    let dials = |out: &mut Outputs| out.drain().filter(|output| matches!(output, Output::Dial { .. })).count();
    engine.handle(now, Input::Addresses { source: AddressSource::Seeds, addresses: &addresses }, &mut out);
    // As many as neighbours are wanted.
    let at_once = dials(&mut out);
    assert!((1..addresses.len()).contains(&at_once), "{at_once}");
    engine.handle(now + SLOW_DIAL - Duration::from_millis(1), Input::Timer, &mut out);
    assert_eq!(dials(&mut out), 0);
    engine.handle(now + SLOW_DIAL, Input::Timer, &mut out);
    assert_eq!(dials(&mut out), at_once.min(addresses.len() - at_once));
}
