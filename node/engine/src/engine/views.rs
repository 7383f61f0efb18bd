//! What the engine shows of itself.

use super::Engine;
use crate::{
    AddressView, AdvertisementStatistics, AdvertisementView, BanStatistics, BanView, Direction, DirectoryStatistics,
    GossipStatistics, HolderView, HolderWord, LinkStatistics, MemberState, MemberStatistics, MemberView, PeerView,
    Readiness, RegisterView, ScoreView, ServiceStatus, Statistics, StoreStatistics, SubmitStatistics, SyncStatistics,
    membership::Known,
};
use peerwright_ledger::RegisterId;
use peerwright_secure::PeerId;
use std::{collections::BTreeMap, time::Duration};

impl Engine {
    /// Figures for metrics and people.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let taken = self.outbox.taken();
        Statistics {
            links: self.link_statistics(),
            submit: SubmitStatistics {
                queued: taken.transactions as u64,
                queued_bytes: taken.bytes as u64,
                ..self.counters.submit
            },
            gossip: GossipStatistics { verifying: self.candidates.count() as u64, ..self.gossip_gauges() },
            sync: SyncStatistics {
                missing: self.sync.missing(),
                fetching_bodies: self.fetches.count() as u64,
                ..self.counters.sync
            },
            bans: BanStatistics {
                in_force: self.offenders.banned(self.clock.wall(self.now).seconds()) as u64,
                ..self.counters.bans
            },
            store: StoreStatistics { queued: self.appends.queued() as u64, ..self.counters.store },
            members: self.member_statistics(),
            directory: DirectoryStatistics {
                contacts: self.directory.buckets.len() as u64,
                kept: self.directory.holders.len() as u64,
                ..self.counters.directory
            },
            advertisements: AdvertisementStatistics {
                told: self.advertised.len() as u64,
                heard: self.heard.len() as u64,
                peers: self.heard.peers() as u64,
                ..self.counters.advertisements
            },
        }
    }

    /// The part of the figures that is about members.
    #[must_use]
    pub fn member_statistics(&self) -> MemberStatistics {
        let count = |state| self.members.table.count(state) as u64;
        MemberStatistics {
            // This node is among them.
            alive: count(MemberState::Alive).saturating_sub(1),
            unreachable: count(MemberState::Unreachable),
            dead: count(MemberState::Dead),
            left: count(MemberState::Left),
            certified: self.members.certified.len() as u64,
            healthy: self.healthy_peers().0 as u64,
            status: self.detector.status,
            ..self.counters.members
        }
    }

    /// Members that this node knows, itself among them, ordered by peer id. Those that are dead or have left are not.
    #[must_use]
    pub fn members(&self) -> Vec<MemberView> {
        let index = self.members.table.index().lock();
        let known: Vec<_> = self.members.table.iter(&index).collect();
        drop(index);
        let view = |(peer, known): &(PeerId, Known)| MemberView {
            peer: *peer,
            key: known.record.key,
            own: self.members.is_own(known.number),
            incarnation: known.record.edition.incarnation,
            version: known.record.edition.version,
            role: known.record.role,
            address: known.record.address,
            state: known.state,
            certified: self.members.certified.contains(peer),
            healthy: self.members.certified.contains(peer) && self.is_healthy(peer),
        };
        known.iter().map(view).collect()
    }

    /// Whether there are enough healthy peers.
    #[must_use]
    pub fn service_status(&self) -> ServiceStatus {
        self.detector.status
    }

    fn link_statistics(&self) -> LinkStatistics {
        let (addresses, failing_addresses) = self.book.counts();
        let round_trips: Vec<Duration> = self.links.iter().filter_map(|(_, link)| link.round_trip).collect();
        let sum = round_trips.iter().sum::<Duration>().as_micros();
        let mean = sum.checked_div(round_trips.len() as u128).unwrap_or(0);
        LinkStatistics {
            outbound: self.links.count(Direction::Outbound) as u64,
            inbound: self.links.count(Direction::Inbound) as u64,
            active: self.overlay.neighbours.active().len() as u64,
            active_outbound: self.overlay.neighbours.outbound() as u64,
            passive: self.overlay.passive.len() as u64,
            addresses_new: self.book.table_counts().0 as u64,
            addresses_tried: self.book.table_counts().1 as u64,
            silent: self.links.iter().filter(|(_, link)| link.is_silent(self.now, &self.config.detection)).count()
                as u64,
            addresses: addresses as u64,
            dialling: self.book.dialling() as u64,
            failing_addresses: failing_addresses as u64,
            round_trip_micros: u64::try_from(mean).unwrap_or(u64::MAX),
            bans: self.bans.count() as u64,
            ..self.counters.links
        }
    }

    /// Peers with a live link, ordered by peer id.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerView> {
        let missing = |id| self.sync.links.get(&id).map_or(0, |sync| sync.wants.count());
        self.links.by_peer().map(|(id, link)| link.view(id, missing(id), self.is_active(id))).collect()
    }

    /// What this node thinks of the peers that it knows, ordered by peer id.
    #[must_use]
    pub fn scores(&self) -> Vec<ScoreView> {
        self.scores.views(self.now)
    }

    /// Known addresses, ordered by socket.
    #[must_use]
    pub fn addresses(&self) -> Vec<AddressView> {
        self.book.views()
    }

    /// Registers that this node holds, ordered by id.
    #[must_use]
    pub fn registers(&self) -> Vec<RegisterView> {
        let view = |register| RegisterView {
            register,
            messages: self.holdings.messages(&register),
            synced: self.ready.is_ready()
                && self.holdings.is_loaded(&register)
                && !self.sync.links.values().any(|link| link.lacks(&register)),
        };
        self.holdings.registers().map(view).collect()
    }

    /// What peers say they hold, ordered by peer and register. Those that are banned are left out.
    #[must_use]
    pub fn advertisements(&self) -> Vec<AdvertisementView> {
        let counts = self.heard.views(self.now, self.config.advertisements.expiry);
        counts.filter(|view| !self.bans.is_banned(&view.peer)).collect()
    }

    /// Who may hold a register, ordered by peer: those who say so to everybody, and of the linked peers those whose digest
    /// names it or whom the last search found. Those that are banned are left out.
    #[must_use]
    pub fn holders(&self, register: &RegisterId) -> Vec<HolderView> {
        let linked = self.links.by_peer().filter(|(id, link)| {
            let has_named = self.sync.links.get(id).is_some_and(|sync| sync.has_named(register));
            has_named || self.directory.has_found(register, &link.peer)
        });
        let mut words: BTreeMap<PeerId, HolderWord> = linked.map(|(_, link)| (link.peer, HolderWord::Named)).collect();
        let heard = self.heard.of(self.now, self.config.advertisements.expiry, register);
        words.extend(heard.map(|(peer, row)| (peer, HolderWord::of(row))));
        words.retain(|peer, _| !self.bans.is_banned(peer));
        words.into_iter().map(|(peer, word)| HolderView { peer, word }).collect()
    }

    /// Bans in force, ordered by subject.
    #[must_use]
    pub fn bans(&self) -> Vec<BanView> {
        self.bans.views()
    }

    /// Whether this node may serve.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        self.ready.readiness(|| self.sync.missing())
    }
}
