//! Who is a member: signed records, spread to everybody, compared in ranges.
//!
//! ```text
//!   a frame of records ──▶ sight: known, older, newer? ──▶ verifier ──▶ table ──▶ event
//!                            │ one look-up each                          │
//!                            ▼                                           ▼
//!                    which link has it already  ◀──────────────────  spread: each edition once,
//!                                                                    to the links that lack it
//!   a link is up, or some seconds have passed ──▶ reconcile: sums of ranges, then what differs
//! ```
//!
//! Few records are passed on whole, so that news has no way to go twice. When many wait, as while a whole network starts,
//! each copy of a record is a fingerprint of eight bytes, an *offer*, and the record itself comes once, from the first
//! neighbour who offers it:
//!
//! ```text
//!   A: many wait ──▶ offer: fingerprints of all that B has not offered ──▶ B: known? then A has it, too
//!   A: records   ◀── want: those that are neither known nor under way ◀──┘
//! ```
//!
//! What does not come within [`WANT_PATIENCE`](crate::bounds::WANT_PATIENCE), or was asked of a link that has ended, is
//! found by a comparison with another neighbour, so that who offers and does not give only costs that time. A node that
//! knows more members than are passed on whole says by an empty offer that it takes them; whoever does not say so is sent
//! records, as many as a batch holds. While
//! much is under way comparisons wait: they would find, at great length, what is about to come.
//!
//! A record is believed when its member signed it. It makes the member *known*: it may be dialled, and is watched. The
//! member is *certified* for this node once its leaf was checked here, at the handshake of a link. That does not travel:
//! a neighbour's word for it would be worth as much as the worst of all neighbours, and what counts members (the least
//! number of healthy peers) asks whom this node itself can talk to.

mod index;
mod reconcile;
mod record;
mod settings;
mod spread;
mod statement;
mod table;
#[cfg(test)]
mod tests;
mod verifying;
mod wanted;

pub use index::MemberIndex;
pub use settings::MembershipSettings;
pub use statement::Statement;
pub use table::MemberState;

pub(crate) use reconcile::{HALF, Item, Sums, halves, unequal};
pub(crate) use record::{Edition, MemberRecord, SIGNATURE_BYTES, Status, fingerprint, sealed};
pub(crate) use spread::Spread;
pub(crate) use table::{Known, Sight, Table};
pub(crate) use verifying::{Job, Pledge, Verifying};
pub(crate) use wanted::Wanted;

use crate::{LinkId, Micros, Role, bounds::SPREAD_WHOLE, random::Random};
use bytes::Bytes;
use peerwright_secure::{NodeKey, PeerId};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

/// The longest statement, a record or an accusation.
pub(crate) const MAX_STATEMENT_BYTES: usize = 160;

/// What this node says of itself.
#[derive(Debug)]
pub(crate) struct Own {
    pub record: MemberRecord,
    pub number: u32,
}

/// A comparison by which this node, a newcomer, catches up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Session {
    pub link: LinkId,
    /// It has ended when nothing of it was heard until then.
    pub until: Micros,
}

/// All that is known of members.
#[derive(Debug)]
pub(crate) struct Members {
    pub table: Table,
    pub spread: Spread,
    pub wanted: Wanted,
    /// Neighbours have heard that they may offer records: more are known than are ever passed on whole.
    pub takes_offers: bool,
    pub verifying: Verifying,
    /// Whose leaf was checked here.
    pub certified: BTreeSet<PeerId>,
    /// Ids that the operator has retired.
    pub retired: BTreeSet<PeerId>,
    /// `None` before the engine's first input.
    pub own: Option<Own>,
    pub session: Option<Session>,
    /// When this node compares with a neighbour by itself.
    pub next_comparison: Micros,
    /// Links to be compared with once this node's own catching up has ended, and what is under way has come.
    pub fresh: BTreeSet<LinkId>,
    /// Until then comparisons wait for nothing: nobody keeps a node from them by offering it something all the time.
    pub insists_until: Micros,
    /// Comparisons in a row that found nothing.
    pub equal: u32,
    /// Records that each link was served in the present interval.
    pub served: BTreeMap<LinkId, usize>,
}

/// A member drawn by lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    pub peer: PeerId,
    pub role: Role,
    pub state: MemberState,
    pub address: Option<SocketAddr>,
}

