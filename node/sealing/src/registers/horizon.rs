//! Which transactions were sealed and might be handed in again.

use peerwright_ledger::TransactionId;
use std::collections::HashMap;

/// How much of an id is remembered: enough that nobody finds two ids that agree in it.
type Front = [u8; 16];

/// How long ids that have expired may stay, in seconds of the dockets' time.
const SWEEP_SECONDS: u32 = 60;
const MICROS_PER_SECOND: u64 = 1_000_000;

/// The transactions of a register's dockets that are still valid. An id that is forgotten too late does no harm: a docket
/// takes no transaction that has expired.
#[derive(Debug, Default)]
pub(crate) struct Horizon {
    until_seconds: HashMap<Front, u32>,
    swept_at_seconds: u32,
}

impl Horizon {
    /// Whether the transaction was sealed.
    pub(crate) fn contains(&self, id: &TransactionId) -> bool {
        self.until_seconds.contains_key(&front(id))
    }

    /// Remembers a sealed transaction until it expires.
    pub(crate) fn insert(&mut self, id: &TransactionId, valid_until_micros: u64) {
        self.until_seconds.insert(front(id), seconds(valid_until_micros).saturating_add(1));
    }

    /// Forgets what has expired, from time to time.
    pub(crate) fn sweep(&mut self, sealed_at_micros: u64) {
        let now = seconds(sealed_at_micros);
        if now.saturating_sub(self.swept_at_seconds) >= SWEEP_SECONDS {
            self.until_seconds.retain(|_, until| *until > now);
            self.swept_at_seconds = now;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.until_seconds.len()
    }
}

fn front(id: &TransactionId) -> Front {
    let [front, _] = id.as_bytes().as_chunks::<16>().0 else { return [0; 16] };
    *front
}

/// Whole seconds of unix time; the last second that fits for what is beyond the year 2106.
fn seconds(micros: u64) -> u32 {
    u32::try_from(micros / MICROS_PER_SECOND).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> TransactionId {
        TransactionId::from_bytes([number; 32])
    }

    #[test]
    fn an_id_is_known_as_long_as_it_may_be_handed_in_again() {
        let second = |seconds: u64| seconds * MICROS_PER_SECOND;
        let mut horizon = Horizon::default();
        horizon.insert(&id(1), second(1_000));
        horizon.insert(&id(2), second(2_000) + 1);
        horizon.sweep(second(1_000) - 1);
        assert!(horizon.contains(&id(1)) && horizon.contains(&id(2)) && !horizon.contains(&id(3)));
        horizon.sweep(second(2_000));
        assert!(!horizon.contains(&id(1)) && horizon.contains(&id(2)));
        assert_eq!(horizon.len(), 1);
    }

    #[test]
    fn a_time_beyond_all_clocks_is_remembered_for_good() {
        let mut horizon = Horizon::default();
        horizon.insert(&id(1), u64::MAX);
        horizon.sweep(4_000_000_000 * MICROS_PER_SECOND);
        assert!(horizon.contains(&id(1)));
    }
}
