//! Faults drawn from a seed, then none: everything that was accepted is everywhere in the end.

use super::net::{Net, OwnedInput, REGISTER, SECOND};
use crate::{BanRecord, Input, Micros, Token, random::Random};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

const NODES: usize = 5;

struct Chaos {
    net: Net,
    random: Random,
    seed: u64,
    /// What was submitted, by the node and the token that stands for it.
    submitted: BTreeMap<(usize, Token), String>,
    number: usize,
}

impl Chaos {
    fn new(seed: u64) -> Self {
        let mut net = Net::with_seed(NODES, seed);
        for node in 0..NODES {
            net.start(node);
        }
        Self { net, random: Random::new(seed), seed, submitted: BTreeMap::new(), number: 0 }
    }

    fn pick(&mut self, bound: usize) -> usize {
        usize::try_from(self.random.below(bound as u64)).unwrap()
    }

    fn submit(&mut self) {
        let node = self.pick(NODES);
        let token = if self.pick(20) == 0 {
            let length = 32 * 1024 + 1 + self.pick(400_000);
            self.number += 1;
            let mut bytes = vec![b' '; length];
            bytes[..8].copy_from_slice(&(self.number as u64).to_be_bytes());
            let token = self.net.submit_to(node, REGISTER, Bytes::from(bytes));
            self.submitted.insert((node, token), format!("{length} bytes"));
            return;
        } else {
            self.number += 1;
            self.net.submit(node, &format!("text-{}", self.number))
        };
        self.submitted.insert((node, token), format!("text-{}", self.number));
    }

    fn fault(&mut self) {
        let node = self.pick(NODES);
        match self.pick(12) {
            0 => self.net.stop(node),
            1 | 2 => self.net.start(node),
            3 => {
                let side = self.pick(NODES - 1) + 1;
                let (one, other): (Vec<usize>, Vec<usize>) = (0..NODES).partition(|node| *node < side);
                self.net.cut(&one, &other);
            }
            4 => {
                let other = self.pick(NODES);
                self.net.cut(&[node], &[other]);
            }
            5 | 6 => self.net.heal(),
            7 => {
                let links: Vec<_> = self.net.nodes[node].links.iter().copied().collect();
                if !links.is_empty() {
                    let link = links[self.pick(links.len())];
                    self.net.break_link(link);
                }
            }
            8 => self.net.nodes[node].store.fails = !self.net.nodes[node].store.fails,
            9 => self.net.lost_messages = self.random.below(40),
            10 => {
                let bans = [BanRecord::of_peer(self.net.peer(node), None)];
                for judge in 0..NODES {
                    if self.pick(2) == 0 {
                        let bans = if self.pick(2) == 0 { &bans[..] } else { &[] };
                        self.net.set_policy(judge, bans, &[REGISTER]);
                    }
                }
            }
            _ => {
                let wall = Micros(self.net.now.0 + self.random.below(60_000_000));
                self.net.give(node, OwnedInput::Plain(Input::Clock { wall }));
            }
        }
    }

    fn end_all_faults(&mut self) {
        self.net.heal();
        self.net.lost_messages = 0;
        for node in 0..NODES {
            self.net.nodes[node].store.fails = false;
            if self.net.nodes[node].engine.is_none() {
                self.net.start(node);
            }
        }
        self.net.ban_everywhere(&[]);
    }

    fn assert_converged(&mut self) {
        let seed = self.seed;
        self.net.run_until(SECOND * 75, &format!("all linked, seed {seed}"), Net::all_linked);
        self.net.run(SECOND * 45);
        let accepted: BTreeSet<String> = self
            .submitted
            .iter()
            .filter(|((node, token), _)| self.net.nodes[*node].accepted.contains(token))
            .map(|(_, text)| text.clone())
            .collect();
        let everything = self.net.nodes[0].store.texts(REGISTER);
        let lost: Vec<&String> = accepted.difference(&everything).collect();
        assert!(lost.is_empty(), "accepted and lost, seed {seed}: {lost:?}");
        for node in 0..NODES {
            assert!(self.net.holds_exactly(node, &everything), "node {node} differs, seed {seed}");
            let engine = self.net.engine(node);
            assert!(engine.readiness().is_ready(), "node {node} is not ready, seed {seed}");
            assert!(engine.registers()[0].synced, "node {node} is not level, seed {seed}");
            let statistics = engine.statistics();
            let waiting = (
                statistics.sync.missing,
                statistics.sync.fetching_bodies,
                statistics.gossip.verifying,
                statistics.store.queued,
                statistics.submit.queued,
            );
            assert_eq!(waiting, (0, 0, 0, 0, 0), "node {node}, seed {seed}");
        }
    }

    fn run(mut self) {
        for _ in 0..150 {
            for _ in 0..self.pick(4) {
                self.submit();
            }
            if self.pick(4) == 0 {
                self.fault();
            }
            self.net.run(Duration::from_millis(self.random.below(600)));
        }
        self.end_all_faults();
        self.assert_converged();
    }
}

/// A few, or those that `CHAOS_SEEDS=100..200` names.
fn seeds() -> std::ops::Range<u64> {
    let named = std::env::var("CHAOS_SEEDS").ok();
    let named = named.as_deref().and_then(|named| named.split_once(".."));
    named.map_or(0..4, |(from, to)| from.parse().unwrap()..to.parse().unwrap())
}

#[test]
fn every_accepted_transaction_is_everywhere_when_the_faults_have_ended() {
    for seed in seeds() {
        Chaos::new(seed).run();
    }
}
