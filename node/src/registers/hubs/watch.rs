//! One hub, connected and asked again and again whether it serves.

use super::{
    remark::{Advice, Remark},
    settings::HubSettings,
};
use crate::{
    backoff::Backoff,
    link::MemberConnection,
    registers::{Callers, Unreached},
};
use peerwright_secure::PeerId;
use std::{ops::RangeInclusive, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until, timeout},
};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

/// A hub that is not connected in this time is not reached.
const REACH_WITHIN: Duration = Duration::from_secs(3);
/// Between two looks whether somebody has told where the hub listens.
const LOOK: Duration = Duration::from_millis(100);
/// Between two tries.
const PAUSE: RangeInclusive<Duration> = Duration::from_millis(200)..=Duration::from_secs(5);

/// What is heard of a hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// It serves.
    Answered,
    /// It advises something.
    Advised(Advice),
    /// It has not answered in time.
    Missed,
    /// It is not there, or does not serve: why.
    Lost(&'static str),
}

/// Watches over one hub.
pub(super) struct HubWatch {
    pub(super) hub: PeerId,
    pub(super) callers: Arc<Callers>,
    pub(super) settings: watch::Receiver<HubSettings>,
    /// Full: what is heard waits.
    pub(super) news: mpsc::Sender<(PeerId, News)>,
}

impl HubWatch {
    /// Runs until it is dropped, or nobody wants to know.
    pub(super) async fn run(self) {
        let mut pause = Backoff::new(*PAUSE.start(), *PAUSE.end());
        loop {
            let why = match timeout(REACH_WITHIN, self.reach()).await {
                Ok(Ok(connection)) => self.stay(&connection, &mut pause).await,
                Ok(Err(_)) | Err(_) => Some("unreached"),
            };
            let Some(why) = why else { return };
            if self.tell(News::Lost(why)).await.is_none() {
                return;
            }
            sleep(pause.next()).await;
        }
    }

    /// Connects, once it is known where.
    async fn reach(&self) -> Result<Arc<MemberConnection>, Unreached> {
        loop {
            match self.callers.reach(self.hub).await {
                Err(Unreached::Unknown(_)) => sleep(LOOK).await,
                reached => return reached,
            }
        }
    }

    /// Asks until nothing comes by the connection any more; says why, unless nobody wants to know.
    async fn stay(&self, connection: &MemberConnection, pause: &mut Backoff) -> Option<&'static str> {
        let (channel, origin) = connection.channel();
        let mut health = HealthClient::with_origin(channel, origin);
        // The first answer may take as long as connecting.
        let mut within = REACH_WITHIN;
        let mut known = Remark::default();
        loop {
            let settings = *self.settings.borrow();
            let (sent, heard) = (Instant::now(), connection.heard());
            let asking = timeout(within, health.check(HealthCheckRequest { service: String::new() }));
            let answer = tokio::select! {
                biased;
                () = connection.ended() => return Some("hung_up"),
                answer = asking => answer,
            };
            // Who does not answer is asked as often as is set.
            let silent = Remark { is_busy: false, ..known };
            let (news, remark) = match answer {
                Ok(Ok(answer)) if answer.get_ref().status() == ServingStatus::Serving => {
                    (News::Answered, Remark::read(answer.metadata()))
                }
                Ok(Ok(_)) => return Some("not_serving"),
                Ok(Err(_)) => return Some("hung_up"),
                // Its answer waits behind the dockets that it sends.
                Err(_) if connection.heard() > heard => (News::Answered, silent),
                Err(_) => (News::Missed, silent),
            };
            if news == News::Answered {
                pause.reset();
            }
            self.tell(news).await?;
            for advice in remark.advice(known) {
                self.tell(News::Advised(advice)).await?;
            }
            known = remark;
            within = settings.answer_within();
            tokio::select! {
                biased;
                () = connection.ended() => return Some("hung_up"),
                () = sleep_until(sent + known.pace(settings.keepalive)) => {}
            }
        }
    }

    async fn tell(&self, news: News) -> Option<()> {
        self.news.send((self.hub, news)).await.ok()
    }
}
