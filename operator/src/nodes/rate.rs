//! How often one address may call `Certify`: a token bucket an address, in a bounded table. Pure: time is given.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

/// Calls that an address may make at once.
const BURST: u32 = 10;
/// One more call is allowed each time this has passed.
const REFILL: Duration = Duration::from_secs(1);
/// Most addresses watched. When all of them are busy, further ones are refused.
const MAX_ADDRESSES: usize = 4096;

/// Token buckets by address.
#[derive(Debug, Default)]
pub(super) struct RateLimit {
    /// When the bucket of an address is full again.
    full_at: HashMap<IpAddr, Instant>,
}

impl RateLimit {
    /// Takes a call of `address` into account; false when it has called too often.
    pub(super) fn allow(&mut self, address: IpAddr, now: Instant) -> bool {
        if self.full_at.len() >= MAX_ADDRESSES && !self.full_at.contains_key(&address) {
            self.full_at.retain(|_, full_at| *full_at > now);
            if self.full_at.len() >= MAX_ADDRESSES {
                return false;
            }
        }
        let full_at = self.full_at.entry(address).or_insert(now);
        let after = (*full_at).max(now) + REFILL;
        let allowed = after <= now + REFILL * BURST;
        if allowed {
            *full_at = after;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from(number).into()
    }

    #[test]
    fn a_burst_passes_and_then_one_call_a_second() {
        let (mut limit, start) = (RateLimit::default(), Instant::now());

        let burst = (0..BURST + 5).filter(|_| limit.allow(address(1), start)).count();
        let later = (0..5).filter(|_| limit.allow(address(1), start + Duration::from_secs(2))).count();

        assert_eq!((burst, later), (10, 2));
    }

    #[test]
    fn one_address_does_not_use_up_anothers_calls() {
        let (mut limit, start) = (RateLimit::default(), Instant::now());
        while limit.allow(address(1), start) {}

        assert!(limit.allow(address(2), start));
    }

    #[test]
    fn table_is_bounded_and_forgets_who_is_quiet() {
        let (mut limit, start) = (RateLimit::default(), Instant::now());
        for number in 0..5000 {
            limit.allow(address(number), start);
        }

        assert_eq!(limit.full_at.len(), MAX_ADDRESSES);
        assert!(!limit.allow(address(9999), start), "no room while all are busy");
        assert!(limit.allow(address(9999), start + REFILL), "quiet addresses are forgotten");
    }
}
