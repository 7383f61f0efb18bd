//! Links over real sockets, and what of them can be tried without.

mod breakers;
mod carriers;
mod end;
mod endings;
mod hostile;
mod queue;
mod settings;

use super::{LinkContext, LinkEvent, LinkSettings, Paths, Traces};
use arc_swap::ArcSwap;
use std::sync::{Arc, atomic::AtomicU64};
use tokio::sync::mpsc;

fn context_with(settings: LinkSettings) -> (LinkContext, mpsc::Receiver<LinkEvent>) {
    let (events, received) = mpsc::channel(512);
    let settings = Arc::new(ArcSwap::from_pointee(settings));
    let paths = Arc::new(Paths::new(settings.clone(), Arc::new(|_| {})));
    let traces = Traces::default();
    (LinkContext { events, incarnation: 1, next: Arc::new(AtomicU64::new(1)), settings, paths, traces }, received)
}

fn context() -> (LinkContext, mpsc::Receiver<LinkEvent>) {
    context_with(LinkSettings::default())
}
