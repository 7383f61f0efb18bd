//! News of sources, for replicas that wait because nobody whom they asked serves.
//!
//! ```text
//! driver: a link is up ─────────────▶ all who wait
//!         a peer says what it holds ─▶ who waits for that register
//! ```

use peerwright_ledger::RegisterId;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// Tells replicas that somebody may serve who did not before.
#[derive(Debug, Default)]
pub(crate) struct SourceNews {
    links: watch::Sender<()>,
    /// Of the registers that are followed.
    registers: Mutex<BTreeMap<RegisterId, watch::Sender<()>>>,
}

/// What one replica hears of that.
#[derive(Debug)]
pub(crate) struct NewsOf {
    links: watch::Receiver<()>,
    register: watch::Receiver<()>,
}

impl SourceNews {
    /// A link with a peer is up.
    pub(crate) fn linked(&self) {
        self.links.send_replace(());
    }

    /// A peer says to everybody that it holds a register, or another part of it than before.
    pub(crate) fn advertised(&self, register: RegisterId) {
        if let Some(news) = self.registers().get(&register) {
            news.send_replace(());
        }
    }

    /// Hears of both from now on.
    pub(crate) fn of(&self, register: RegisterId) -> NewsOf {
        let register = self.registers().entry(register).or_default().subscribe();
        NewsOf { links: self.of_links(), register }
    }

    /// Hears of links from now on.
    pub(crate) fn of_links(&self) -> watch::Receiver<()> {
        self.links.subscribe()
    }

    /// The register is followed no longer.
    pub(crate) fn forget(&self, register: RegisterId) {
        self.registers().remove(&register);
    }

    fn registers(&self) -> MutexGuard<'_, BTreeMap<RegisterId, watch::Sender<()>>> {
        self.registers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NewsOf {
    /// What has come so far is no news any more.
    pub(crate) fn mark_seen(&mut self) {
        self.links.mark_unchanged();
        self.register.mark_unchanged();
    }

    /// Resolves with the next news, or with one that has come since what was seen.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            biased;
            Ok(()) = self.register.changed() => {}
            Ok(()) = self.links.changed() => {}
            // The node is ending.
            else => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SourceNews;
    use futures::FutureExt;
    use peerwright_ledger::RegisterId;

    const ONE: RegisterId = RegisterId::from_bytes([1; 16]);
    const OTHER: RegisterId = RegisterId::from_bytes([2; 16]);

    #[tokio::test]
    async fn who_waits_for_a_register_hears_of_its_holders_and_of_every_link_and_of_nothing_else() {
        let news = SourceNews::default();
        let mut of_one = news.of(ONE);
        news.advertised(OTHER);
        assert_eq!(of_one.next().now_or_never(), None);
        news.advertised(ONE);
        assert_eq!(of_one.next().now_or_never(), Some(()));
        assert_eq!(of_one.next().now_or_never(), None, "once");
        news.linked();
        assert_eq!(of_one.next().now_or_never(), Some(()));
    }

    #[tokio::test]
    async fn what_was_seen_is_no_news_and_a_register_that_is_forgotten_leaves_nothing() {
        let news = SourceNews::default();
        let mut of_one = news.of(ONE);
        news.advertised(ONE);
        news.linked();
        of_one.mark_seen();
        assert_eq!(of_one.next().now_or_never(), None);
        news.forget(ONE);
        news.advertised(ONE);
        assert!(news.registers().is_empty());
    }
}
