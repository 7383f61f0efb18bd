//! The life of a link that this node dialled: from carrier to carrier.
//!
//! ```text
//!            ┌──────────── another carrier, in time ◀──── resume
//!            ▼                                              ▲ it broke
//!  up ─▶ riding ── a better one works, or one with a newer ─┤
//!            │     certificate ─▶ riding that one           │
//!            └─ Goodbye, closed, expired ─▶ end ◀── none in time, nobody there, another process
//! ```

use super::{
    CarrierEnd, LinkEvent, Queue,
    dial::LinkDialler,
    expired,
    hello::{Greeting, SessionId},
    opening::{Failure, Fault, OpenCarrier, Opening},
    paths::{Attempt, random},
};
use crate::tls::unix_now;
use futures::future::BoxFuture;
use peerwright_engine::{CloseReason, DownReason, LinkId, session::Carrier};
use peerwright_secure::PeerId;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

/// So long before a certificate expires, or halfway when it is closer, another carrier is made.
const RENEW_AHEAD: Duration = Duration::from_secs(60);
/// A certificate that ends sooner is not worth another carrier.
const TOO_LATE_TO_RENEW: Duration = Duration::from_secs(4);
/// Between the first two tries to give a session another carrier, give or take half. Each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// No pause is longer, give or take half.
const LONGEST_PAUSE: Duration = Duration::from_millis(160);
/// A carrier that dies sooner did not work: the more of them in a row, the longer the pause before the next.
const WORKS: Duration = Duration::from_secs(1);

/// A link that is up.
pub(super) struct Life {
    pub(super) dialler: LinkDialler,
    pub(super) address: SocketAddr,
    pub(super) link: LinkId,
    pub(super) queue: Arc<Queue>,
    pub(super) session: SessionId,
    pub(super) peer: PeerId,
    /// Of the peer's process.
    pub(super) incarnation: u64,
}

/// What became of a carrier while it carried.
enum Ridden {
    Ended(CarrierEnd),
    /// A better or a newer one is there.
    Changed(OpenCarrier),
    /// The peer's certificate has expired.
    Expired,
}

impl Life {
    /// Stays with the link until it ends.
    pub(super) async fn run(self, mut carrier: OpenCarrier) {
        let mut died_young = 0;
        let ended = loop {
            let began = Instant::now();
            match self.ride(&mut carrier).await {
                Ridden::Changed(next) => carrier = next,
                Ridden::Expired => {
                    self.queue.close(DownReason::Expired.label(), false);
                    break Some(DownReason::Expired);
                }
                Ridden::Ended(CarrierEnd::Closed) => break None,
                // Whatever the other side makes of it: the driver has ended the link before.
                Ridden::Ended(CarrierEnd::Over(_)) if self.queue.closing().is_cancelled() => break None,
                Ridden::Ended(CarrierEnd::Over(reason)) => break Some(reason),
                Ridden::Ended(CarrierEnd::Replaced | CarrierEnd::Broken) => {
                    let kind = carrier.kind;
                    drop(carrier);
                    died_young = if began.elapsed() < WORKS { died_young + 1 } else { 0 };
                    match self.resume(kind, died_young).await {
                        Ok(next) => carrier = next,
                        Err(ended) => {
                            self.queue.cut();
                            return self.tell(ended).await;
                        }
                    }
                }
            }
        };
        if self.queue.goodbye() == Some(CloseReason::Unreachable.label()) {
            // The carrier stood still although nothing broke.
            self.dialler.context.paths.died(self.address, carrier.kind);
        }
        self.tell(ended).await;
        if self.queue.closing().is_cancelled() {
            carrier.part(&self.queue).await;
        }
        self.queue.cut();
    }

    /// Tells the driver, unless the driver has ended the link.
    async fn tell(&self, ended: Option<DownReason>) {
        if let Some(reason) = ended {
            // The driver is gone when nobody listens: then nobody wants to know.
            drop(self.dialler.context.events.send(LinkEvent::Down { link: self.link, reason }).await);
        }
    }

    /// Carries frames, and looks for a better carrier and a newer certificate meanwhile.
    async fn ride(&self, carrier: &mut OpenCarrier) -> Ridden {
        let paths = &self.dialler.context.paths;
        let (kind, renewal) = (carrier.kind, renewal(carrier.expires));
        let mut riding = std::pin::pin!(carrier.run(&self.queue, &self.dialler.context, self.link));
        let mut expiry = std::pin::pin!(expired(&self.queue));
        let mut trial: Option<BoxFuture<'_, Option<OpenCarrier>>> = None;
        let mut renewed = false;
        loop {
            let probe = paths.next_probe(self.address);
            let due = probe.into_iter().chain(renewal.filter(|_| !renewed)).min();
            let due = async move {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                end = riding.as_mut() => {
                    // The other side ends the old carrier as soon as it has answered on the new one.
                    return match (end, trial) {
                        (CarrierEnd::Broken | CarrierEnd::Replaced, Some(trial)) => {
                            let limit = Instant::now() + self.dialler.context.settings().resume_within;
                            match timeout_at(limit, trial).await {
                                Ok(Some(next)) => Ridden::Changed(next),
                                _ => Ridden::Ended(CarrierEnd::Broken),
                            }
                        }
                        (end, _) => Ridden::Ended(end),
                    };
                }
                () = expiry.as_mut() => return Ridden::Expired,
                opened = async { match &mut trial {
                    Some(trial) => trial.await,
                    None => std::future::pending().await,
                } } => {
                    trial = None;
                    if let Some(next) = opened {
                        return Ridden::Changed(next);
                    }
                }
                () = due, if trial.is_none() => {
                    let is_probe = probe.is_some_and(|probe| probe <= Instant::now());
                    renewed |= !is_probe;
                    trial = Some(if is_probe { Box::pin(self.probe()) } else { Box::pin(self.renew(kind)) });
                }
            }
        }
    }

