//! Settings of a network that go together.

use peerwright_tests::manifests::{network, with};
use serde_json::{Value, json};

use super::{Case, case, created};

pub(super) fn settings() -> Vec<Case> {
    let rule = |group: &str, message: &str, accepted: &[Value], refused: &[Value]| {
        let path = format!("spec.{group}");
        let tried = |values: &[Value]| created(values.iter().map(|value| with(&network("demo"), &path, value.clone())));
        case("PeerNetwork", &path, message, tried(accepted), tried(refused))
    };
    vec![
        rule(
            "sealing.sealers",
            "write 1, 3 or 5: an even number of sealers survives no more failures than one less",
            &[json!(1), json!(3), json!(5)],
            &[json!(2), json!(4)],
        ),
        rule(
            "sealing",
            "write a leaderTimeoutMilliseconds of at least three heartbeatMilliseconds; absent they are 650 and 200",
            &[
                json!({}),
                json!({ "heartbeatMilliseconds": 216 }),
                json!({ "leaderTimeoutMilliseconds": 600 }),
                json!({ "heartbeatMilliseconds": 1000, "leaderTimeoutMilliseconds": 3000 }),
            ],
            &[
                json!({ "heartbeatMilliseconds": 217 }),
                json!({ "leaderTimeoutMilliseconds": 599 }),
                json!({ "heartbeatMilliseconds": 1000, "leaderTimeoutMilliseconds": 2999 }),
            ],
        ),
        rule(
            "detection",
            "write a suspicionAfterMilliseconds of at least five quarters of keepaliveMilliseconds; absent they are 1500 and 1000",
            &[
                json!({}),
                json!({ "keepaliveMilliseconds": 1200 }),
                json!({ "suspicionAfterMilliseconds": 1250 }),
                json!({ "keepaliveMilliseconds": 4000, "suspicionAfterMilliseconds": 5000 }),
            ],
            &[
                json!({ "keepaliveMilliseconds": 1201 }),
                json!({ "suspicionAfterMilliseconds": 1249 }),
                json!({ "keepaliveMilliseconds": 4000, "suspicionAfterMilliseconds": 4999 }),
            ],
        ),
        rule(
            "overlay",
            "write a minActivePeers that is not above activePeers; absent they are 6 and 8",
            &[json!({}), json!({ "activePeers": 6 }), json!({ "activePeers": 20, "minActivePeers": 20 })],
            &[json!({ "activePeers": 5 }), json!({ "minActivePeers": 9 })],
        ),
        rule(
            "overlay",
            "write a minOutboundPeers that is not above activePeers; absent they are 3 and 8",
            &[json!({ "minOutboundPeers": 8 }), json!({ "activePeers": 3, "minActivePeers": 3, "searchingPeers": 3 })],
            &[json!({ "minOutboundPeers": 9 })],
        ),
        rule(
            "overlay",
            "write a searchingPeers that is not above activePeers; absent they are 4 and 8",
            &[json!({ "searchingPeers": 8 }), json!({ "activePeers": 4, "minActivePeers": 4 })],
            &[json!({ "searchingPeers": 9 }), json!({ "activePeers": 3, "minActivePeers": 3 })],
        ),
        rule(
            "connections",
            "write a retryLimitSeconds that is not shorter than retryFirstMilliseconds; absent they are 60 and 1000",
            &[json!({ "retryFirstMilliseconds": 60_000 }), json!({ "retryLimitSeconds": 1 })],
            &[json!({ "retryLimitSeconds": 1, "retryFirstMilliseconds": 1_001 })],
        ),
        rule(
            "links",
            "write a breakerFirstSeconds that is not above breakerResetSeconds; absent they are 10 and 300",
            &[json!({ "breakerResetSeconds": 60 }), json!({ "breakerFirstSeconds": 300 })],
            &[json!({ "breakerFirstSeconds": 301 }), json!({ "breakerFirstSeconds": 61, "breakerResetSeconds": 60 })],
        ),
        ban_rule("invalidMessage"),
        ban_rule("spam"),
        ban_rule("protocolViolation"),
        ban_rule("maliciousContent"),
        rule(
            "scoring",
            "write weights that sum to 100; absent reliabilityPercent is 40, performancePercent 30 and behaviourPercent 30",
            &[
                json!({}),
                json!({ "reliabilityPercent": 50, "performancePercent": 20 }),
                json!({ "reliabilityPercent": 0, "performancePercent": 0, "behaviourPercent": 100 }),
            ],
            &[
                json!({ "behaviourPercent": 31 }),
                json!({ "reliabilityPercent": 40, "performancePercent": 30, "behaviourPercent": 29 }),
            ],
        ),
    ]
}

fn ban_rule(offence: &str) -> Case {
    let path = format!("spec.autoBans.{offence}");
    let lasting =
        |times: &[i64]| created(times.iter().map(|time| with(&network("demo"), &path, json!({ "banSeconds": time }))));
    let message = "write banSeconds of at least 60, or 0 for a ban that does not end";
    case("PeerNetwork", &path, message, lasting(&[0, 60, 2_592_000]), lasting(&[1, 59]))
}
