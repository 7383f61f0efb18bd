//! Members' names.

use crate::{SpiffeId, SpiffeRefused};
use proptest::prelude::*;

#[test]
fn a_members_name_says_trust_domain_namespace_and_node() {
    let name: SpiffeId = "spiffe://demo.default.peerwright.internal/node/default/demo-peer-0".parse().unwrap();
    assert_eq!(name.trust_domain(), "demo.default.peerwright.internal");
    assert_eq!(name.namespace(), "default");
    assert_eq!(name.node(), "demo-peer-0");
    assert_eq!(name, SpiffeId::new("demo.default.peerwright.internal", "default", "demo-peer-0").unwrap());
}

#[test]
fn other_names_are_refused() {
    let long = format!("spiffe://{}/node/b/c", "a".repeat(256));
    for name in [
        "",
        "spiffe://",
        "https://a/node/b/c",
        "SPIFFE://a/node/b/c",
        "spiffe://A/node/b/c",
        "spiffe://a/node/b",
        "spiffe://a/node/b/c/",
        "spiffe://a/node/b/c/d",
        "spiffe://a/pod/b/c",
        "spiffe://a/node//c",
        "spiffe:///node/b/c",
        "spiffe://a/node/b/..",
        "spiffe://a/node/b.b/c",
        "spiffe://a:1/node/b/c",
        "spiffe://u@a/node/b/c",
        "spiffe://a/node/b/c?d",
        "spiffe://a/node/b/c#d",
        "spiffe://a/node/b/%63",
        "spiffe://a/node/b/é",
        &long,
    ] {
        assert_eq!(name.parse::<SpiffeId>(), Err(SpiffeRefused), "{name}");
    }
    assert_eq!(SpiffeId::new("a", "b/c", "d"), Err(SpiffeRefused));
}

proptest! {
    #[test]
    fn a_name_that_is_read_is_written_back(text in "spiffe://[a-z0-9._-]{0,8}/node/[a-z0-9-]{0,8}/[a-z0-9./-]{0,8}") {
        if let Ok(name) = text.parse::<SpiffeId>() {
            prop_assert_eq!(name.to_string(), text);
        }
    }
}
