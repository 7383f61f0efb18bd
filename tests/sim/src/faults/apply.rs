//! Faults at work on a network that stands still.

use crate::{
    adversary::Adversary,
    event::{HostId, What},
    host::Host,
    network::Network,
    store::Volume,
    world::{Hostile, RARE},
};
use peerwright_engine::{BanRecord, Micros};
use std::time::Duration;

/// When a clone publishes something.
const CLONE_PUBLISHES: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(8), Duration::from_secs(20)];

/// One change of the world.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Partition(Vec<u8>),
    Mute(HostId),
    Deafen(HostId),
    HealCuts,
    Drain(HostId),
    Kill(HostId),
    PowerOff(HostId),
    Start(HostId),
    Pause(HostId, Duration),
    SetClock(HostId, i64),
    LoseCounter(HostId),
    TakeImage(HostId),
    RollBack(HostId),
    BreakConnection(HostId, usize),
    Echo(HostId, usize),
    Detour(HostId, Duration),
    StoreFails(HostId, bool),
    Ban(HostId),
    Unban(HostId),
    Upgrade(HostId),
    Subscribe(HostId),
    Attack(HostId, Adversary),
    Clone { host: HostId, with_volume: bool },
    EndClone,
}

/// Makes a change.
pub(crate) fn apply(network: &mut Network, change: Change) {
    match change {
        Change::Partition(sides) => network.world.cuts.sides = sides,
        Change::Mute(host) => network.world.cuts.mute.push(host),
        Change::Deafen(host) => network.world.cuts.deaf.push(host),
        Change::HealCuts => heal_cuts(network),
        Change::Drain(host) => network.with(host, Host::drain),
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
            network.with(host, |host, context| host.break_connection(context, choice, false));
        }
        Change::Echo(host, choice) => {
            network.with(host, |host, context| host.break_connection(context, choice, true));
        }
        Change::Detour(host, longer) => network.world.cuts.detours.push((host, longer)),
        Change::StoreFails(host, fails) => network.host_mut(host).store.fails = fails,
        Change::Ban(host) => set_ban(network, host, true),
        Change::Subscribe(host) => network.with(host, |host, context| {
            let mut policy = host.policy.clone();
            policy.registers.push(RARE);
            host.set_policy(context, policy);
        }),
        Change::Upgrade(host) => network.host_mut(host).upgrade(),
        Change::Attack(host, adversary) => {
            let (peer, key) = (network.host(host).peer, network.host(host).key.public());
            network.world.hostile.push(Hostile { host, peer, key });
            network.with(host, |host, context| host.begin_attack(context, adversary));
        }
        Change::Unban(host) => set_ban(network, host, false),
        Change::Clone { host, with_volume } => clone(network, host, with_volume),
        Change::EndClone => {
            if let Some(spare) = network.world.spare() {
                network.with(spare, |host, context| host.crash(context, false));
            }
        }
    }
}

/// Ends every fault.
pub(crate) fn heal(network: &mut Network) {
    heal_cuts(network);
    apply(network, Change::EndClone);
    for host in 0..network.world.options.nodes {
        network.host_mut(host).store.fails = false;
        network.host_mut(host).end_attack();
        network.with(host, Host::end_draining);
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

/// The spare host becomes a second one with this host's identity, unless it is another's already.
fn clone(network: &mut Network, original: HostId, with_volume: bool) {
    let Some(spare) = network.world.spare().filter(|spare| network.host(*spare).engine.is_none()) else { return };
    let (key, policy) = (network.host(original).key.clone(), network.host(original).policy.clone());
    let volume = if with_volume { network.host(original).store.volume.clone() } else { Volume::default() };
    network.world.doubled.push(key.public());
    network.host_mut(spare).become_clone(key, policy, volume);
    network.schedule(Duration::ZERO, spare, What::Start);
    for later in CLONE_PUBLISHES {
        network.schedule(later, spare, What::PublishOnce);
    }
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
