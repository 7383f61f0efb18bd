//! What time alone brings about.

use super::{Engine, Turn};
use crate::{Event, bounds::SWEEP_INTERVAL, timers::Timer};

impl Engine {
    pub(super) fn timer(&mut self, turn: &mut Turn<'_>) {
        self.armed = None;
        self.detector.is_catching_up = false;
        while let Some(timer) = self.timers.pop_due(turn.now) {
            match timer {
                Timer::Batch => self.close_due_batches(turn),
                Timer::Dial => self.redial(turn),
                Timer::Upkeep(chore) => self.keep_up(turn, chore),
                Timer::BanExpiry => self.expire_bans(turn),
                Timer::Pause => self.end_pauses(turn),
                Timer::Link(link) => self.look_at_link(turn, link),
                Timer::Heartbeat(link) => {
                    if !self.close_idle(turn, link) {
                        self.beat(turn, link);
                    }
                }
                Timer::Answer(link) => self.answers_overdue(turn, link),
                Timer::Offer => self.make_offer(turn),
                Timer::Gaps => self.close_gaps(turn),
                Timer::Announce => self.announce(turn),
                Timer::Graft => self.look_at_waits(turn),
                Timer::Fetch => self.chunks_overdue(turn),
                Timer::Directory => self.look_into_directory(turn),
                Timer::Advertisements => self.advertisements_due(turn),
                // Looked at after every input.
                Timer::Ready => {}
                Timer::Store => self.retry_store(turn),
                Timer::Spread => self.flush_spread(turn),
                Timer::Reconcile => self.reconcile_due(turn),
                Timer::Suspicion => self.suspicions_due(turn),
                Timer::Case => self.cases_due(turn),
                Timer::Sweep => self.sweep(turn),
            }
        }
    }

    fn sweep(&mut self, turn: &mut Turn<'_>) {
        self.forget_origins(turn);
        self.forget_unjudged(turn);
        self.sweep_scores();
        for token in self.members.verifying.overdue(turn.now) {
            self.members.verifying.take(token);
            turn.out.event(Event::Dropped { what: "unjudged" });
        }
        self.detector.asked.sweep(turn.now, self.config.connections.dial_timeout);
        self.sweep_offenders(turn);
        self.links.pauses.end(turn.now);
        self.directory.holders.sweep(turn.now);
        self.sweep_advertisements(turn);
        self.timers.set(Timer::Sweep, turn.now + SWEEP_INTERVAL);
    }
}
