//! Hosts of libp2p-gossipsub: TCP, TLS 1.3, yamux, strict signatures, its defaults but for the degree.

use crate::{
    network::{Copies, Network},
    recorder::Recorder,
};
use anyhow::{Context as _, Result, anyhow};
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture};
use libp2p::{
    Multiaddr, PeerId, Swarm, SwarmBuilder,
    gossipsub::{Behaviour, ConfigBuilder, Event, IdentTopic, MessageAuthenticity, TopicHash},
    identity::Keypair,
    swarm::SwarmEvent,
    tcp, tls, yamux,
};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{sync::mpsc, task::JoinSet, time::sleep};

const TOPIC: &str = "bench";
/// Neighbours of a host: as many as ours aim at.
const DEGREE: usize = 8;
/// The fewest, and the most.
const DEGREES: (usize, usize) = (6, 12);
/// How many payloads wait for a host. Full: refused.
const WAITING: usize = 1_024;
/// How often the mesh is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// A network of hosts.
pub(crate) struct Rival {
    hosts: Vec<Host>,
    recorder: Arc<Recorder>,
    _running: JoinSet<()>,
}

struct Host {
    payloads: mpsc::Sender<Vec<u8>>,
    mesh: Arc<AtomicUsize>,
}

impl Rival {
    /// Starts the hosts: each dials half of its neighbours, drawn so that all have the same number.
    pub(crate) async fn start(count: usize, recorder: Arc<Recorder>) -> Result<Self> {
        let mut swarms = Vec::new();
        for _ in 0..count {
            swarms.push(listening().await?);
        }
        let addresses: Vec<Multiaddr> = swarms.iter().map(|(_, address)| address.clone()).collect();
        let names: HashMap<PeerId, usize> =
            swarms.iter().enumerate().map(|(number, (swarm, _))| (*swarm.local_peer_id(), number)).collect();
        let names = Arc::new(names);
        let (mut hosts, mut running) = (Vec::new(), JoinSet::new());
        for (number, (mut swarm, _)) in swarms.into_iter().enumerate() {
            for other in dialled(number, count) {
                swarm.dial(addresses.get(other).context("no such host")?.clone())?;
            }
            let (payloads, waiting) = mpsc::channel(WAITING);
            let mesh = Arc::new(AtomicUsize::new(0));
            hosts.push(Host { payloads, mesh: mesh.clone() });
            let running_host = RunningHost { number, swarm, mesh, names: names.clone(), recorder: recorder.clone() };
            running.spawn(running_host.run(waiting));
        }
        Ok(Self { hosts, recorder, _running: running })
    }
}

impl Network for Rival {
    fn settled(&self) -> BoxFuture<'_, ()> {
        async {
            let enough = DEGREES.0.min(self.hosts.len().saturating_sub(1));
            while !self.hosts.iter().all(|host| host.mesh.load(Ordering::Relaxed) >= enough) {
                sleep(LOOK).await;
            }
        }
        .boxed()
    }

    fn publish(&self, node: usize, payload: Vec<u8>) {
        if self.hosts.get(node).is_some_and(|host| host.payloads.try_send(payload).is_err()) {
            self.recorder.refused();
        }
    }

    fn degree(&self) -> BoxFuture<'_, f64> {
        let all: usize = self.hosts.iter().map(|host| host.mesh.load(Ordering::Relaxed)).sum();
        std::future::ready(all as f64 / self.hosts.len().max(1) as f64).boxed()
    }

    fn copies(&self) -> BoxFuture<'_, Option<Copies>> {
        std::future::ready(None).boxed()
    }
}

/// A host that listens, and where.
async fn listening() -> Result<(Swarm<Behaviour>, Multiaddr)> {
    let mut swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), tls::Config::new, yamux::Config::default)?
        .with_behaviour(behaviour)
        .map_err(|error| anyhow!("{error}"))?
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(3_600)))
        .build();
    swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse()?)?;
    loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            return Ok((swarm, address));
        }
    }
}

fn behaviour(key: &Keypair) -> Result<Behaviour, Box<dyn std::error::Error + Send + Sync>> {
    let config = ConfigBuilder::default()
        .mesh_n(DEGREE)
        .mesh_n_low(DEGREES.0)
        .mesh_n_high(DEGREES.1)
        // Sooner to its mesh: nothing is measured before it stands.
        .heartbeat_initial_delay(Duration::from_millis(500))
        .build()?;
    let mut behaviour: Behaviour = Behaviour::new(MessageAuthenticity::Signed(key.clone()), config)?;
    behaviour.subscribe(&IdentTopic::new(TOPIC))?;
    Ok(behaviour)
}

/// Whom a host dials: offsets on a ring, so that all have [`DEGREE`] neighbours and every part reaches every other in a few
/// hops.
fn dialled(number: usize, count: usize) -> impl Iterator<Item = usize> {
    // The others of a small network are near anyway.
    let offsets = if count >= 20 { [1, count / 7, count / 4, count * 2 / 5] } else { [1, 2, 3, 4] };
    let near = offsets.into_iter().filter(move |offset| 2 * offset <= count);
    near.map(move |offset| (number + offset) % count)
}

struct RunningHost {
    number: usize,
    swarm: Swarm<Behaviour>,
    mesh: Arc<AtomicUsize>,
    names: Arc<HashMap<PeerId, usize>>,
    recorder: Arc<Recorder>,
}

impl RunningHost {
    async fn run(mut self, mut waiting: mpsc::Receiver<Vec<u8>>) {
        let topic = TopicHash::from(IdentTopic::new(TOPIC));
        let mut look = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                biased;
                payload = waiting.recv() => {
                    let Some(payload) = payload else { return };
                    if self.swarm.behaviour_mut().publish(topic.clone(), payload).is_err() {
                        self.recorder.refused();
                    }
                }
                _ = look.tick() => {
                    self.mesh.store(self.swarm.behaviour().mesh_peers(&topic).count(), Ordering::Relaxed);
                }
                event = self.swarm.select_next_some() => {
                    if let SwarmEvent::Behaviour(Event::Message { message, .. }) = event {
                        let origin = message.source.and_then(|peer| self.names.get(&peer).copied());
                        self.recorder.got(self.number, origin.unwrap_or(usize::MAX), &message.data);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_has_the_same_number_of_neighbours() {
        let count = 50;
        let mut neighbours = vec![std::collections::BTreeSet::new(); count];
        for number in 0..count {
            for other in dialled(number, count) {
                neighbours[number].insert(other);
                neighbours[other].insert(number);
            }
        }
        assert!(neighbours.iter().enumerate().all(|(number, of)| of.len() == DEGREE && !of.contains(&number)));
    }
}
