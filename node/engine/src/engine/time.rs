//! What time alone brings about.

use super::{Engine, Turn};
use crate::{
    Class, CloseReason, LinkId,
    bounds::{PAUSE, SWEEP_INTERVAL},
    frame::Frame,
    links::Pulse,
    timers::Timer,
};

impl Engine {
    pub(super) fn timer(&mut self, turn: &mut Turn<'_>) {
        let armed = self.armed.take();
        if armed.is_some_and(|at| turn.now.since(at) > PAUSE) {
            self.excuse_silence(turn);
        }
        while let Some(timer) = self.timers.pop_due(turn.now) {
            match timer {
                Timer::Batch => self.close_batches(turn, self.config.batch_window),
                Timer::Dial => self.redial(turn),
                Timer::BanExpiry => self.expire_bans(turn),
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
                // Looked at after every input.
                Timer::Ready => {}
                Timer::Store => self.retry_store(turn),
                Timer::Sweep => self.sweep(turn),
            }
        }
    }

    /// This process was paused: what peers sent meanwhile has not been read yet, so their silence proves nothing.
    fn excuse_silence(&mut self, turn: &mut Turn<'_>) {
        for link in self.links.ids() {
            if let Some(state) = self.links.get_mut(link) {
                state.last_heard = turn.now;
            }
        }
    }

    fn look_at_link(&mut self, turn: &mut Turn<'_>, link: LinkId) {
        let Some(state) = self.links.get(link) else { return };
        match state.pulse(turn.now, &self.config) {
            Pulse::Unreachable => self.close(turn, link, CloseReason::Unreachable),
            Pulse::Idle(next) => {
                self.send(turn, link, &Frame::Keepalive { sent: turn.now.0 }, Class::Control);
                self.timers.set(Timer::Link(link), next);
            }
            Pulse::Alive(next) => self.timers.set(Timer::Link(link), next),
        }
    }

    fn sweep(&mut self, turn: &mut Turn<'_>) {
        self.forget_origins(turn);
        self.forget_unjudged(turn);
        self.sweep_scores();
        self.timers.set(Timer::Sweep, turn.now + SWEEP_INTERVAL);
    }
}
