//! What a snapshot means to this node: settings, bans, registers.

use super::Driver;
use crate::{
    member::InForce,
    settings::{NodeSettings, SettingNotTaken},
};
use peerwright_engine::{Audience, BanRecord, Input, Policy, Protection, Role};
use peerwright_ledger::RegisterId;
use peerwright_secure::PeerId;
use peerwright_snapshot::{Content, NodeRole};
use std::{collections::BTreeMap, sync::Arc};

impl Driver {
    pub(super) fn take_policy(&mut self, current: Option<Arc<InForce>>) {
        if let Some(current) = current {
            let content = &current.snapshot.content;
            let (mut settings, not_taken) = self.own_settings.with(&content.settings);
            if let Some((_, group)) = content.group_of(self.membership.spiffe().node()) {
                settings.engine.role = role(group.role);
            }
            self.tell_not_taken(not_taken);
            self.rates.tune(settings.rates);
            self.dialler.paths().tune(settings.links.clone());
            self.registers.tune(settings.replication, settings.outbox);
            let sealing = settings.sealing.clone();
            self.sealing.send_if_modified(|known| known.replace(sealing.clone()).as_ref() != Some(&sealing));
            let hub = settings.hub;
            self.hub.send_if_modified(|known| std::mem::replace(known, hub) != hub);
            let (node, own) = (self.membership.spiffe().node(), self.membership.peer_id());
            let mut policy = policy(content, node, &own, settings);
            let is_private = |register: &&RegisterId| !self.registers.advertised.is_public(register);
            let private = policy.registers.iter().filter(is_private);
            policy.private = private.map(|register| (*register, audience(content, *register))).collect();
            self.take(Input::Policy(policy));
            let readiness = self.engine.readiness();
            self.readiness.send_if_modified(|known| known.replace(readiness) != Some(readiness));
        }
    }

    /// Says what is not taken of the network's settings, once.
    fn tell_not_taken(&mut self, not_taken: Vec<SettingNotTaken>) {
        self.telemetry.settings_not_taken(not_taken.len());
        for refused in not_taken.iter().filter(|refused| !self.not_taken.contains(refused)) {
            tracing::warn!("a setting of the network is not taken: {refused}");
        }
        self.not_taken = not_taken;
    }
}

/// What a node of a group is to its network.
const fn role(role: NodeRole) -> Role {
    match role {
        NodeRole::Peer => Role::Peer,
        NodeRole::Hub => Role::Hub,
        NodeRole::Router => Role::Router,
        NodeRole::Edge => Role::Edge,
    }
}

/// Whom no node bans by itself. A hub that seals is a sealer.
fn protected(content: &Content) -> BTreeMap<PeerId, Protection> {
    let hubs = content.hubs.iter().map(|hub| (*hub, Protection::Hub));
    hubs.chain(content.sealers.iter().map(|sealer| (*sealer, Protection::Sealer))).collect()
}

/// Who may hear of a register that this node does not advertise.
fn audience(content: &Content, register: RegisterId) -> Audience {
    content.groups_of(register.as_bytes()).map_or(Audience::Network, Audience::Groups)
}

/// What the snapshot means to the engine of `node`, whose id is `own`.
pub(super) fn policy(content: &Content, node: &str, own: &PeerId, settings: NodeSettings) -> Policy {
    Policy {
        bans: content
            .bans
            .iter()
            .map(|(subject, ban)| BanRecord { subject: subject.clone(), expires_at: ban.expires_at })
            .collect(),
        retired: content.retired.iter().copied().collect(),
        groups: content.groups.iter().map(|(name, group)| (name.clone(), group.nodes as usize)).collect(),
        protected: protected(content),
        registers: content.gossiped_by(node, own).map(|register| RegisterId::from_bytes(*register)).collect(),
        // A choice of this node and not of the snapshot.
        private: BTreeMap::new(),
        limits: settings.limits,
        tuning: Some(Box::new(settings.engine)),
    }
}
