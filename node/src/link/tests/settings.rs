//! Every setting has its range.

use super::super::{LinkSettings, LinkSettingsRefused};
use peerwright_engine::breaker::BreakerSettings;
use std::time::Duration;

#[test]
fn the_defaults_hold_and_what_is_out_of_range_is_refused() {
    let good = LinkSettings::default();
    assert_eq!(good.check(), Ok(()));
    let refused = |change: &dyn Fn(&mut LinkSettings)| {
        let mut settings = good.clone();
        change(&mut settings);
        settings.check().unwrap_err()
    };
    assert_eq!(refused(&|settings| settings.carriers.clear()), LinkSettingsRefused::NoCarrier);
    for seconds in [4, 121] {
        let time = Duration::from_secs(seconds);
        assert_eq!(refused(&|settings| settings.dial_within = time), LinkSettingsRefused::Dial(time));
    }
    for millis in [499, 30_001] {
        let time = Duration::from_millis(millis);
        assert_eq!(refused(&|settings| settings.hello_within = time), LinkSettingsRefused::Hello(time));
    }
    for millis in [49, 1_501] {
        let time = Duration::from_millis(millis);
        assert_eq!(refused(&|settings| settings.resume_within = time), LinkSettingsRefused::Resume(time));
    }
    for millis in [99, 20_001] {
        let time = Duration::from_millis(millis);
        assert_eq!(refused(&|settings| settings.poll_for = time), LinkSettingsRefused::Poll(time));
    }
    assert!(matches!(refused(&|settings| settings.window.frames = 1), LinkSettingsRefused::Session(_)));
    assert!(matches!(refused(&|settings| settings.ladder.deaths = 0), LinkSettingsRefused::Session(_)));
    let breaker = BreakerSettings { failures: 1, ..BreakerSettings::default() };
    assert!(matches!(refused(&|settings| settings.breaker = breaker), LinkSettingsRefused::Breaker(_)));
}
