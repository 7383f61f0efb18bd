//! What the policy controller found about each network, for those who write statuses.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use peerwright_snapshot::Version;
use tokio::{sync::watch, time::Instant};

use crate::policy::{BanSource, BanVerdict, Published, SubscriptionVerdict};

/// Something that keeps a network from being what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Reason of the condition that it makes.
    pub reason: &'static str,
    /// What it is, for people.
    pub message: String,
    /// Trying again does not help: a person must act.
    pub permanent: bool,
}

/// What was found about one network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finding {
    /// Fingerprint of the network's authority.
    pub fingerprint: Option<String>,
    /// Why the authority is not to be had.
    pub identity_problem: Option<Problem>,
    /// Why trust or snapshot are not as they should be.
    pub policy_problem: Option<Problem>,
    /// What became of each ban.
    pub bans: BTreeMap<BanSource, BanFinding>,
    /// What became of each subscription, by UID: another one may have taken its name since.
    pub subscriptions: BTreeMap<String, SubscriptionVerdict>,
    /// The first snapshot that orders each purge, of those that this replica has seen.
    pub purges: BTreeMap<[u8; 16], Version>,
    /// Generation of the network that the snapshot in force goes by.
    pub generation: Option<i64>,
    /// The snapshot in force.
    pub published: Option<Arc<Published>>,
    /// When this replica published it; nothing when it was found.
    pub published_at: Option<Instant>,
}

/// What was found about one ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanFinding {
    /// UID of the `PeerBan`, or node of the entry of `spec.bans`, that this is about: another one may have taken its name
    /// since.
    pub of: Option<String>,
    /// What became of it.
    pub verdict: BanVerdict,
    /// The first snapshot that contains it, of those that this replica has seen.
    pub contained_since: Option<Version>,
}

impl Finding {
    /// The version of the snapshot in force.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.published.as_ref().map(|published| published.version())
    }

    /// Dates the bans and the snapshot of this finding by the one before it.
    pub fn dated(mut self, before: Option<&Self>, now: Instant) -> Self {
        let version = self.version();
        let known = before.filter(|before| before.published.is_some());
        self.published_at = match known {
            Some(before) if before.version() == version => before.published_at,
            Some(_) => Some(now),
            None => None,
        };
        let since = |register: &[u8; 16]| before.and_then(|before| before.purges.get(register)).copied().or(version);
        let ordered = self.published.iter().flat_map(|published| &published.snapshot.content.purges);
        self.purges = ordered.filter_map(|register| Some((*register, since(register)?))).collect();
        for (source, ban) in &mut self.bans {
            let contained = matches!(&ban.verdict, BanVerdict::Accepted { subject }
                if self.published.as_ref().is_some_and(|published| published.snapshot.content.bans.contains_key(subject)));
            let before = before.and_then(|before| before.bans.get(source)).filter(|before| before.of == ban.of);
            let since = before.and_then(|before| before.contained_since);
            ban.contained_since = if contained { since.or(version) } else { None };
        }
        self
    }
}

/// What was found about every network, by UID.
#[derive(Debug, Default)]
pub struct Findings {
    by_network: Mutex<HashMap<String, Arc<Finding>>>,
    changes: watch::Sender<()>,
}

impl Findings {
    /// What was found about a network.
    #[must_use]
    pub fn get(&self, network_uid: &str) -> Option<Arc<Finding>> {
        self.lock().get(network_uid).cloned()
    }

    /// Replaces what was found; gives what was found before.
    pub fn put(&self, network_uid: &str, finding: Arc<Finding>) -> Option<Arc<Finding>> {
        let before = self.lock().insert(network_uid.to_owned(), finding);
        self.changes.send_replace(());
        before
    }

    /// Forgets a network that is gone.
    pub fn forget(&self, network_uid: &str) {
        self.lock().remove(network_uid);
        self.changes.send_replace(());
    }

