//! Keeps this node at a hub: watches over those that are wanted, and tells which of them is active.

use super::{
    HubRow, HubStanding, HubState,
    choice::Choice,
    remark::Advice,
    settings::HubSettings,
    watch::{HubWatch, News},
};
use crate::{
    driver::Clock,
    member::Membership,
    registers::{Callers, Registers},
};
use peerwright_secure::PeerId;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};
use tokio_util::task::AbortOnDropHandle;

/// News of hubs that wait to be heard.
const NEWS: usize = 64;

/// Keeps this node at a hub while the snapshot says so.
pub(crate) struct HubKeeper {
    pub(crate) registers: Registers,
    pub(crate) membership: Arc<Membership>,
    pub(crate) callers: Arc<Callers>,
    /// What the network has set.
    pub(crate) settings: watch::Receiver<HubSettings>,
}

impl HubKeeper {
    /// Runs until it is dropped.
    pub(crate) async fn run(mut self) {
        let mut snapshots = self.membership.watch_snapshot();
        let (sender, mut news) = mpsc::channel(NEWS);
        let begun = Instant::now();
        let mut choice = Choice::new(*self.settings.borrow_and_update());
        snapshots.borrow_and_update();
        choice.rank(begun.elapsed(), &self.upstreams());
        let mut watched = BTreeMap::new();
        let mut why = "named";
        loop {
            self.tell(&choice, begun.elapsed(), why);
            let wanted = choice.wanted();
            watched.retain(|hub, _| wanted.contains(hub));
            for hub in wanted {
                watched.entry(hub).or_insert_with(|| AbortOnDropHandle::new(self.watch(hub, sender.clone())));
            }
            let turn = choice.next_turn();
            why = tokio::select! {
                biased;
                changed = snapshots.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    snapshots.borrow_and_update();
                    choice.rank(begun.elapsed(), &self.upstreams());
                    "named"
                }
                Ok(()) = self.settings.changed() => {
                    let settings = *self.settings.borrow_and_update();
                    choice.tune(begun.elapsed(), settings);
                    "failback"
                }
                Some((hub, news)) = news.recv() => {
                    if let News::Advised(advice) = news {
                        self.heed(&choice, hub, advice);
                    }
                    take(&mut choice, begun.elapsed(), hub, news)
                }
                () = sleep_until(begun + turn.unwrap_or_default()), if turn.is_some() => {
                    choice.pass(begun.elapsed());
                    "failback"
                }
            };
        }
    }

    fn upstreams(&self) -> Vec<PeerId> {
        let current = self.membership.snapshot();
        let own = self.membership.peer_id();
        let hubs = current.as_ref().and_then(|current| current.snapshot.content.upstreams_of(&own));
        hubs.unwrap_or_default().to_vec()
    }

    fn watch(&self, hub: PeerId, news: mpsc::Sender<(PeerId, News)>) -> tokio::task::JoinHandle<()> {
        let watch = HubWatch { hub, callers: self.callers.clone(), settings: self.settings.clone(), news };
        tokio::spawn(watch.run())
    }

    /// Does what a hub advises. That it is asked less often its watch has seen to.
    fn heed(&self, choice: &Choice, hub: PeerId, advice: Advice) {
        self.registers.telemetry.hub_advised(advice.label());
        if advice == Advice::Sync && choice.active() == Some(hub) {
            self.registers.hubs.gained();
        }
    }

    /// Tells what has changed: first those who take dockets, then people.
    fn tell(&self, choice: &Choice, now: Duration, why: &'static str) {
        let known = self.registers.hubs.standing().isolated_since;
        let standing = HubStanding {
            active: choice.active(),
            standby: choice.standby(),
            isolated_since: choice
                .isolated_since()
                .map(|since| known.unwrap_or_else(|| wall(now.saturating_sub(since)))),
            hubs: choice.rows().map(|(hub, state, missed)| HubRow { hub, state, missed }).collect(),
        };
        let isolated = standing.isolated_since;
        let (active, lost) = (standing.active, lost(&standing));
        let before = self.registers.hubs.tell(standing);
        for hub in lost.into_iter().filter(|hub| before.state_of(*hub) != Some(HubState::Lost)) {
            // Whoever still waits for something by that connection hears that nothing comes.
            self.callers.hang_up(hub);
        }
        match (before.active, active) {
            (Some(left), Some(hub)) if left != hub => {
                tracing::warn!(%hub, %left, why, "dockets come from another hub");
                self.registers.telemetry.hub_left(why);
            }
            (Some(left), None) => {
                tracing::warn!(%left, why, "dockets come from no hub");
                self.registers.telemetry.hub_left(why);
            }
            (None, Some(hub)) => tracing::info!(%hub, "dockets come from a hub"),
            _ => {}
        }
        match (before.isolated_since, isolated) {
            (None, Some(_)) => tracing::warn!("no hub is reached: what is here is served, and may be stale"),
            (Some(_), None) => tracing::info!("the isolation is over"),
            _ => {}
        }
    }
}

/// Gives why a hub is left, if it is.
fn take(choice: &mut Choice, now: Duration, hub: PeerId, news: News) -> &'static str {
    match news {
        News::Answered => {
            choice.answered(now, hub);
            "failback"
        }
        News::Advised(_) => "failback",
        News::Missed => {
            choice.missed(now, hub);
            "silent"
        }
        News::Lost(why) => {
            choice.lost(now, hub);
            why
        }
    }
}

/// The wall clock's time so long ago.
fn wall(ago: Duration) -> u64 {
    Clock::wall().0.saturating_sub(u64::try_from(ago.as_micros()).unwrap_or(u64::MAX))
}

fn lost(standing: &HubStanding) -> Vec<PeerId> {
    standing.hubs.iter().filter(|row| row.state == HubState::Lost).map(|row| row.hub).collect()
}
