//! The API server's audit log: who wrote what.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// As in `system:serviceaccount:peerwright-system:peerwright-operator`.
    pub user: String,
    /// As in `patch`.
    pub verb: String,
    /// Resource with its subresource, as in `peerbans/status`.
    pub resource: String,
    /// Namespace and name.
    pub object: String,
}

/// Every write so far, oldest first.
///
/// # Errors
/// If the log cannot be read.
pub fn writes(log: &Path) -> Result<Vec<Write>> {
    let text = std::fs::read_to_string(log).with_context(|| log.display().to_string())?;
    // The last line may be half written.
    let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    Ok(events.filter(|event| event["stage"] == "ResponseComplete").map(|event| write(&event)).collect())
}

fn write(event: &Value) -> Write {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let about = &event["objectRef"];
    let resource = match about["subresource"].as_str() {
        Some(subresource) => format!("{}/{subresource}", word(&about["resource"])),
        None => word(&about["resource"]),
    };
    Write {
        user: word(&event["user"]["username"]),
        verb: word(&event["verb"]),
        resource,
        object: format!("{}/{}", word(&about["namespace"]), word(&about["name"])),
    }
}
