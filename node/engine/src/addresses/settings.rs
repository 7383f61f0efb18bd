//! Which addresses are believed, and how often others are asked for theirs.

use crate::{bounds::MAX_OWN_RANGES, settings::all_within};
use peerwright_secure::Cidr;
use std::{ops::RangeInclusive, time::Duration};
use thiserror::Error;

/// Time that may be set between two rounds of asking for addresses.
pub(super) const EXCHANGE_RANGE: RangeInclusive<Duration> = Duration::from_secs(30)..=Duration::from_secs(86_400);
/// Time that may be set between two trials of an untried address.
pub(super) const FEELER_RANGE: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(86_400);
/// Peers that may be asked in one round.
pub(super) const EXCHANGE_PEERS_RANGE: RangeInclusive<usize> = 1..=8;

/// The address book and the exchange of addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressSettings {
    /// Blocks of addresses that belong to the network itself, such as a cluster's pods. Addresses inside are dialled on
    /// any member's word although they are private, and each counts as a neighbourhood of its own.
    pub own_ranges: Vec<Cidr>,
    /// Peers that are asked for addresses in one round.
    pub exchange_peers: usize,
    /// Time between two rounds, give or take a quarter.
    pub exchange_interval: Duration,
    /// Time between two trials of untried addresses, give or take a quarter.
    pub feeler_interval: Duration,
}

impl Default for AddressSettings {
    fn default() -> Self {
        Self {
            own_ranges: Vec::new(),
            exchange_peers: 3,
            exchange_interval: Duration::from_secs(450),
            feeler_interval: Duration::from_secs(120),
        }
    }
}

/// Why settings are not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("addresses: {0} is outside its range")]
pub struct AddressSettingsRefused(&'static str);

impl AddressSettings {
    /// Whether every number is within its range.
    pub fn check(&self) -> Result<(), AddressSettingsRefused> {
        all_within(&[
            ("own_ranges", self.own_ranges.len() <= MAX_OWN_RANGES),
            ("exchange_peers", EXCHANGE_PEERS_RANGE.contains(&self.exchange_peers)),
            ("exchange_interval", EXCHANGE_RANGE.contains(&self.exchange_interval)),
            ("feeler_interval", FEELER_RANGE.contains(&self.feeler_interval)),
        ])
        .map_err(AddressSettingsRefused)
    }
}

#[cfg(test)]
mod tests {
    use super::{AddressSettings, AddressSettingsRefused};
    use std::time::Duration;

    #[test]
    fn the_defaults_are_in_range_and_others_may_not_be() {
        assert_eq!(AddressSettings::default().check(), Ok(()));
        let refused = AddressSettings { exchange_peers: 0, ..AddressSettings::default() };
        assert_eq!(refused.check(), Err(AddressSettingsRefused("exchange_peers")));
        let refused = AddressSettings { feeler_interval: Duration::ZERO, ..AddressSettings::default() };
        assert_eq!(refused.check(), Err(AddressSettingsRefused("feeler_interval")));
        let refused =
            AddressSettings { own_ranges: vec!["10.0.0.0/8".parse().unwrap(); 65], ..AddressSettings::default() };
        assert_eq!(refused.check(), Err(AddressSettingsRefused("own_ranges")));
    }
}
