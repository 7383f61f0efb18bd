//! What a replica waits for between two rounds through its sources: time, another hub, a hub that holds more than before,
//! or, where there is no hub, news of somebody who may serve.

use crate::{
    backoff::Backoff,
    registers::{Hubs, sources::NewsOf},
};
use peerwright_secure::PeerId;
use std::{ops::RangeInclusive, time::Duration};
use tokio::{sync::watch, time::sleep};

/// Between two rounds.
const PAUSE: RangeInclusive<Duration> = Duration::from_millis(20)..=Duration::from_secs(10);

/// From news of sources to the round that it brings: what comes with it is known by then, and news that never ends brings
/// fewer and fewer rounds.
const GATHER: RangeInclusive<Duration> = Duration::from_millis(2)..=Duration::from_millis(500);

/// A replica's waits.
pub(super) struct Rest {
    pause: Backoff,
    gather: Backoff,
    news: NewsOf,
    /// Its sender lives as long as this node, and so does the other.
    active_hub: watch::Receiver<Option<PeerId>>,
    gains: watch::Receiver<()>,
}

impl Rest {
    pub(super) fn new(hubs: &Hubs, news: NewsOf) -> Self {
        let pause = Backoff::new(*PAUSE.start(), *PAUSE.end());
        let gather = Backoff::new(*GATHER.start(), *GATHER.end());
        Self { pause, gather, news, active_hub: hubs.watch(), gains: hubs.watch_gains() }
    }

    /// A round begins: what comes from now on is news.
    pub(super) fn begin_round(&mut self) {
        self.active_hub.borrow_and_update();
        self.gains.borrow_and_update();
        self.news.mark_seen();
    }

    /// The round was a good one: the next comes soon.
    pub(super) fn was_good(&mut self) {
        self.pause.reset();
        self.gather.reset();
    }

    /// Until the next round. Only a pause that was waited for to its end makes the next one longer: news is no failure.
    pub(super) async fn until_next(&mut self) {
        let has_hub = self.active_hub.borrow().is_some();
        let pause = self.pause.draw();
        tokio::select! {
            biased;
            // What another hub holds is to be had at once.
            Ok(()) = self.active_hub.changed() => self.pause.reset(),
            Ok(()) = self.gains.changed() => {}
            () = gathered(&mut self.news, &mut self.gather), if !has_hub => {}
            () = sleep(pause) => {
                self.pause.grow();
                if pause >= *GATHER.end() {
                    // It was quiet.
                    self.gather.reset();
                }
            }
        }
    }
}

/// Resolves some time after news.
async fn gathered(news: &mut NewsOf, gather: &mut Backoff) {
    news.next().await;
    sleep(gather.next()).await;
}

#[cfg(test)]
mod tests {
    use super::{GATHER, PAUSE, Rest};
    use crate::registers::{HubStanding, Hubs, sources::SourceNews};
    use peerwright_ledger::RegisterId;
    use peerwright_secure::PeerId;
    use std::time::Duration;
    use tokio::time::{Instant, sleep};

    const SOON: Duration = Duration::from_millis(1);
    const REGISTER: RegisterId = RegisterId::from_bytes([1; 16]);

    /// How long a replica that has waited often waits when this happens soon.
    async fn wait_while(hubs: &Hubs, happens: impl FnOnce()) -> Duration {
        wait_for(hubs, &SourceNews::default(), happens).await
    }

    async fn wait_for(hubs: &Hubs, news: &SourceNews, happens: impl FnOnce()) -> Duration {
        let mut rest = Rest::new(hubs, news.of(REGISTER));
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
        let news = SourceNews::default();
        let mut rest = Rest::new(&hubs, news.of(REGISTER));
        rest.begin_round();
        hubs.gained();
        let began = Instant::now();
        rest.until_next().await;
        assert_eq!(began.elapsed(), Duration::ZERO);

        rest.begin_round();
        for _ in 0..10 {
            // So that time alone would let it wait longer.
            rest.until_next().await;
        }
        rest.begin_round();
        news.linked();
        let began = Instant::now();
        rest.until_next().await;
        assert!(began.elapsed() <= *GATHER.start());
    }

    #[tokio::test(start_paused = true)]
    async fn a_replica_that_nobody_serves_is_woken_by_a_link_and_by_a_holder_and_not_by_another_register() {
        let (hubs, news) = (Hubs::default(), SourceNews::default());
        for happens in [|news: &SourceNews| news.linked(), |news: &SourceNews| news.advertised(REGISTER)] {
            let waited = wait_for(&hubs, &news, || happens(&news)).await;
            assert!(waited >= *GATHER.start() / 2 && waited < *GATHER.start() + SOON * 10, "{waited:?}");
        }
        let other = RegisterId::from_bytes([2; 16]);
        assert!(wait_for(&hubs, &news, || news.advertised(other)).await >= *PAUSE.end() / 2);
        hubs.tell(HubStanding { active: Some(PeerId::from_bytes([1; 32])), ..HubStanding::default() });
        assert!(wait_for(&hubs, &news, || news.linked()).await >= *PAUSE.end() / 2, "the hub tells by itself");
    }

    #[tokio::test(start_paused = true)]
    async fn news_makes_no_pause_longer() {
        let (hubs, news) = (Hubs::default(), SourceNews::default());
        let mut rest = Rest::new(&hubs, news.of(REGISTER));
        // Each is gathered sooner than the shortest pause ends.
        for _ in 0..3 {
            news.linked();
            rest.until_next().await;
        }
        let began = Instant::now();
        rest.begin_round();
        rest.until_next().await;
        assert!(began.elapsed() <= *PAUSE.start());
    }

    #[tokio::test(start_paused = true)]
    async fn news_that_never_ends_brings_a_round_every_quarter_second_at_most() {
        let (hubs, news) = (Hubs::default(), SourceNews::default());
        let mut rest = Rest::new(&hubs, news.of(REGISTER));
        let began = Instant::now();
        let never_ending = async {
            loop {
                news.advertised(REGISTER);
                sleep(SOON).await;
            }
        };
        let rounds = async {
            let mut rounds = 0;
            while began.elapsed() < *GATHER.end() * 20 {
                rest.begin_round();
                rest.until_next().await;
                rounds += 1;
            }
            rounds
        };
        tokio::select! {
            () = never_ending => {}
            rounds = rounds => assert!((20..=48).contains(&rounds), "{rounds}"),
        }
    }
}
