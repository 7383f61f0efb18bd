//! One controller: a queue without duplicates, one reconciliation of an object at a time, a bound on how many at once,
//! and a wait of its own for every object that failed.

use std::{fmt::Debug, sync::Arc, time::Instant};

use futures::{StreamExt, future::BoxFuture};
use kube::{
    Resource,
    runtime::{
        applier,
        controller::{Action, Config, Error},
    },
};
use tokio_util::sync::CancellationToken;

use super::{Context, ReconcileError, triggers::Trigger};
use crate::{
    backoff::Backoffs,
    cache::{Cache, ObjectKey},
};

/// What a reconciliation comes to.
pub(super) type Reconciled = BoxFuture<'static, Result<Action, ReconcileError>>;

/// What a controller does.
pub(super) struct Controller<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    /// Name in logs and metrics.
    pub(super) name: &'static str,
    /// The objects that it minds.
    pub(super) objects: Arc<Cache<K>>,
    /// Who tells it.
    pub(super) trigger: Trigger<ObjectKey>,
    /// How many objects it reconciles at once.
    pub(super) concurrency: u16,
    /// Reconciles one.
    pub(super) reconcile: fn(Arc<K>, Arc<Context>) -> Reconciled,
}

impl<K> Controller<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
{
    /// Runs until `stop`, then ends what it has begun.
    pub(super) async fn run(self, context: Arc<Context>, stop: CancellationToken) {
        let Self { name, objects, trigger, concurrency, reconcile } = self;
        let backoffs = Arc::new(Backoffs::default());
        let policy = Arc::clone(&backoffs);
        let (store, newest) = (objects.store(), Arc::clone(&objects));
        let measured = |object: Arc<K>, context: Arc<Context>| -> Reconciled {
            let (metrics, backoffs, key) =
                (context.parts.metrics.clone(), Arc::clone(&backoffs), ObjectKey::of(object.as_ref()));
            let begun = Instant::now();
            // With our own last write, which the watch may not have shown yet: nothing is written or told of twice.
            let work = reconcile(newest.get(&key).unwrap_or(object), context);
            Box::pin(async move {
                let outcome = work.await;
                metrics.reconciled(name, outcome.as_ref().err().map_or("ok", ReconcileError::outcome), begun.elapsed());
                if outcome.is_ok() {
                    backoffs.reset(&key.to_string());
                }
                outcome
            })
        };
        let on_error = move |object: Arc<K>, error: &ReconcileError, _: Arc<Context>| match error {
            // The next leader begins with everything.
            ReconcileError::NotLeading => Action::await_change(),
            _ => Action::requeue(policy.failed(&ObjectKey::of(object.as_ref()).to_string())),
        };
        let queue = Box::pin(trigger.queue(objects.store()).take_until(stop.cancelled_owned()));
        let config = Config::default().concurrency(concurrency);
        let outcomes = applier(measured, on_error, context, store, queue, config);
        outcomes
            .for_each(|outcome| {
                match outcome {
                    Ok(_) | Err(Error::ReconcilerFailed(ReconcileError::NotLeading, _)) => {}
                    Err(Error::ReconcilerFailed(error, object)) => {
                        tracing::warn!(controller = name, %object, %error, "reconciliation failed; it is tried again");
                    }
                    // Gone before its turn came.
                    Err(Error::ObjectNotFound(object)) => {
                        let namespace = object.namespace.clone().unwrap_or_default();
                        backoffs.reset(&ObjectKey::new(namespace, &object.name).to_string());
                    }
                    Err(error) => tracing::error!(controller = name, %error, "the controller's queue failed"),
                }
                std::future::ready(())
            })
            .await;
    }
}
