//! Faults at work on a network that stands still.

use crate::{
    adversary::Adversary,
    event::{HostId, What},
    host::Host,
    network::Network,
    world::Hostile,
};
use peerwright_engine::{BanRecord, Micros};
use std::time::Duration;

/// One change of the world.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Partition(Vec<u8>),
    Mute(HostId),
    Deafen(HostId),
    HealCuts,
    Kill(HostId),
    PowerOff(HostId),
    Start(HostId),
    Pause(HostId, Duration),
    SetClock(HostId, i64),
    LoseCounter(HostId),
    TakeImage(HostId),
    RollBack(HostId),
    BreakConnection(HostId, usize),
    StoreFails(HostId, bool),
    Ban(HostId),
    Unban(HostId),
    Upgrade(HostId),
    Attack(HostId, Adversary),
}

/// Makes a change.
pub(crate) fn apply(network: &mut Network, change: Change) {
    match change {
        Change::Partition(sides) => network.world.cuts.sides = sides,
        Change::Mute(host) => network.world.cuts.mute.push(host),
        Change::Deafen(host) => network.world.cuts.deaf.push(host),
        Change::HealCuts => heal_cuts(network),
        Change::Kill(host) => network.with(host, |host, context| host.crash(context, false)),
        Change::PowerOff(host) => network.with(host, |host, context| host.crash(context, true)),
        Change::Start(host) => network.schedule(Duration::ZERO, host, What::Start),
        Change::Pause(host, duration) => network.with(host, |host, context| host.pause(context, duration)),
        Change::SetClock(host, ahead) => {
            network.with(host, |host, context| host.set_clock(context, ahead));
        }
        Change::LoseCounter(host) => network.host_mut(host).store.volume.incarnation = 0,
        Change::TakeImage(host) => take_image(network, host),
        Change::RollBack(host) => roll_back(network, host),
        Change::BreakConnection(host, choice) => {
            network.with(host, |host, context| host.break_connection(context, choice));
        }
        Change::StoreFails(host, fails) => network.host_mut(host).store.fails = fails,
        Change::Ban(host) => set_ban(network, host, true),
        Change::Upgrade(host) => network.host_mut(host).upgrade(),
        Change::Attack(host, adversary) => {
            let (peer, key) = (network.host(host).peer, network.host(host).key.public());
            network.world.hostile.push(Hostile { host, peer, key });
            network.with(host, |host, context| host.begin_attack(context, adversary));
        }
        Change::Unban(host) => set_ban(network, host, false),
    }
}

/// Ends every fault.
pub(crate) fn heal(network: &mut Network) {
    heal_cuts(network);
    for host in 0..network.world.hosts {
        network.host_mut(host).store.fails = false;
        network.host_mut(host).end_attack();
        apply(network, Change::Start(host));
        if !network.host(host).policy.bans.is_empty() {
            network.with(host, |host, context| {
                let policy = peerwright_engine::Policy { bans: Vec::new(), ..host.policy.clone() };
                host.set_policy(context, policy);
            });
        }
    }
}

fn heal_cuts(network: &mut Network) {
    network.world.cuts = crate::world::Cuts::default();
    for host in 0..network.world.hosts {
        network.with(host, Host::send_waiting);
    }
}

fn take_image(network: &mut Network, host: HostId) {
    let now = network.now;
    let host = network.host_mut(host);
    host.store.image = Some((now, Box::new(host.store.volume.clone())));
}

/// What was acknowledged since the image was taken may be lost.
fn roll_back(network: &mut Network, host: HostId) {
    let host = network.host_mut(host);
    let Some((taken, image)) = host.store.image.take() else { return };
    host.store.volume = *image;
    host.acknowledged.retain(|(_, at): &(u32, Micros)| *at < taken);
}

fn set_ban(network: &mut Network, banned: HostId, is_banned: bool) {
    let peer = network.host(banned).peer;
    for host in 0..network.world.hosts {
        network.with(host, |host, context| {
            let mut policy = host.policy.clone();
            policy.bans.retain(|ban| ban.subject != peer.into());
            if is_banned {
                policy.bans.push(BanRecord::of_peer(peer, None));
            }
            host.set_policy(context, policy);
        });
    }
}
