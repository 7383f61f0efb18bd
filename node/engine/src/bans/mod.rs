//! Who no link is kept with. A ban is a record, never a score: it holds until it is lifted or its time is over.
//!
//! ```text
//! snapshot ── Policy ─────▶ policy ────┐
//! REST ────── LocalBans ──▶ node ──────┼─▶ banned = in any and not expired
//! offences ── AutoBans ───▶ automatic ─┘
//! ```
//!
//! A peer id is known before a link is; the name and the certificate that a ban may name instead are known once a link is
//! up, and whoever dials learns of such a ban in the handshake. Ranges of addresses are kept for their expiry and to be
//! shown: they are about strangers, who never have a link. Automatic bans name peer ids alone.
//!
//! How many there can be is the snapshot's limit for the first, the driver's for the second and the engine's for the third.

use crate::{BanRecord, BanView, PeerCertificate};
use peerwright_secure::{BanSubject, PeerId};
use std::collections::BTreeMap;

/// Who ordered a ban.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BanSource {
    /// The snapshot.
    Policy,
    /// This node's own moderator.
    Node,
    /// What the peer did to this node.
    Automatic,
}

/// What a change of the lists means for peers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct BanChanges {
    /// Subjects that were not banned before.
    pub banned: Vec<BanRecord>,
    /// Subjects that are not banned any more.
    pub unbanned: Vec<BanSubject>,
}

type Ends = BTreeMap<BanSubject, Option<u64>>;

/// The bans in force.
#[derive(Debug, Default)]
pub(crate) struct Bans {
    policy: Ends,
    node: Ends,
    automatic: Ends,
}

impl Bans {
    /// Replaces the whole list of one source. Records that have expired by `wall_seconds` are left out; of several for
    /// one subject the longest counts.
    pub(crate) fn replace(&mut self, source: BanSource, records: &[BanRecord], wall_seconds: u64) -> BanChanges {
        let before = self.all();
        let list = match source {
            BanSource::Policy => &mut self.policy,
            BanSource::Node => &mut self.node,
            BanSource::Automatic => &mut self.automatic,
        };
        list.clear();
        for record in records.iter().filter(|record| !is_over(record.expires_at, wall_seconds)) {
            list.entry(record.subject.clone())
                .and_modify(|expires_at| *expires_at = later(*expires_at, record.expires_at))
                .or_insert(record.expires_at);
        }
        self.changes_since(&before)
    }

    /// Ends the bans whose time is over.
    pub(crate) fn expire(&mut self, wall_seconds: u64) -> Vec<BanSubject> {
        let before = self.all();
        for list in [&mut self.policy, &mut self.node, &mut self.automatic] {
            list.retain(|_, expires_at| !is_over(*expires_at, wall_seconds));
        }
        self.changes_since(&before).unbanned
    }

    /// Whether a ban names this peer id.
    pub(crate) fn is_banned(&self, peer: &PeerId) -> bool {
        self.is_named(&BanSubject::Peer(*peer))
    }

    /// Whether a ban names this peer, by its id or by what its certificate says.
    pub(crate) fn covers(&self, peer: &PeerId, certificate: Option<&PeerCertificate>) -> bool {
        self.is_banned(peer)
            || certificate.is_some_and(|certificate| {
                self.is_named(&BanSubject::Fingerprint(certificate.fingerprint))
                    || self.is_named(&BanSubject::Spiffe(certificate.spiffe.clone()))
            })
    }

    fn is_named(&self, subject: &BanSubject) -> bool {
        self.lists().any(|list| list.contains_key(subject))
    }

    /// The earliest end of a ban, Unix seconds.
    pub(crate) fn next_expiry(&self) -> Option<u64> {
        self.lists().flat_map(BTreeMap::values).flatten().min().copied()
    }

    pub(crate) fn count(&self) -> usize {
        self.all().len()
    }

    /// The bans in force, by subject.
    pub(crate) fn views(&self) -> Vec<BanView> {
        let view = |(subject, expires_at): (BanSubject, Option<u64>)| BanView {
            expires_at,
            by_policy: self.policy.contains_key(&subject),
            by_node: self.node.contains_key(&subject),
            automatic: self.automatic.contains_key(&subject),
            subject,
        };
        self.all().into_iter().map(view).collect()
    }

    fn lists(&self) -> impl Iterator<Item = &Ends> {
        [&self.policy, &self.node, &self.automatic].into_iter()
    }

    fn all(&self) -> Ends {
        let mut all = self.policy.clone();
        for (subject, expires_at) in self.node.iter().chain(&self.automatic) {
            all.entry(subject.clone()).and_modify(|known| *known = later(*known, *expires_at)).or_insert(*expires_at);
        }
        all
    }

    fn changes_since(&self, before: &Ends) -> BanChanges {
        let after = self.all();
        BanChanges {
            banned: after
                .iter()
                .filter(|(subject, _)| !before.contains_key(subject))
                .map(|(subject, expires_at)| BanRecord { subject: subject.clone(), expires_at: *expires_at })
                .collect(),
            unbanned: before.keys().filter(|subject| !after.contains_key(subject)).cloned().collect(),
        }
    }
}

fn is_over(expires_at: Option<u64>, wall_seconds: u64) -> bool {
    expires_at.is_some_and(|expires_at| expires_at <= wall_seconds)
}

/// The later of two ends; no end is the latest.
fn later(first: Option<u64>, second: Option<u64>) -> Option<u64> {
    first.zip(second).map(|(first, second)| first.max(second))
}

#[cfg(test)]
mod tests;
