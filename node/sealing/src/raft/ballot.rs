//! What a sealer has voted, and whether it lacks what others count on it for: one row of the store, so that a start finds
//! both as they were.

use super::Vote;
use crate::{
    durable::Durable,
    wire::{decode_ballot, encode_ballot},
};
use peerwright_encoding::DecodeError;
use peerwright_store::{SealingStore, StoreError};
use std::sync::Arc;
use thiserror::Error;
use tokio::sync::Mutex;

/// What is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// The vote of the newest term.
    pub(crate) vote: Vote,
    /// The group has more than this sealer has ever had since its volume was empty: it may have forgotten something.
    pub(crate) is_behind: bool,
    /// Which group this is: 0 is the network's first, and each that one sealer began alone has the next number.
    pub(crate) generation: u64,
}

/// Why what is kept cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Unreadable {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Encoding(#[from] DecodeError),
}

/// A sealer's vote and standing, durable.
pub(crate) struct Ballot {
    store: Arc<dyn SealingStore>,
    durable: Arc<Durable>,
    /// Held while it is written: the consensus library votes while the group learns what the others have.
    kept: Mutex<Option<Kept>>,
}

impl Ballot {
    /// What the store holds.
    pub(crate) async fn open(store: Arc<dyn SealingStore>, durable: Arc<Durable>) -> Result<Self, Unreadable> {
        let kept = durable.ask(|| store.log_state()).await?.vote;
        let kept = kept.map(|kept| decode_ballot(&kept)).transpose()?;
        Ok(Self { store, durable, kept: Mutex::new(kept) })
    }

    pub(crate) async fn vote(&self) -> Option<Vote> {
        self.kept.lock().await.map(|kept| kept.vote)
    }

    pub(crate) async fn is_behind(&self) -> bool {
        self.kept.lock().await.is_some_and(|kept| kept.is_behind)
    }

    pub(crate) async fn generation(&self) -> u64 {
        self.kept.lock().await.map_or(0, |kept| kept.generation)
    }

    pub(crate) async fn save(&self, vote: Vote) -> Result<(), StoreError> {
        self.change(|kept| kept.vote = vote).await
    }

    pub(crate) async fn set_behind(&self, is_behind: bool) -> Result<(), StoreError> {
        self.change(|kept| kept.is_behind = is_behind).await
    }

    async fn change(&self, change: impl FnOnce(&mut Kept)) -> Result<(), StoreError> {
        let mut kept = self.kept.lock().await;
        let mut changed = kept.unwrap_or_default();
        change(&mut changed);
        if *kept != Some(changed) {
            let encoded = encode_ballot(&changed);
            self.durable.write(|| self.store.save_vote(encoded.clone())).await?;
            *kept = Some(changed);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::SealerId;
    use peerwright_store::Memory;

    #[tokio::test]
    async fn a_vote_and_a_standing_change_apart_and_are_found_again() {
        let store: Arc<dyn SealingStore> = Arc::new(Memory::new("network"));
        let open = || Ballot::open(Arc::clone(&store), Arc::default());
        let ballot = open().await.unwrap();
        assert_eq!((ballot.vote().await, ballot.is_behind().await), (None, false));
        ballot.set_behind(true).await.unwrap();
        let vote = Vote::new_committed(3, SealerId::from_bytes([7; 32]));
        ballot.save(vote).await.unwrap();
        assert_eq!((open().await.unwrap().vote().await, open().await.unwrap().is_behind().await), (Some(vote), true));
        ballot.set_behind(false).await.unwrap();
        assert_eq!((open().await.unwrap().vote().await, open().await.unwrap().is_behind().await), (Some(vote), false));
    }
}
