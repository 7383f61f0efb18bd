//! Whether a transaction may be taken now.

use super::{MAX_TRANSACTION_BYTES, Transaction};
use crate::Refusal;

const MICROS_PER_SECOND: u64 = 1_000_000;

/// How long a transaction is valid unless its author says: an hour.
pub const DEFAULT_LIFETIME_MICROS: u64 = 3_600 * MICROS_PER_SECOND;

/// What a node takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest transaction, with its signature; at most [`MAX_TRANSACTION_BYTES`].
    pub max_transaction_bytes: u32,
    /// The longest time between creation and end of validity.
    pub max_lifetime_micros: u64,
    /// How far ahead of this node's clock an author's may be.
    pub max_clock_lead_micros: u64,
}

impl Default for Limits {
    /// 10 MiB, 24 hours, 60 seconds.
    fn default() -> Self {
        Self {
            max_transaction_bytes: MAX_TRANSACTION_BYTES,
            max_lifetime_micros: 24 * 3_600 * MICROS_PER_SECOND,
            max_clock_lead_micros: 60 * MICROS_PER_SECOND,
        }
    }
}

impl Transaction {
    /// Checks all that is asked of a transaction that is handed in at `now_micros` (unix time): size, times, then the
    /// author's signature.
    pub fn verify(&self, now_micros: u64, limits: &Limits) -> Result<(), Refusal> {
        self.check(now_micros, limits)?;
        self.verify_signature()
    }

    /// The same but the author's signature, for who checks those of many together.
    pub fn check(&self, now_micros: u64, limits: &Limits) -> Result<(), Refusal> {
        let bytes = self.encoded.len();
        if u32::try_from(bytes).map_or(true, |length| length > limits.max_transaction_bytes) {
            return Err(Refusal::TooLarge { bytes, limit: limits.max_transaction_bytes });
        }
        self.check_times(now_micros, limits)
    }

    fn check_times(&self, now_micros: u64, limits: &Limits) -> Result<(), Refusal> {
        let (created_at, valid_until) = (self.body.created_at_micros, self.body.valid_until_micros);
        let lead = created_at.saturating_sub(now_micros);
        if lead > limits.max_clock_lead_micros {
            return Err(Refusal::CreatedInFuture { seconds: lead.div_ceil(MICROS_PER_SECOND) });
        }
        let lifetime = valid_until.checked_sub(created_at).filter(|lifetime| *lifetime > 0);
        let lifetime = lifetime.ok_or(Refusal::NeverValid)?;
        if lifetime > limits.max_lifetime_micros {
            return Err(Refusal::LifetimeTooLong {
                seconds: lifetime.div_ceil(MICROS_PER_SECOND),
                limit: limits.max_lifetime_micros / MICROS_PER_SECOND,
            });
        }
        if valid_until <= now_micros {
            return Err(Refusal::Expired { seconds: (now_micros - valid_until).div_ceil(MICROS_PER_SECOND) });
        }
        Ok(())
    }
}
