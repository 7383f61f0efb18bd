//! What the benches hand in, and which latencies only few exceed.

use std::time::Duration;

/// Every payload begins with its number.
pub const NUMBER_BYTES: usize = 8;

/// The number, then bytes that no compression makes shorter.
#[must_use]
pub fn payload(number: u64, bytes: usize) -> Vec<u8> {
    let mut payload = number.to_be_bytes().to_vec();
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while payload.len() < bytes {
        // xorshift64 (Marsaglia 2003)
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        payload.extend_from_slice(&state.to_be_bytes());
    }
    payload.truncate(bytes.max(NUMBER_BYTES));
    payload
}

/// The latency that so many of a thousand do not exceed; `latencies` are in order.
#[must_use]
pub fn quantile(latencies: &[Duration], of_thousand: usize) -> Option<Duration> {
    let rank = (latencies.len() * of_thousand).div_ceil(1_000).max(1);
    latencies.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_begins_with_its_number_and_has_its_length() {
        for bytes in [16, 100, 256] {
            let payload = payload(77, bytes);
            assert_eq!((payload.len(), &payload[..8]), (bytes, 77u64.to_be_bytes().as_slice()));
        }
        assert_ne!(payload(1, 64)[8..], payload(2, 64)[8..]);
    }

    #[test]
    fn a_quantile_is_a_latency_that_was_seen() {
        let latencies: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        let quantiles = [1, 500, 990, 1_000].map(|of_thousand| quantile(&latencies, of_thousand));
        assert_eq!(quantiles, [1, 100, 198, 200].map(|millis| Some(Duration::from_millis(millis))));
        assert_eq!(quantile(&[], 500), None);
    }
}
