//! How many clients follow, whose they are, and that they end when the node does, as members do that follow.

use crate::limits::Asker;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

/// Most who follow this node at once.
pub const MAX_FOLLOWERS: usize = 512;
/// Most of them for one identity.
pub const MAX_FOLLOWERS_OF_ONE: usize = 16;

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
}
