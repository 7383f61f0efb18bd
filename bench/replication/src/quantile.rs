//! Latencies, and which of them only few exceed.

use peerwright_bench_load::quantile;
use std::time::Duration;

/// The latency that so many of a thousand do not exceed, milliseconds; `None` of none.
pub(crate) fn millis(latencies: &mut [Duration], of_thousand: usize) -> Option<f64> {
    latencies.sort_unstable();
    quantile(latencies, of_thousand).map(|latency| latency.as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::millis;
    use std::time::Duration;

    #[test]
    fn a_quantile_is_a_latency_that_was_seen() {
        let mut latencies: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        let quantiles = [1, 500, 990, 1_000].map(|of_thousand| millis(&mut latencies, of_thousand));
        assert_eq!(quantiles, [Some(1.0), Some(100.0), Some(198.0), Some(200.0)]);
        assert_eq!(millis(&mut [], 500), None);
    }
}
