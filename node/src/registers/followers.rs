//! How many clients follow, whose they are, and that they end when the node does, as members do that follow; and when a sealer
//! that hears of nothing new sends members to another.

use crate::limits::Asker;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use thiserror::Error;
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// Most who follow this node at once.
pub const MAX_FOLLOWERS: usize = 512;
/// Most of them for one identity.
pub const MAX_FOLLOWERS_OF_ONE: usize = 16;

/// An election is over within less: a sealer that nobody leads for so long may be cut off from the others.
const LEADERLESS: Duration = Duration::from_secs(2);

/// There is no room for one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FollowersFull {
    /// On this node.
    #[error("{MAX_FOLLOWERS} clients follow this node already; ask another")]
    Node,
    /// For this identity.
    #[error("this identity follows {MAX_FOLLOWERS_OF_ONE} times already; end one of these, or ask another node")]
    Identity,
}

impl FollowersFull {
    /// On the wire and as a metric label.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Node => "followers_full",
            Self::Identity => "too_many_follows",
        }
    }
}

/// All who follow.
#[derive(Debug, Default)]
pub struct Followers {
    table: Mutex<Table>,
    ending: CancellationToken,
    /// Since when this node is to seal and nobody leads it.
    leaderless: watch::Sender<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Table {
    count: usize,
    by_asker: BTreeMap<Asker, usize>,
}

/// A place among them, given up when it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    followers: Arc<Followers>,
    asker: Option<Asker>,
}

impl Followers {
    /// A place for one more; who is nobody in particular has no share of its own.
    pub(crate) fn enter(self: &Arc<Self>, asker: Option<Asker>) -> Result<Seat, FollowersFull> {
        let mut table = self.table();
        if table.count >= MAX_FOLLOWERS {
            return Err(FollowersFull::Node);
        }
        if let Some(asker) = &asker {
            let own = table.by_asker.entry(asker.clone()).or_default();
            if *own >= MAX_FOLLOWERS_OF_ONE {
                return Err(FollowersFull::Identity);
            }
            *own += 1;
        }
        table.count += 1;
        Ok(Seat { followers: self.clone(), asker })
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.table().count
    }

    /// Ends all of them: the node stops.
    pub fn end(&self) {
        self.ending.cancel();
    }

    /// Resolves when the node stops.
    pub(crate) async fn ended(&self) {
        self.ending.cancelled().await;
    }

    /// Whether this node is to seal and nobody leads it now.
    pub(super) fn set_leaderless(&self, is_leaderless: bool) {
        self.leaderless.send_if_modified(|since| {
            let has_changed = since.is_some() != is_leaderless;
            if has_changed {
                *since = is_leaderless.then(Instant::now);
            }
            has_changed
        });
    }

    /// Resolves when nobody has led this sealer for long, at the earliest then.
    pub(super) async fn leaderless(&self, earliest: Instant) {
        let mut told = self.leaderless.subscribe();
        loop {
            let since = *told.borrow_and_update();
            let changed = told.changed();
            // Its sender is this.
            match since {
                None => drop(changed.await),
                Some(since) => {
                    if timeout_at(earliest.max(since + LEADERLESS), changed).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Resolves when the node stops.
    pub(crate) async fn ended(&self) {
        self.followers.ended().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut table = self.followers.table();
        table.count = table.count.saturating_sub(1);
        if let Some(asker) = &self.asker
            && let Some(own) = table.by_asker.get_mut(asker)
        {
            *own -= 1;
            if *own == 0 {
                table.by_asker.remove(asker);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{sleep, timeout};

    fn subject(name: usize) -> Option<Asker> {
        Some(Asker::Subject(name.to_string()))
    }

    #[test]
    fn one_identity_has_its_share_and_the_node_its_bound() {
        let followers = Arc::new(Followers::default());
        let mut all = Vec::new();
        for name in 0..MAX_FOLLOWERS / MAX_FOLLOWERS_OF_ONE {
            all.extend((0..MAX_FOLLOWERS_OF_ONE).map(|_| followers.enter(subject(name)).unwrap()));
        }
        assert_eq!(followers.enter(subject(0)).unwrap_err(), FollowersFull::Node);

        drop(all.pop());
        assert_eq!(followers.enter(subject(0)).unwrap_err(), FollowersFull::Identity);
        let last = followers.enter(None).unwrap();

        all.clear();
        assert_eq!(followers.count(), 1);
        drop(last);
        assert!(followers.count() == 0 && followers.table().by_asker.is_empty());
    }

    #[tokio::test]
    async fn who_follows_hears_that_the_node_stops() {
        let followers = Arc::new(Followers::default());
        let following = followers.enter(None).unwrap();
        followers.end();
        following.ended().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_sealer_is_leaderless_once_nobody_has_led_it_for_longer_than_an_election_takes() {
        let followers = Followers::default();
        let moment = Duration::from_millis(1);
        let resolves = async |earliest, within| timeout(within, followers.leaderless(earliest)).await.is_ok();
        followers.set_leaderless(false);
        assert!(!resolves(Instant::now(), LEADERLESS * 10).await, "somebody leads");

        followers.set_leaderless(true);
        assert!(!resolves(Instant::now(), LEADERLESS - moment).await);
        followers.set_leaderless(true);
        assert!(resolves(Instant::now(), moment).await, "it was before");
        assert!(!resolves(Instant::now() + LEADERLESS, LEADERLESS - moment).await, "it was to wait");

        let elected = async {
            sleep(moment).await;
            followers.set_leaderless(false);
        };
        let (resolved, ()) = tokio::join!(resolves(Instant::now() + LEADERLESS, LEADERLESS * 10), elected);
        assert!(!resolved, "somebody leads again");
    }
}