impl Members {
    pub(crate) fn new(index: MemberIndex, settings: &MembershipSettings) -> Self {
        Self {
            table: Table::new(index, settings.capacity),
            spread: Spread::default(),
            wanted: Wanted::default(),
            takes_offers: false,
            verifying: Verifying::default(),
            certified: BTreeSet::new(),
            retired: BTreeSet::new(),
            own: None,
            session: None,
            next_comparison: Micros(0),
            fresh: BTreeSet::new(),
            insists_until: Micros(0),
            equal: 0,
            served: BTreeMap::new(),
        }
    }

    /// Signs and puts what this node says of itself from now on. Gives the member's number and the record's fingerprint.
    pub(crate) fn declare(&mut self, record: MemberRecord, key: &NodeKey) -> (u32, u64) {
        let bytes: Bytes = record.sign(key);
        let fingerprint = fingerprint(&bytes);
        let (number, _) = self.table.put(record, &bytes, fingerprint);
        self.own = Some(Own { record, number });
        (number, fingerprint)
    }

    /// Whether so much is under way between neighbours that a comparison would bring much of it twice, and is to wait.
    pub(crate) fn is_flooded(&self, now: Micros) -> bool {
        now >= self.insists_until && (!self.wanted.is_empty() || self.spread.waiting() > SPREAD_WHOLE)
    }

    /// Whether a member is this node.
    pub(crate) fn is_own(&self, number: u32) -> bool {
        self.own.as_ref().is_some_and(|own| own.number == number)
    }

    /// Up to `count` different members drawn by lot among those that are not gone, this node aside, and that `accepts`.
    /// Costs a few look-ups each, however many members there are; the order of arrival of records plays no part.
    pub(crate) fn random_members(
        &self,
        random: &mut Random,
        count: usize,
        accepts: impl Fn(&Sample) -> bool,
    ) -> Vec<Sample> {
        let index = self.table.index().lock();
        let mut drawn: Vec<Sample> = Vec::new();
        // Of many that are not accepted few tries find all that are; whoever asks will ask again.
        for _ in 0..count.saturating_mul(4).saturating_add(8) {
            if drawn.len() == count {
                break;
            }
            let mut rank = random.below(self.table.present() as u64);
            let bucket = (0..=u8::MAX).find(|bucket| {
                let within = u64::from(self.table.bucket(*bucket).1);
                let found = rank < within;
                if !found {
                    rank -= within;
                }
                found
            });
            let skip = usize::try_from(rank).unwrap_or(usize::MAX);
            let Some((peer, number, _)) = bucket.and_then(|bucket| self.table.of_bucket(&index, bucket).nth(skip))
            else {
                continue;
            };
            let Some(known) = self.table.known(&index, number).filter(|_| !self.is_own(number)) else { continue };
            let sample = Sample { peer, role: known.record.role, state: known.state, address: known.record.address };
            if !drawn.iter().any(|other| other.peer == peer) && accepts(&sample) {
                drawn.push(sample);
            }
        }
        drawn
    }

    /// The nearest `count` of `looked_at` members, by `distance`, that are not gone, this node aside, and that `accepts`, with
    /// their distances, the nearest first. Those are looked at whose ids begin with the byte `first` or a later one.
    pub(crate) fn nearest_members(
        &self,
        first: u8,
        looked_at: usize,
        count: usize,
        distance: impl Fn(&PeerId) -> u64,
        accepts: impl Fn(&Sample) -> bool,
    ) -> Vec<(u64, Sample)> {
        let index = self.table.index().lock();
        let buckets = (0..=u8::MAX).map(|bucket| first.wrapping_add(bucket));
        let members = buckets.flat_map(|bucket| self.table.of_bucket(&index, bucket)).take(looked_at);
        let mut near: Vec<_> = members.map(|(peer, number, _)| (distance(&peer), peer, number)).collect();
        near.sort_unstable();
        let samples =
            near.into_iter().filter(|(_, _, number)| !self.is_own(*number)).filter_map(|(far, peer, number)| {
                let Known { record, state, .. } = self.table.known(&index, number)?;
                let sample = Sample { peer, role: record.role, state, address: record.address };
                accepts(&sample).then_some((far, sample))
            });
        samples.take(count).collect()
    }
}
