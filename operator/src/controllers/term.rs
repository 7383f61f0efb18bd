//! One term of leadership after another: the controllers begin with it and end with it.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use kube::{Client, Resource, ResourceExt};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{Context, Parts, ban, custody, departed, network, operation, policy, reach, run::Controller, subscription};
use crate::{leadership::Leadership, policy::TokenIssuer};

/// How long the controllers have to end what they have begun. Longer than any one call.
const WIND_UP: Duration = Duration::from_secs(4);
/// How long a term looks at every network before it answers nodes; one that is slower does not hold up the others.
const FIRST_LOOK: Duration = Duration::from_secs(15);
/// How long a term waits for the keys of the cluster's tokens before it begins without.
const TOKENS: Duration = Duration::from_secs(5);

/// Runs the controllers whenever this replica leads, until `stop`.
pub async fn lead(parts: Parts, client: Client, leadership: Leadership, stop: CancellationToken) {
    let mut leading = leadership.subscribe();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            led = leading.wait_for(|leads| *leads) => if led.is_err() { return },
        }
        parts.metrics.leads(true);
        let term = stop.child_token();
        let mut tasks = begin(parts.clone(), client.clone(), &term).await;
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            _ = leading.wait_for(|leads| !*leads) => {}
            ended = tasks.join_next() => {
                tracing::error!(?ended, "a controller ended by itself; the term begins anew");
            }
        }
        term.cancel();
        parts.metrics.leads(false);
        if timeout(WIND_UP, async { while tasks.join_next().await.is_some() {} }).await.is_err() {
            tracing::warn!("controllers did not end in time and are dropped");
            tasks.shutdown().await;
        }
        // Networks may go while another replica leads: what this one knows is over.
        parts.feeds.suspend();
        parts.authorities.suspend();
        parts.registry.clear();
        for network in parts.caches.networks.select(|_| true) {
            parts.metrics.forget(&crate::cache::ObjectKey::of(network.as_ref()));
        }
    }
}

async fn begin(parts: Parts, client: Client, term: &CancellationToken) -> JoinSet<()> {
    let mut tokens = parts.tokens.subscribe();
    let known = matches!(timeout(TOKENS, tokens.wait_for(Option::is_some)).await, Ok(Ok(_)));
    if !known {
        tracing::warn!("the keys of the cluster's tokens are not known yet: what nodes were told before stays");
    }
    let context = Arc::new(Context::new(parts));
    let mut tasks = JoinSet::new();
    let mut run = |task: BoxFuture<'static, ()>| {
        tasks.spawn(task);
    };
    let parts = &context.parts;
    let networks = || Arc::clone(&parts.caches.networks);
    let policies = Controller {
        name: "policy",
        objects: networks(),
        trigger: parts.triggers.policies.clone(),
        concurrency: 16,
        reconcile: policy::reconcile,
    };
    let children = Controller {
        name: "network",
        objects: networks(),
        trigger: parts.triggers.networks.clone(),
        concurrency: 8,
        reconcile: network::reconcile,
    };
    let bans = Controller {
        name: "ban",
        objects: Arc::clone(&parts.caches.bans),
        trigger: parts.triggers.bans.clone(),
        concurrency: 16,
        reconcile: ban::reconcile,
    };
    let subscriptions = Controller {
        name: "subscription",
        objects: Arc::clone(&parts.caches.subscriptions),
        trigger: parts.triggers.subscriptions.clone(),
        concurrency: 8,
        reconcile: subscription::reconcile,
    };
    let operations = Controller {
        name: "operation",
        objects: Arc::clone(&parts.caches.operations),
        trigger: parts.triggers.operations.clone(),
        // Each sees what the one before has begun.
        concurrency: 1,
        reconcile: operation::reconcile,
    };
    run(policies.run(Arc::clone(&context), term.clone()).boxed());
    run(children.run(Arc::clone(&context), term.clone()).boxed());
    run(bans.run(Arc::clone(&context), term.clone()).boxed());
    run(subscriptions.run(Arc::clone(&context), term.clone()).boxed());
    run(operations.run(Arc::clone(&context), term.clone()).boxed());
    run(until(term, answer_nodes(Arc::clone(&context))));
    run(until(term, reach::follow(Arc::clone(&context))));
    run(until(term, custody::follow(Arc::clone(&context))));
    run(until(term, departed::follow(Arc::clone(&context), client)));
    run(until(term, follow_tokens(Arc::clone(&context), tokens)));
    tasks
}

fn until(term: &CancellationToken, task: impl Future<Output = ()> + Send + 'static) -> BoxFuture<'static, ()> {
    let term = term.clone();
    async move { term.run_until_cancelled(task).map(drop).await }.boxed()
}

/// Answers nodes once every network was looked at: before, its members would be strangers here.
async fn answer_nodes(context: Arc<Context>) {
    let looked_at = context.findings.wait_until(|findings| {
        let networks = context.parts.caches.networks.select(|network| network.valid().is_some());
        let mut present = networks.iter().filter(|network| network.meta().deletion_timestamp.is_none());
        present.all(|network| findings.contains_key(&network.uid().unwrap_or_default()))
    });
    if timeout(FIRST_LOOK, looked_at).await.is_err() {
        tracing::warn!("not every network could be looked at: members of those hear that they are unknown");
    }
    let _on_duty = context.parts.duty.begin();
    std::future::pending::<()>().await;
}

/// Compiles every network anew when the keys of the cluster's tokens change.
async fn follow_tokens(context: Arc<Context>, mut tokens: watch::Receiver<Option<Arc<TokenIssuer>>>) {
    while tokens.changed().await.is_ok() {
        for network in context.parts.caches.networks.select(|_| true) {
            context.parts.triggers.policies.fire(crate::cache::ObjectKey::of(network.as_ref()));
        }
    }
    sleep(Duration::MAX).await;
}
