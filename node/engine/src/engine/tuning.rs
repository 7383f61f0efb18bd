//! What changes at once when the network changes its settings. Timers that are armed keep their time; the next one is
//! by the new setting.

use super::{Engine, Turn};
use crate::{Role, Tuning, addresses::Backoff};

impl Engine {
    pub(super) fn tune(&mut self, turn: &mut Turn<'_>, tuning: &Tuning) {
        self.config.tune(tuning);
        self.be(turn, tuning.role);
        self.overlay.settings = tuning.overlay;
        let connections = &tuning.connections;
        let backoff = Backoff::new(connections.retry_first, connections.retry_limit);
        self.book.tune(backoff, tuning.overlay.reconnect_attempts);
        self.ready.tune(connections.ready_timeout);
        self.scores.tune(tuning.score);
        self.offenders.tune(tuning.misbehaviour);
        self.members.table.tune(tuning.membership.capacity);
        self.detector.status_is_due = true;
    }

    /// Tells the others when this node is something else to the network than before.
    fn be(&mut self, turn: &mut Turn<'_>, role: Role) {
        if self.members.own.as_ref().is_some_and(|own| own.record.role != role) {
            self.declare(turn, |record| record.role = role);
        }
    }

    /// The settings that this node goes by.
    #[must_use]
    pub fn tuning(&self) -> Tuning {
        Tuning::from(&self.config)
    }
}