    /// Returns once `enough` says so of what was found, looking whenever that changes.
    pub async fn wait_until(&self, enough: impl Fn(&HashMap<String, Arc<Finding>>) -> bool) {
        let mut changes = self.changes.subscribe();
        // The sender lives as long as this does: waiting cannot fail.
        while !enough(&self.lock()) && changes.changed().await.is_ok() {}
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Finding>>> {
        self.by_network.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use peerwright_secure::PeerId;
    use peerwright_snapshot::{Ban, Content, Snapshot};

    use super::*;

    fn peer(n: u8) -> PeerId {
        PeerId::from_bytes([n; 32])
    }

    #[tokio::test]
    async fn who_waits_sees_every_change() {
        let findings = Findings::default();
        let mut waiting = std::pin::pin!(findings.wait_until(|found| found.len() == 1 && found.contains_key("b")));
        assert!(waiting.as_mut().now_or_never().is_none());
        findings.put("a", Arc::default());
        findings.put("b", Arc::default());
        assert!(waiting.as_mut().now_or_never().is_none());
        findings.forget("a");
        assert!(waiting.as_mut().now_or_never().is_some());
    }

    fn finding(revision: u64, contained: &[u8], accepted: &[u8]) -> Finding {
        let bans = contained.iter().map(|n| (peer(*n).into(), Ban::default())).collect();
        let content = Content { bans, ..Content::default() };
        let snapshot = Snapshot { network_uid: "uid".into(), epoch: 1, revision, content };
        let published =
            Published { snapshot, digest: [0; 32], content_digest: [0; 32], bytes: bytes::Bytes::default() };
        let verdicts = accepted.iter().map(|n| {
            let verdict = BanVerdict::Accepted { subject: peer(*n).into() };
            (BanSource::PeerBan(format!("ban-{n}")), BanFinding { of: None, verdict, contained_since: None })
        });
        Finding { published: Some(Arc::new(published)), bans: verdicts.collect(), ..Finding::default() }
    }

    fn since(finding: &Finding, n: u8) -> Option<u64> {
        let version = finding.bans[&BanSource::PeerBan(format!("ban-{n}"))].contained_since?;
        Some(version.revision)
    }

    #[test]
    fn a_ban_counts_from_the_first_snapshot_that_contains_it() {
        let now = Instant::now();
        let first = finding(4, &[1], &[1, 2]).dated(None, now);
        assert_eq!((since(&first, 1), since(&first, 2)), (Some(4), None), "a deferred ban is accepted, not in force");
        let second = finding(5, &[1, 2], &[1, 2]).dated(Some(&first), now);
        assert_eq!((since(&second, 1), since(&second, 2)), (Some(4), Some(5)));
        let unbanned = finding(6, &[2], &[2]).dated(Some(&second), now);
        let again = finding(7, &[1, 2], &[1, 2]).dated(Some(&unbanned), now);
        assert_eq!(since(&again, 1), Some(7));
    }

    #[test]
    fn a_purge_counts_from_the_first_snapshot_that_orders_it() {
        let now = Instant::now();
        let ordering = |revision, purges: &[u8]| {
            let content = Content { purges: purges.iter().map(|byte| [*byte; 16]).collect(), ..Content::default() };
            let snapshot = Snapshot { network_uid: "uid".into(), epoch: 1, revision, content };
            let published =
                Published { snapshot, digest: [0; 32], content_digest: [0; 32], bytes: bytes::Bytes::default() };
            Finding { published: Some(Arc::new(published)), ..Finding::default() }
        };
        let since = |finding: &Finding, byte: u8| finding.purges.get(&[byte; 16]).map(|version| version.revision);
        let first = ordering(4, &[1]).dated(None, now);
        let second = ordering(5, &[1, 2]).dated(Some(&first), now);
        assert_eq!((since(&second, 1), since(&second, 2)), (Some(4), Some(5)));
        let done = ordering(6, &[2]).dated(Some(&second), now);
        let again = ordering(7, &[1, 2]).dated(Some(&done), now);
        assert_eq!((since(&done, 1), since(&again, 1)), (None, Some(7)));
    }

    #[test]
    fn only_what_this_replica_published_has_a_time() {
        let now = Instant::now();
        let found = finding(4, &[], &[]).dated(None, now);
        assert_eq!(found.published_at, None);
        let published = finding(5, &[], &[]).dated(Some(&found), now);
        assert_eq!(published.published_at, Some(now));
        let kept = finding(5, &[], &[]).dated(Some(&published), now + std::time::Duration::from_secs(9));
        assert_eq!(kept.published_at, Some(now));
    }
}