    /// Tries the better carriers, best first.
    async fn probe(&self) -> Option<OpenCarrier> {
        let paths = &self.dialler.context.paths;
        for kind in paths.better(self.address) {
            let Ok(attempt) = paths.attempt_by(self.address, kind) else { continue };
            if let Ok(next) = self.open(attempt).await {
                paths.climbed(self.address, kind);
                return Some(next);
            }
        }
        paths.probe_failed(self.address);
        None
    }

    /// Opens the same carrier again, to see a certificate that expires later.
    async fn renew(&self, kind: Carrier) -> Option<OpenCarrier> {
        let attempt = self.dialler.context.paths.attempt_by(self.address, kind).ok()?;
        self.open(attempt).await.ok()
    }

    /// Gives the session another carrier after `broken` broke, and with it so many in a row that never worked; an error ends
    /// the link, `None` of it without a word.
    async fn resume(&self, broken: Carrier, died_young: u32) -> Result<OpenCarrier, Option<DownReason>> {
        let context = &self.dialler.context;
        let deadline = Instant::now() + context.settings().resume_within;
        context.paths.died(self.address, broken);
        let trying = async {
            if let Some(tries) = died_young.checked_sub(2) {
                sleep(pause(tries, random())).await;
            }
            for tries in 0.. {
                let attempt = context.paths.attempt(self.address, None).map_err(|_| DownReason::Broken)?;
                let kind = attempt.carrier;
                match self.open(attempt).await {
                    Ok(next) => return Ok(next),
                    Err(failure) => match failure.fault {
                        Fault::NotOffered => context.paths.not_offered(self.address, kind),
                        Fault::Ban => return Err(DownReason::Banned),
                        Fault::Absent | Fault::Session => return Err(DownReason::Broken),
                        // Not even TLS came about: no carrier would have done better.
                        Fault::Peer => {}
                        Fault::Carrier => context.paths.died(self.address, kind),
                    },
                }
                sleep(pause(tries, random())).await;
            }
            Err(DownReason::Broken)
        };
        tokio::select! {
            biased;
            () = self.queue.closing().cancelled() => Err(None),
            resumed = timeout_at(deadline, trying) => resumed.unwrap_or(Err(DownReason::Broken)).map_err(Some),
        }
    }

    async fn open(&self, mut attempt: Attempt) -> Result<OpenCarrier, Failure> {
        let greeting = Greeting {
            session: self.session,
            incarnation: self.dialler.context.incarnation,
            carrier: self.queue.next_number(),
            received: self.queue.received(),
        };
        let expected = Some((self.peer, self.incarnation));
        let opening = Opening { address: self.address, expected, greeting, queue: self.queue.clone() };
        match Box::pin(self.dialler.open(&mut attempt, &opening)).await {
            Ok((carrier, ..)) => {
                attempt.succeeded();
                Ok(carrier)
            }
            Err(failure) => {
                let (carrier, code) = (attempt.carrier.label(), failure.code);
                tracing::debug!(address = %self.address, carrier, code, "a carrier did not open");
                // Whether the peer is to be had is found out by the dials of links; this one began when it was.
                if matches!(failure.fault, Fault::Carrier | Fault::NotOffered) {
                    attempt.failed(&failure);
                }
                Err(failure)
            }
        }
    }
}

/// How long to wait after so many tries that failed.
fn pause(tries: u32, random: u64) -> Duration {
    let whole = FIRST_PAUSE.saturating_mul(1 << tries.min(16)).min(LONGEST_PAUSE);
    let spread = u64::try_from(whole.as_micros()).unwrap_or(u64::MAX).max(1);
    whole / 2 + Duration::from_micros(random % spread)
}

/// When another carrier is to be made because of the certificates of this one.
fn renewal(expires: i64) -> Option<Instant> {
    let left = u64::try_from(expires.saturating_sub(unix_now().cast_signed())).map(Duration::from_secs).ok()?;
    (left >= TOO_LATE_TO_RENEW).then(|| Instant::now() + left.saturating_sub(RENEW_AHEAD.min(left / 2)))
}

#[cfg(test)]
mod tests {
    use super::{FIRST_PAUSE, LONGEST_PAUSE, pause};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pauses_double_up_to_the_longest_and_are_drawn_within_a_half(tries: u32, random: u64) {
            let whole = FIRST_PAUSE.saturating_mul(2u32.saturating_pow(tries)).min(LONGEST_PAUSE);
            let drawn = pause(tries, random);
            prop_assert!(whole / 2 <= drawn && drawn < whole + whole / 2, "{drawn:?} after {tries}");
        }
    }
}
