//! Who is alive: silence, pauses, cuts and accusations.

use super::{
    members::{count, everybody_knows_everybody, others, state},
    net::{Net, OwnedInput, SECOND},
};
use crate::{Event, MemberState, Statement, frame::Frame, membership::Edition};
use peerwright_secure::NodeKey;

#[test]
fn a_silent_crash_is_unreachable_for_all_in_three_seconds_and_dead_ten_later() {
    let mut net = Net::running(8);
    net.run(SECOND * 12);
    // Nobody hears of it but by its silence.
    let rest: Vec<usize> = others(&net, 5).collect();
    net.cut(&[5], &rest);
    net.stop(5);
    net.run_until(SECOND * 3, "unreachable for all", |net| {
        others(net, 5).all(|node| state(net, node, 5) == Some(MemberState::Unreachable))
    });
    net.run(SECOND * 9);
    assert!(rest.iter().all(|node| state(&net, *node, 5) == Some(MemberState::Unreachable)), "nobody is dead so soon");
    net.run_until(SECOND * 3, "dead for all", |net| others(net, 5).all(|node| state(net, node, 5).is_none()));
    assert_eq!(net.engine(0).statistics().members.dead, 1);
    // Nobody brings it back.
    net.run(SECOND * 120);
    assert!(rest.iter().all(|node| state(&net, *node, 5).is_none()));
    // It starts again: a new life.
    net.heal();
    net.start(5);
    net.run_until(SECOND * 3, "back", everybody_knows_everybody);
    let peer = net.peer(5);
    assert_eq!(count(&net, 0, |event| *event == Event::MemberJoined { peer }), 2);
}

#[test]
fn a_reset_connection_is_unreachable_sooner() {
    let mut net = Net::running(8);
    net.run(SECOND * 12);
    net.stop(5);
    net.run_until(SECOND * 3 / 2, "unreachable for all", |net| {
        others(net, 5).all(|node| state(net, node, 5) == Some(MemberState::Unreachable))
    });
    let accusations: u64 = others(&net, 5).map(|node| net.engine(node).statistics().members.accused).sum();
    assert!(accusations <= 7, "{accusations}");
    net.start(5);
    net.run_until(SECOND * 2, "reachable for all", |net| {
        others(net, 5).all(|node| state(net, node, 5) == Some(MemberState::Alive))
    });
}

#[test]
fn who_pauses_nine_seconds_is_never_dead_and_answers_when_it_is_back() {
    for seed in 0..5 {
        let mut net = Net::with_seed(8, seed);
        for node in 0..8 {
            net.start(node);
        }
        net.run(SECOND * 12);
        net.pause(3);
        net.run(SECOND * 9);
        assert_eq!(state(&net, 0, 3), Some(MemberState::Unreachable), "seed {seed}");
        net.resume(3);
        net.run_until(SECOND * 4, "reachable for all", |net| {
            others(net, 3).all(|node| state(net, node, 3) == Some(MemberState::Alive))
        });
        net.run(SECOND * 30);
        for node in 0..8 {
            assert_eq!(count(&net, node, |event| matches!(event, Event::MemberDead { .. })), 0, "seed {seed}");
            let blamed = net
                .events(node)
                .any(|event| matches!(event, Event::MemberUnreachable { peer, .. } if *peer != net.peer(3)));
            assert!(!blamed, "node {node} blamed somebody who ran, seed {seed}");
        }
        assert!(net.engine(3).statistics().members.pauses > 0);
    }
}

#[test]
fn after_a_cut_a_pause_is_known_as_soon_as_any_other() {
    for count in [3, 5, 8] {
        let mut net = Net::running(count);
        net.run(SECOND * 12);
        let rest: Vec<usize> = others(&net, 2).collect();
        net.cut(&[2], &rest);
        let all_see = |net: &Net, node: usize, seen: MemberState| {
            others(net, node).all(|other| state(net, other, node) == Some(seen))
        };
        net.run_until(SECOND * 3, "the cut is known", |net| all_see(net, 2, MemberState::Unreachable));
        net.heal();
        net.run_until(SECOND * 4, "it is back", |net| all_see(net, 2, MemberState::Alive));
        net.run(SECOND * 2);
        net.pause(1);
        net.run_until(SECOND * 3, "the pause is known", |net| all_see(net, 1, MemberState::Unreachable));
    }
}

#[test]
fn a_pause_counts_once_however_much_has_come_meanwhile() {
    let mut net = Net::running(8);
    net.pause(3);
    net.run(SECOND * 5);
    net.resume(3);
    net.run(SECOND);
    assert_eq!(net.engine(3).statistics().members.pauses, 1);
    let own = net.peer(3);
    let versions = net.engine(0).members().into_iter().find(|view| view.peer == own).map(|view| view.version);
    assert!(versions.is_some_and(|version| version <= 4), "{versions:?}");
}

#[test]
fn who_is_cut_off_from_one_only_is_reached_by_the_others() {
    let mut net = Net::running(6);
    net.run(SECOND * 12);
    net.cut(&[0], &[1]);
    net.run(SECOND * 20);
    for node in 0..6 {
        let unreachable = |event: &Event| matches!(event, Event::MemberUnreachable { .. });
        assert_eq!(count(&net, node, unreachable), 0, "node {node}");
    }
    assert!(net.engine(0).statistics().members.probes > 0);
    assert!(!net.are_linked(0, 1), "the link itself is of no use");
}

#[test]
fn a_false_accusation_is_refuted_and_the_link_stays() {
    let mut net = Net::running(5);
    net.run(SECOND * 2);
    let accuser = net.nodes[1].key.clone();
    let accused = net.engine(0).members().into_iter().find(|view| view.peer == net.peer(4)).unwrap();
    let said = crate::detector::Accusation {
        subject: net.nodes[4].key.public(),
        edition: Edition { incarnation: accused.incarnation, version: accused.version },
        accuser: accuser.public(),
    };
    let statement = said.sign(&accuser);
    let link = net.engine(0).peers()[0].link;
    let bytes = Frame::Accusations { statements: vec![&statement] }.encode();
    net.give(0, OwnedInput::Frame { link, bytes });
    net.run(SECOND * 5);
    for node in others(&net, 4).collect::<Vec<_>>() {
        let view = net.engine(node).members().into_iter().find(|view| view.peer == net.peer(4)).unwrap();
        assert_eq!((view.state, view.version), (MemberState::Alive, accused.version + 1));
        assert_eq!(count(&net, node, |event| matches!(event, Event::MemberUnreachable { .. })), 0);
    }
    assert_eq!(net.engine(4).statistics().members.refutations, 1);
    assert!(net.all_linked());
}

#[test]
fn a_forged_accusation_convicts_its_bringer_and_accuses_nobody() {
    let mut net = Net::running(4);
    let accused = net.engine(0).members().into_iter().find(|view| view.peer == net.peer(3)).unwrap();
    let said = crate::detector::Accusation {
        subject: net.nodes[3].key.public(),
        edition: Edition { incarnation: accused.incarnation, version: accused.version },
        accuser: net.nodes[2].key.public(),
    };
    let statement = said.sign(&NodeKey::from_seed([99; 32]));
    let link = net.engine(0).peers()[0].link;
    net.give(0, OwnedInput::Frame { link, bytes: Frame::Accusations { statements: vec![&statement] }.encode() });
    net.run(SECOND / 100);
    assert!(net.engine(0).peers().iter().all(|view| view.link != link));
    assert_eq!(net.engine(0).statistics().members.accusations, 0);
    assert!(!Statement::Accusation(statement).holds());
}
