//! What a replica waits for between two rounds through its sources: time, another hub, or a hub that holds more than before.

use crate::{backoff::Backoff, registers::Hubs};
use peerwright_secure::PeerId;
use std::{ops::RangeInclusive, time::Duration};
use tokio::{sync::watch, time::sleep};

/// Between two rounds.
const PAUSE: RangeInclusive<Duration> = Duration::from_millis(200)..=Duration::from_secs(10);

/// A replica's waits.
pub(super) struct Rest {
    pause: Backoff,
    /// Its sender lives as long as this node, and so does the other.
    active_hub: watch::Receiver<Option<PeerId>>,
    gains: watch::Receiver<()>,
}

impl Rest {
    pub(super) fn new(hubs: &Hubs) -> Self {
        Self { pause: Backoff::new(*PAUSE.start(), *PAUSE.end()), active_hub: hubs.watch(), gains: hubs.watch_gains() }
    }

    /// A round begins: what comes from now on is news.
    pub(super) fn begin_round(&mut self) {
        self.active_hub.borrow_and_update();
        self.gains.borrow_and_update();
    }

    /// The round was a good one: the next comes soon.
    pub(super) fn was_good(&mut self) {
        self.pause.reset();
    }

    /// Until the next round.
    pub(super) async fn until_next(&mut self) {
        tokio::select! {
            biased;
            // What another hub holds is to be had at once.
            Ok(()) = self.active_hub.changed() => self.pause.reset(),
            Ok(()) = self.gains.changed() => {}
            () = sleep(self.pause.next()) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PAUSE, Rest};
    use crate::registers::{HubStanding, Hubs};
    use peerwright_secure::PeerId;
    use std::time::Duration;
    use tokio::time::{Instant, sleep};

    const SOON: Duration = Duration::from_millis(1);

    /// How long a replica that has waited often waits when this happens soon.
    async fn wait_while(hubs: &Hubs, happens: impl FnOnce()) -> Duration {
        let mut rest = Rest::new(hubs);
        for _ in 0..10 {
            rest.until_next().await;
        }
        rest.begin_round();
        let began = Instant::now();
        let happening = async {
            sleep(SOON).await;
            happens();
        };
        tokio::join!(rest.until_next(), happening);
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_register_asks_again_as_soon_as_the_hub_holds_more_or_another_is_active() {
        let hubs = Hubs::default();
        assert!(wait_while(&hubs, || {}).await >= *PAUSE.end() / 2);
        assert!(wait_while(&hubs, || hubs.gained()).await < SOON * 10);
        let another = HubStanding { active: Some(PeerId::from_bytes([1; 32])), ..HubStanding::default() };
        assert!(wait_while(&hubs, || drop(hubs.tell(another))).await < SOON * 10);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_gained_during_a_round_brings_the_next_at_once() {
        let hubs = Hubs::default();
        let mut rest = Rest::new(&hubs);
        rest.begin_round();
        hubs.gained();
        let began = Instant::now();
        rest.until_next().await;
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
