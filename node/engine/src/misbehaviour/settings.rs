//! What a network may set of automatic bans.

use crate::{Misbehaviour, bounds::MAX_OFFENCES};
use std::{ops::RangeInclusive, time::Duration};
use thiserror::Error;

/// Offences of a kind that may be tolerated.
pub const TOLERATED_RANGE: RangeInclusive<u8> = 0..=19;
const _: () = assert!(*TOLERATED_RANGE.end() as usize == MAX_OFFENCES - 1);
/// Time within which they may count.
pub const WINDOW_RANGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);
/// Time that a ban may last; the lists of bans are swept each minute.
pub const BAN_RANGE: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(30 * 86_400);
/// Bans for a while that may come before one for good.
pub const MAX_TEMPORARY_RANGE: RangeInclusive<u8> = 0..=5;
/// The share of a group that may be banned automatically, percent. Nothing makes it larger.
pub const GROUP_PERCENT_RANGE: RangeInclusive<u8> = 0..=25;

/// What one kind of offence earns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// So many within the window are tolerated; one more is not.
    pub tolerated: u8,
    /// Within which they count.
    pub window: Duration,
    /// How long a ban lasts. `None`: for good.
    pub ban: Option<Duration>,
}

/// When peers are banned without a person having said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MisbehaviourSettings {
    /// For what does not verify and frames that cannot be read.
    pub invalid_message: Rule,
    /// For limits that were exceeded.
    pub spam: Rule,
    /// For breaches of the protocol.
    pub protocol_violation: Rule,
    /// For proven malice.
    pub malicious_content: Rule,
    /// After so many bans for a while the next is for good.
    pub max_temporary: u8,
    /// The share of a node group that may be banned so, percent.
    pub group_percent: u8,
}

impl Default for MisbehaviourSettings {
    fn default() -> Self {
        let at_once = Rule { tolerated: 0, window: Duration::from_secs(86_400), ban: None };
        Self {
            invalid_message: Rule {
                tolerated: 5,
                window: Duration::from_secs(300),
                ban: Some(Duration::from_secs(3_600)),
            },
            spam: Rule { tolerated: 5, window: Duration::from_secs(3_600), ban: Some(Duration::from_secs(7_200)) },
            protocol_violation: at_once,
            malicious_content: at_once,
            max_temporary: 3,
            group_percent: 25,
        }
    }
}

/// Why settings are not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("misbehaviour: {0} is outside its range")]
pub struct MisbehaviourSettingsRefused(&'static str);

impl MisbehaviourSettings {
    /// The rule for a kind.
    #[must_use]
    pub fn rule(&self, kind: Misbehaviour) -> Rule {
        match kind {
            Misbehaviour::InvalidMessage => self.invalid_message,
            Misbehaviour::Spam => self.spam,
            Misbehaviour::ProtocolViolation => self.protocol_violation,
            Misbehaviour::MaliciousContent => self.malicious_content,
        }
    }

    /// Whether every number is within its range.
    pub fn check(&self) -> Result<(), MisbehaviourSettingsRefused> {
        for kind in Misbehaviour::ALL {
            let Rule { tolerated, window, ban } = self.rule(*kind);
            let is_in_range = TOLERATED_RANGE.contains(&tolerated)
                && WINDOW_RANGE.contains(&window)
                && ban.is_none_or(|ban| BAN_RANGE.contains(&ban));
            if !is_in_range {
                return Err(MisbehaviourSettingsRefused(kind.label()));
            }
        }
        if !MAX_TEMPORARY_RANGE.contains(&self.max_temporary) {
            return Err(MisbehaviourSettingsRefused("max_temporary"));
        }
        if !GROUP_PERCENT_RANGE.contains(&self.group_percent) {
            return Err(MisbehaviourSettingsRefused("group_percent"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{MisbehaviourSettings, MisbehaviourSettingsRefused, Rule};
    use std::time::Duration;

    #[test]
    fn the_defaults_are_taken_and_what_is_out_of_range_is_not() {
        let defaults = MisbehaviourSettings::default();
        assert_eq!(defaults.check(), Ok(()));
        let rules = [
            Rule { tolerated: 20, ..defaults.spam },
            Rule { window: Duration::ZERO, ..defaults.spam },
            Rule { ban: Some(Duration::from_secs(59)), ..defaults.spam },
        ];
        for spam in rules {
            let refused = MisbehaviourSettings { spam, ..defaults };
            assert_eq!(refused.check(), Err(MisbehaviourSettingsRefused("spam")));
        }
        let refused = MisbehaviourSettings { max_temporary: 6, ..defaults };
        assert_eq!(refused.check(), Err(MisbehaviourSettingsRefused("max_temporary")));
        let refused = MisbehaviourSettings { group_percent: 26, ..defaults };
        assert_eq!(refused.check(), Err(MisbehaviourSettingsRefused("group_percent")));
    }
}
