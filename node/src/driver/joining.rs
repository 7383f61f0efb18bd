//! Before this node is a member: there is no engine, and what is asked is answered without.

use super::{Clock, Command, DriverParts, command};
use crate::member::Standing;
use peerwright_engine::{Address, BanRecord, Engine, ServiceStatus, SubmitRefusal};

/// What was said before there was an engine.
#[derive(Default)]
pub(super) struct Before {
    pub(super) local_bans: Vec<BanRecord>,
    pub(super) addresses: Vec<Address>,
}

/// Answers what can be answered without an engine, until this node is a member; `None` when there is nothing left to
/// drive.
pub(super) async fn wait_for_membership(parts: &mut DriverParts) -> Option<Before> {
    let mut before = Before::default();
    let mut snapshots = parts.membership.watch_snapshot();
    let mut certificates = parts.membership.watch_certificate();
    loop {
        // A banned node has what it needs as well: it keeps what it holds and finds nobody who talks to it.
        if parts.membership.snapshot().is_some() && parts.membership.standing() != Standing::Waiting {
            return Some(before);
        }
        tokio::select! {
            biased;
            command = parts.commands.recv() => match command? {
                // Whoever asked may have left.
                Command::Submit { reply, .. } => {
                    let _ = reply.send(Err(match parts.membership.standing() {
                        Standing::Banned => SubmitRefusal::Banned,
                        Standing::Waiting | Standing::Member => SubmitRefusal::WaitingForOperator,
                    }));
                }
                Command::LocalBans { bans, done } => {
                    before.local_bans = bans;
                    let _ = done.send(());
                }
                // It has banned and dialled nobody yet.
                Command::LiftAutoBan { done, .. } => {
                    let _ = done.send(());
                }
                // It asks nobody for dockets yet, and will read in the store what is gone.
                Command::Misbehaved { .. } | Command::LetGo { .. } => {}
                Command::ResetFailures { reply, .. } => {
                    let _ = reply.send(0);
                }
                Command::View { reply } => {
                    let breakers = parts.dialler.paths().statistics();
                    drop(reply.send(command::view(&Engine::new(parts.config.clone()), breakers, Clock::wall())));
                }
                Command::Members { reply } => drop(reply.send((ServiceStatus::Offline, Vec::new()))),
                Command::Advertisements { reply } => drop(reply.send(Vec::new())),
                Command::Holders { reply, .. } => drop(reply.send(Vec::new())),
                Command::Drain { done } => {
                    let _ = done.send(());
                }
            },
            changed = snapshots.changed() => changed.ok()?,
            changed = certificates.changed() => changed.ok()?,
            Some(found) = parts.addresses.recv() => before.addresses = found,
            // Without a leaf no peer gets in.
            Some(_) = parts.link_events.recv() => {}
        }
    }
}
