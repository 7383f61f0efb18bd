//! What the replicas of a node share: memory for dockets on their way to the disk, and the processor.

use super::Ended;
use std::{sync::Arc, thread::available_parallelism};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};
use tokio_util::task::AbortOnDropHandle;

/// Kibibytes of dockets that all replicas together fetch, verify or write. Full: the next waits, and with it its source.
const ROOM_KIBIBYTES: u32 = 32 * 1024;

/// Whoever waits for room holds none that it could not write without it, so that what is there always goes on.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    room: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

impl Default for Budget {
    fn default() -> Self {
        let turns = available_parallelism().map_or(2, std::num::NonZero::get);
        Self { room: Arc::new(Semaphore::new(ROOM_KIBIBYTES as usize)), turns: Arc::new(Semaphore::new(turns)) }
    }
}

impl Budget {
    /// Waits for room for so many bytes.
    pub(super) async fn room(&self, bytes: u64) -> Result<Arc<OwnedSemaphorePermit>, Ended> {
        let room = self.room.clone().acquire_many_owned(kibibytes(bytes)).await;
        room.map(Arc::new).map_err(|_| Ended::Stopped)
    }

    /// Room for so many bytes, if there is some at once.
    pub(super) fn room_now(&self, bytes: u64) -> Option<Arc<OwnedSemaphorePermit>> {
        self.room.clone().try_acquire_many_owned(kibibytes(bytes)).ok().map(Arc::new)
    }

    /// Runs off the async threads, as many at once as there are processors: hashing and signatures take what these have.
    pub(super) async fn verify<T: Send + 'static>(
        &self,
        verifying: impl FnOnce() -> Result<T, Ended> + Send + 'static,
    ) -> Result<T, Ended> {
        self.compute(verifying).await.unwrap_or(Err(Ended::Stopped))
    }

    /// The same for what cannot fail; nothing when the node is ending.
    ///
    /// A task of its own waits for the turn: given to a future that its owner does not poll just then, the turn would be
    /// nobody's, and an owner that waits for another turn meanwhile would wait for ever.
    pub(crate) async fn compute<T: Send + 'static>(&self, computing: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let turns = self.turns.clone();
        let in_turn = tokio::spawn(async move {
            let turn = turns.acquire_owned().await.ok()?;
            let computed = spawn_blocking(move || {
                let computed = computing();
                drop(turn);
                computed
            });
            computed.await.ok()
        });
        AbortOnDropHandle::new(in_turn).await.ok()?
    }
}

fn kibibytes(bytes: u64) -> u32 {
    u32::try_from(bytes / 1024 + 1).unwrap_or(ROOM_KIBIBYTES).min(ROOM_KIBIBYTES)
}

#[cfg(test)]
mod tests {
    use super::{Budget, ROOM_KIBIBYTES};
    use futures::{StreamExt, stream::FuturesOrdered};
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test]
    async fn room_comes_back_and_the_largest_piece_waits_for_all_of_it() {
        let budget = Budget::default();
        let all = budget.room(u64::MAX).await.expect("it is open");
        assert_eq!(all.num_permits(), ROOM_KIBIBYTES as usize);
        assert!(budget.room_now(1).is_none());
        drop(all);
        assert!(budget.room_now(1).is_some());
    }

    #[tokio::test]
    async fn who_has_work_under_way_that_it_does_not_look_at_gets_a_further_turn() {
        let budget = Budget::default();
        let several = budget.turns.available_permits() * 3;
        let mut under_way: FuturesOrdered<_> = (0..several).map(|number| budget.compute(move || number)).collect();
        assert_eq!(under_way.next().await, Some(Some(0)));

        let further = timeout(Duration::from_secs(10), budget.compute(|| "further")).await;
        assert_eq!(further, Ok(Some("further")));
        assert_eq!(under_way.count().await, several - 1);
    }
}
