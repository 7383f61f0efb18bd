//! The settings that a network's spec makes, as a snapshot says them: the table of settings names a path in the spec for
//! each. What the spec leaves out the snapshot leaves out, and each node's default holds.

use peerwright_crds::PeerNetwork;
use peerwright_snapshot::{SettingId, Settings};
use serde_json::Value;

/// The settings of a network, and its authority over registers.
pub(super) fn settings(network: &PeerNetwork, authority: Option<[u8; 32]>) -> Settings {
    let written = serde_json::to_value(&network.spec).unwrap_or_default();
    let mut settings = Settings::default();
    for id in SettingId::ALL {
        let place = id.setting().path.split('.').try_fold(&written, |place, name| place.get(name));
        if let Some(value) = place.and_then(Value::as_u64) {
            settings.set(*id, value);
        }
    }
    if let Some(key) = authority {
        settings.set_authority(key);
    }
    settings.set_begins_system(network.begins_system_register());
    settings
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
