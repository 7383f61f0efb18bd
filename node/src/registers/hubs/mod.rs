//! The hub that this node takes dockets from, where that is the network's topology.
//!
//! ```text
//! snapshot: hubs, in order ─▶ HubKeeper ─▶ Choice ─▶ Hubs: active, standby ─▶ replicas, REST, metrics
//!                                ▲  │ wanted
//!        answered, missed, lost ─┘  ▼
//!                               HubWatch, one a hub ◀── keepalive, on the connection that dockets come by ──▶ hub
//! ```
//!
//! Everybody but hubs and sealers takes the dockets of all registers from one hub. A keepalive is a call of gRPC's health
//! service, so it is the hub that answers and not its machine, and a hub that drains says so before it is gone. What else it
//! adds makes replicas ask again, or keepalives rarer. The next hub
//! stands by with its connection open and answering. When the active one is lost, what still comes from it is ended
//! first, and each replica goes on from its checkpoint at the other.
//!
//! With no hub in reach a node is isolated: it serves what it has, says since when that may be stale, and goes on trying.
//! What it lacks by the time it returns it fetches as any replica does that is behind.

mod choice;
mod keeper;
mod remark;
mod settings;
mod watch;

pub(crate) use keeper::HubKeeper;
pub(crate) use remark::Remark;
pub use settings::{HubSettings, HubSettingsRefused};

use peerwright_secure::PeerId;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch as channel;
use tokio_util::sync::CancellationToken;

/// What a node knows of one of its hubs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HubState {
    /// Nothing is asked of it.
    Idle,
    /// It is asked, and has not answered yet.
    Trying,
    /// It does not answer, or does not serve; it is asked again and again.
    Lost,
    /// It answers.
    Reached,
    /// It answers, and is next.
    Standby,
    /// Dockets come from it.
    Active,
}

impl HubState {
    /// Every state.
    pub const ALL: [Self; 6] = [Self::Idle, Self::Trying, Self::Lost, Self::Reached, Self::Standby, Self::Active];

    /// In REST and as a metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Trying => "trying",
            Self::Lost => "lost",
            Self::Reached => "reached",
            Self::Standby => "standby",
            Self::Active => "active",
        }
    }
}

/// One of a node's hubs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HubRow {
    /// Which.
    pub hub: PeerId,
    /// What is known of it.
    pub state: HubState,
    /// Keepalives in a row that it did not answer.
    pub missed: u32,
}

/// A node's hubs as they are now; none of a node that takes dockets from whoever has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HubStanding {
    /// Whom dockets come from.
    pub active: Option<PeerId>,
    /// Whom they come from next.
    pub standby: Option<PeerId>,
    /// Since when no hub is active, while none is reached: unix microseconds.
    pub isolated_since: Option<u64>,
    /// In the order in which they are preferred.
    pub hubs: Vec<HubRow>,
}

impl HubStanding {
    /// What is known of a hub.
    #[must_use]
    pub fn state_of(&self, hub: PeerId) -> Option<HubState> {
        self.hubs.iter().find(|row| row.hub == hub).map(|row| row.state)
    }
}

/// What the keeper of a node's hubs tells its other parts.
#[derive(Debug, Default)]
pub(crate) struct Hubs {
    told: Mutex<Told>,
    active: channel::Sender<Option<PeerId>>,
    gains: channel::Sender<()>,
}

#[derive(Debug, Default)]
struct Told {
    standing: HubStanding,
    /// Ends when another hub becomes active, or none.
    reign: CancellationToken,
}

impl Hubs {
    /// The hubs as they are now.
    pub(crate) fn standing(&self) -> HubStanding {
        self.told().standing.clone()
    }

    /// Whom dockets come from.
    pub(crate) fn active(&self) -> Option<PeerId> {
        *self.active.borrow()
    }

    /// Hears of each change of the active hub.
    pub(crate) fn watch(&self) -> channel::Receiver<Option<PeerId>> {
        self.active.subscribe()
    }

    /// The active hub holds other registers than before.
    pub(crate) fn gained(&self) {
        self.gains.send_replace(());
    }

    /// Hears of that.
    pub(crate) fn watch_gains(&self) -> channel::Receiver<()> {
        self.gains.subscribe()
    }

    /// Ends when dockets are to come from somebody else than `source`.
    pub(crate) fn reign_of(&self, source: PeerId) -> CancellationToken {
        let told = self.told();
        let reign = told.reign.clone();
        if told.standing.active.is_some_and(|active| active != source) {
            // It is over already.
            let over = CancellationToken::new();
            over.cancel();
            return over;
        }
        reign
    }

    /// The hubs are these from now on; gives what they were.
    pub(crate) fn tell(&self, standing: HubStanding) -> HubStanding {
        let mut told = self.told();
        let active = standing.active;
        let before = std::mem::replace(&mut told.standing, standing);
        if before.active != active {
            self.active.send_replace(active);
            std::mem::take(&mut told.reign).cancel();
        }
        before
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{HubStanding, Hubs};
    use peerwright_secure::PeerId;

    const ONE: PeerId = PeerId::from_bytes([1; 32]);
    const OTHER: PeerId = PeerId::from_bytes([2; 32]);

    fn with_active(active: Option<PeerId>) -> HubStanding {
        HubStanding { active, ..HubStanding::default() }
    }

    #[test]
    fn what_comes_from_a_hub_ends_with_its_reign_and_nothing_begins_with_another() {
        let hubs = Hubs::default();
        let from_anybody = hubs.reign_of(OTHER);
        hubs.tell(with_active(Some(ONE)));
        assert!(from_anybody.is_cancelled(), "there are hubs now");

        let reign = hubs.reign_of(ONE);
        assert!(hubs.reign_of(OTHER).is_cancelled());
        hubs.tell(HubStanding { standby: Some(OTHER), ..with_active(Some(ONE)) });
        assert!(!reign.is_cancelled(), "another stands by");

        let before = hubs.tell(with_active(Some(OTHER)));
        assert_eq!((before.active, hubs.active()), (Some(ONE), Some(OTHER)));
        assert!(reign.is_cancelled() && !hubs.reign_of(OTHER).is_cancelled());
    }
}
