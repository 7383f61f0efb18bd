//! Whom this node talks to no more.

use arc_swap::ArcSwap;
use peerwright_secure::{BanSubject, Cidr, MemberCertificate, PeerId};
use peerwright_snapshot::Ban;
use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

/// The bans in force, from the snapshot and from this node. Read without a lock at every handshake.
#[derive(Debug, Default)]
pub struct Bans {
    snapshot: ArcSwap<Table>,
    local: ArcSwap<Table>,
    automatic: ArcSwap<Table>,
}

/// The bans of one source. At most as many as that source may have.
#[derive(Debug, Default)]
struct Table {
    bans: BTreeMap<BanSubject, Ban>,
    /// The banned ranges by their length, longest first: one look-up a length instead of one a range.
    lengths: Vec<u8>,
}

impl Table {
    fn new(bans: BTreeMap<BanSubject, Ban>) -> Self {
        let mut lengths: Vec<u8> = bans
            .keys()
            .filter_map(|subject| match subject {
                BanSubject::Range(range) => Some(range.length()),
                _ => None,
            })
            .collect();
        lengths.sort_unstable_by(|one, other| other.cmp(one));
        lengths.dedup();
        Self { bans, lengths }
    }

    fn names(&self, subject: &BanSubject, now: u64) -> bool {
        self.bans.get(subject).is_some_and(|ban| ban.is_in_force(now))
    }

    fn names_peer(&self, peer: &PeerId, now: u64) -> bool {
        self.names(&BanSubject::Peer(*peer), now)
    }

    fn names_member(&self, member: &MemberCertificate, now: u64) -> bool {
        self.names_peer(&member.peer_id, now)
            || self.names(&BanSubject::Fingerprint(member.fingerprint), now)
            || self.names(&BanSubject::Spiffe(member.spiffe.clone()), now)
    }

    fn names_address(&self, address: IpAddr, now: u64) -> bool {
        let ranges = self.lengths.iter().filter_map(|length| Cidr::around(address, *length).ok());
        ranges.into_iter().any(|range| self.names(&BanSubject::Range(range), now))
    }
}

impl Bans {
    /// Whether `member` is banned at `now`, unix seconds, by its id, its name or its certificate.
    #[must_use]
    pub fn is_banned(&self, member: &MemberCertificate, now: u64) -> bool {
        self.tables().any(|table| table.load().names_member(member, now))
    }

    /// Whether the snapshot bans `member` at `now`, unix seconds.
    #[must_use]
    pub fn is_banned_by_snapshot(&self, member: &MemberCertificate, now: u64) -> bool {
        self.snapshot.load().names_member(member, now)
    }

    /// Whether a ban names this peer id at `now`, unix seconds.
    #[must_use]
    pub fn is_peer_banned(&self, peer: &PeerId, now: u64) -> bool {
        self.tables().any(|table| table.load().names_peer(peer, now))
    }

    /// Whether the snapshot bans this peer id at `now`, unix seconds.
    #[must_use]
    pub fn is_peer_banned_by_snapshot(&self, peer: &PeerId, now: u64) -> bool {
        self.snapshot.load().names_peer(peer, now)
    }

    /// Whether strangers from `address` are banned at `now`, unix seconds. Members are exempt: ask this only about who
    /// has not proved to be one.
    #[must_use]
    pub fn is_range_banned(&self, address: IpAddr, now: u64) -> bool {
        self.tables().any(|table| table.load().names_address(address, now))
    }

    /// Puts the bans of a newer snapshot in force.
    pub fn replace_snapshot(&self, bans: BTreeMap<BanSubject, Ban>) {
        self.snapshot.store(Arc::new(Table::new(bans)));
    }

    /// Puts the bans of this node alone in force: they add to the snapshot's and never lift one.
    pub fn replace_local(&self, bans: BTreeMap<BanSubject, Ban>) {
        self.local.store(Arc::new(Table::new(bans)));
    }

    /// Puts the bans that this node has made by itself in force: they add to the others, too.
    pub fn replace_automatic(&self, bans: BTreeMap<BanSubject, Ban>) {
        self.automatic.store(Arc::new(Table::new(bans)));
    }

    fn tables(&self) -> impl Iterator<Item = &ArcSwap<Table>> {
        [&self.snapshot, &self.local, &self.automatic].into_iter()
    }
}
