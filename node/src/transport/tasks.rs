//! Runs hyper's tasks where their owner can await them.

use std::future::Future;
use tokio_util::task::TaskTracker;

/// Spawns onto a tracker.
#[derive(Debug, Clone)]
pub(super) struct Tracked(pub(super) TaskTracker);

impl<F> hyper::rt::Executor<F> for Tracked
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}
