//! Settings that change while nodes run.

use super::net::{Net, OwnedInput, REGISTER, SECOND, texts};
use crate::{Config, Input, Policy, Role, ServiceStatus, Tuning};
use peerwright_secure::NodeKey;
use std::time::Duration;

impl Net {
    /// The network changes its settings, for all nodes.
    fn tune(&mut self, change: impl Fn(&mut Tuning)) {
        let running = |node: &usize| self.nodes[*node].engine.is_some();
        for node in (0..self.nodes.len()).filter(running).collect::<Vec<_>>() {
            let mut tuning = self.engine(node).tuning();
            change(&mut tuning);
            let policy = Policy { registers: vec![REGISTER], tuning: Some(Box::new(tuning)), ..Policy::default() };
            self.nodes[node].policy = policy.clone();
            self.give(node, OwnedInput::Plain(Input::Policy(policy)));
        }
    }
}

#[test]
fn a_hop_limit_holds_from_the_next_transaction_on() {
    // With a limit of one the third step is one too many.
    let mut net = Net::chain();
    net.start_all();
    let reached = |net: &mut Net, text: &str| {
        net.submit(0, &format!("{text}-0"));
        net.run(SECOND / 10);
        (0..4).map(|node| net.holds_exactly(node, &texts(text, 1))).collect::<Vec<_>>()
    };
    assert_eq!(reached(&mut net, "before"), [true; 4]);
    net.tune(|tuning| tuning.gossip.hop_limit = 1);
    net.submit(0, "after-0");
    net.run(SECOND / 10);
    assert_eq!(net.nodes[3].store.messages.len() + 1, net.nodes[2].store.messages.len());
    net.run(SECOND / 2);
    assert_eq!(net.nodes[3].store.messages.len(), net.nodes[2].store.messages.len(), "it was announced, and asked for");
}

#[test]
fn fewer_healthy_peers_than_the_network_now_asks_for_are_too_few_at_once() {
    let mut net = Net::new(8);
    for node in 0..8 {
        net.start(node);
    }
    net.run(SECOND * 3);
    net.stop(7);
    net.run(SECOND * 4);
    assert_eq!(net.engine(0).service_status(), ServiceStatus::Online);
    net.tune(|tuning| tuning.detection.minimum_healthy_peers = 7);
    assert_eq!(net.engine(0).service_status(), ServiceStatus::Degraded);
    net.tune(|tuning| tuning.detection.minimum_healthy_peers = 6);
    assert_eq!(net.engine(0).service_status(), ServiceStatus::Online);
}

#[test]
fn a_longer_keepalive_and_patience_keep_links_with_fewer_frames() {
    let keepalives = |net: &mut Net| {
        for node in &mut net.nodes {
            node.sent_frames.clear();
        }
        net.run(SECOND * 20);
        assert!(net.are_linked(0, 1));
        net.nodes.iter().map(|node| node.sent_frames.len()).sum::<usize>()
    };
    let mut net = Net::running(2);
    net.run(SECOND * 5);
    let often = keepalives(&mut net);
    net.tune(|tuning| {
        tuning.detection.keepalive = Duration::from_secs(10);
        tuning.detection.suspicion_after = Duration::from_secs(15);
        tuning.detection.silence_limit = Duration::from_secs(50);
    });
    net.run(SECOND * 12);
    let seldom = keepalives(&mut net);
    assert!(seldom * 2 < often, "{seldom} frames instead of {often}");
}

#[test]
fn a_node_that_becomes_a_hub_says_so_and_takes_a_hubs_links() {
    let mut net = Net::running(3);
    net.run(SECOND * 5);
    let own = net.peer(0);
    let role = |net: &Net| net.engine(1).members().iter().find(|view| view.peer == own).map(|view| view.role);
    assert_eq!(role(&net), Some(Role::Peer));
    let mut tuning = net.engine(0).tuning();
    tuning.role = Role::Hub;
    let policy = Policy { registers: vec![REGISTER], tuning: Some(Box::new(tuning)), ..Policy::default() };
    net.give(0, OwnedInput::Plain(Input::Policy(policy)));
    net.run(SECOND);
    assert_eq!(role(&net), Some(Role::Hub));
}

#[test]
fn every_part_goes_by_the_new_settings() {
    let mut net = Net::running(2);
    let change = |tuning: &mut Tuning| {
        tuning.connections.outbound = 9;
        tuning.overlay.active = 7;
        tuning.addresses.exchange_peers = 2;
        tuning.gossip.fanout = 4;
        tuning.score.expected_deliveries = 7;
        tuning.membership.capacity = 17;
        tuning.detection.indirect_probes = 2;
        tuning.misbehaviour.max_temporary = 1;
    };
    net.tune(change);
    let mut expected = net.engine(1).tuning();
    change(&mut expected);
    assert_eq!(net.engine(1).tuning(), expected);
    net.give(1, OwnedInput::Plain(Input::Policy(Policy { registers: vec![REGISTER], ..Policy::default() })));
    assert_eq!(net.engine(1).tuning(), expected, "a policy that says nothing of settings changes none");
}

#[test]
fn a_node_begins_with_the_settings_of_its_configuration() {
    let config = Config::new(NodeKey::from_seed([1; 32]), 1, 1);
    assert_eq!(crate::Engine::new(config.clone()).tuning(), Tuning::from(&config));
}
