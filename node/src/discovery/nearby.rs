//! Nodes on the same cable: announces this one by multicast DNS (RFC 6762, 6763), and tells the driver of others.
//!
//! ```text
//!  <32 hex digits of the peer id>._peerwright._tcp.local.
//!    SRV  port of the peers      TXT  network=<uid>  peer=<peer id>      A, AAAA  where this node listens
//! ```
//!
//! Anybody on the cable can say anything here. What is said is a place to try: whoever answers there has to show the
//! network's certificate. Off unless it is asked for: multicast rarely leaves a pod, and a cable is not always one's own.

use crate::readiness::Phase;
use mdns_sd::{IfKind, ResolvedService, ServiceDaemon, ServiceEvent, ServiceInfo};
use peerwright_engine::Address;
use peerwright_secure::PeerId;
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval, timeout},
};

/// What is looked for.
const SERVICE: &str = "_peerwright._tcp.local.";
/// The port that RFC 6762 has given it.
const PORT: u16 = 5353;
/// Who is announced is told again so often, for the engine forgets what has failed a few times.
const TELL_EVERY: Duration = Duration::from_secs(30);
/// Announced nodes that are remembered; further ones are passed over until one of these says goodbye.
const MOST_NODES: usize = 256;
/// Addresses of one of them.
const MOST_ADDRESSES: usize = 8;
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);
/// Hex digits of the peer id in a name: a label has 63 at most.
const NAME_DIGITS: usize = 32;

/// Whether and where nodes are looked for on the local cable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MulticastDns {
    /// On which cables.
    pub interfaces: Interfaces,
    /// The port of multicast DNS; all nodes of a cable have the same.
    pub port: u16,
}

impl From<Interfaces> for MulticastDns {
    fn from(interfaces: Interfaces) -> Self {
        Self { interfaces, port: PORT }
    }
}

/// Interfaces of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interfaces {
    /// None.
    Off,
    /// All but the loopback.
    All,
    /// Those of these names.
    Named(Vec<String>),
}

/// Announces this node and finds others, until the node drains or ends.
pub(crate) struct Nearby {
    /// Where.
    pub multicast_dns: MulticastDns,
    /// UID of the network: others' nodes are passed over.
    pub network: String,
    /// Who this node is.
    pub own: PeerId,
    /// Where it listens for peers.
    pub listening: SocketAddr,
    /// Takes all that is known, again and again.
    pub found: mpsc::Sender<Vec<Address>>,
    /// The announcement is withdrawn when this node drains.
    pub phase: watch::Receiver<Phase>,
}

impl Nearby {
    /// Runs until the node drains or the driver is gone. A cable that cannot be used is said once and otherwise not
    /// missed: seeds and exchange go on.
    pub(crate) async fn run(self) {
        if self.multicast_dns.interfaces == Interfaces::Off {
            return;
        }
        match self.begin() {
            Ok((daemon, name, events)) => {
                self.follow(&events).await;
                withdraw(&daemon, &name).await;
            }
            Err(error) => tracing::warn!(%error, "nodes nearby are neither told of this one nor found"),
        }
    }

    fn begin(&self) -> Result<(ServiceDaemon, String, mdns_sd::Receiver<ServiceEvent>), mdns_sd::Error> {
        let daemon = ServiceDaemon::new_with_port(self.multicast_dns.port)?;
        let service = self.service()?;
        match &self.multicast_dns.interfaces {
            Interfaces::Named(names) => {
                daemon.disable_interface(IfKind::All)?;
                daemon.enable_interface(names.iter().cloned().map(IfKind::Name).collect::<Vec<_>>())?;
            }
            Interfaces::Off | Interfaces::All => {
                daemon.disable_interface(vec![IfKind::LoopbackV4, IfKind::LoopbackV6])?;
            }
        }
        let name = service.get_fullname().to_owned();
        daemon.register(service)?;
        let events = daemon.browse(SERVICE)?;
        Ok((daemon, name, events))
    }

    /// What is announced: every address of the machine where the node listens on all, else the one that it listens on.
    fn service(&self) -> Result<ServiceInfo, mdns_sd::Error> {
        let peer = self.own.to_string();
        let instance: String = peer.chars().take(NAME_DIGITS).collect();
        let host = format!("{instance}.local.");
        let properties = [("network", self.network.as_str()), ("peer", peer.as_str())];
        let port = self.listening.port();
        match self.listening.ip() {
            ip if ip.is_unspecified() => {
                Ok(ServiceInfo::new(SERVICE, &instance, &host, "", port, &properties[..])?.enable_addr_auto())
            }
            ip => ServiceInfo::new(SERVICE, &instance, &host, ip, port, &properties[..]),
        }
    }

    async fn follow(&self, events: &mdns_sd::Receiver<ServiceEvent>) {
        let mut phase = self.phase.clone();
        let mut known: BTreeMap<String, Vec<Address>> = BTreeMap::new();
        let mut again = interval(TELL_EVERY);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = self.found.closed() => return,
                _ = phase.wait_for(|phase| matches!(phase, Phase::Draining | Phase::Failed)) => return,
                _ = again.tick() => {}
                event = events.recv_async() => match event {
                    Ok(ServiceEvent::ServiceResolved(service)) => self.resolved(&mut known, &service),
                    Ok(ServiceEvent::ServiceRemoved(_, name)) => {
                        known.remove(&name);
                        continue;
                    }
                    Ok(_) => continue,
                    Err(_) => return,
                },
            }
            let all: Vec<Address> = known.values().flatten().cloned().collect();
            if !all.is_empty() && self.found.send(all).await.is_err() {
                return;
            }
        }
    }

    fn resolved(&self, known: &mut BTreeMap<String, Vec<Address>>, service: &ResolvedService) {
        let own = self.own.to_string();
        let peer = service.get_property_val_str("peer");
        let is_other = peer.is_some_and(|peer| peer != own);
        let is_of_network = service.get_property_val_str("network") == Some(self.network.as_str());
        let name = service.get_fullname();
        if !is_other || !is_of_network || (known.len() >= MOST_NODES && !known.contains_key(name)) {
            return;
        }
        let mut hosts: Vec<IpAddr> = service.get_addresses().iter().map(mdns_sd::ScopedIp::to_ip_addr).collect();
        hosts.sort_unstable();
        hosts.truncate(MOST_ADDRESSES);
        let socket = |host| SocketAddr::new(host, service.get_port());
        let address = |host| Address { host: service.get_hostname().to_owned(), socket: socket(host) };
        let addresses: Vec<Address> = hosts.into_iter().map(address).collect();
        tracing::debug!(%name, count = addresses.len(), "a node nearby");
        known.insert(name.to_owned(), addresses);
    }
}

/// Says goodbye, and ends the daemon's thread.
async fn withdraw(daemon: &ServiceDaemon, name: &str) {
    if let Ok(told) = daemon.unregister(name) {
        let _unheard = timeout(GOODBYE, told.recv_async()).await.is_err();
    }
    if let Ok(ended) = daemon.shutdown() {
        let _late = timeout(GOODBYE, ended.recv_async()).await.is_err();
    }
}
