//! Waits for the custom resource definitions: without them no watch can begin, and with older ones the API server drops
//! fields without a word.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, Client};
use peerwright_crds::{check_bundle, definitions};
use tokio::time::{sleep, timeout};

use crate::{health::Health, metrics::Metrics};

/// How often a missing definition is looked for.
const RETRY: Duration = Duration::from_secs(2);
/// How often it is checked that they are still there.
const RECHECK: Duration = Duration::from_secs(60);
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// The part of readiness that is about definitions.
const PART: &str = "definitions";

/// Returns once every definition is established and new enough; until then `/readyz` says what is wrong.
pub async fn wait_for(client: &Client, health: &Health, metrics: &Metrics) {
    while !look(client, health, metrics).await {
        sleep(RETRY).await;
    }
}

/// Keeps `/readyz` true about the definitions for as long as it is polled.
pub async fn keep_checking(client: &Client, health: &Health, metrics: &Metrics) {
    loop {
        sleep(RECHECK).await;
        wait_for(client, health, metrics).await;
    }
}

async fn look(client: &Client, health: &Health, metrics: &Metrics) -> bool {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let mut wrong = Vec::new();
    for wanted in definitions() {
        let name = wanted.metadata.name.unwrap_or_default();
        let verdict = match timeout(CALL_TIMEOUT, api.get_opt(&name)).await {
            Err(_) => Err(format!("CustomResourceDefinition {name}: the API server does not answer")),
            Ok(Err(error)) => Err(format!("CustomResourceDefinition {name} cannot be read: {error}")),
            Ok(Ok(found)) => judge(&name, found.as_ref()),
        };
        metrics.definition_is_usable(&name, verdict.is_ok());
        wrong.extend(verdict.err());
    }
    let usable = wrong.is_empty();
    if health.set(PART, (!usable).then(|| wrong.join("; "))) && !usable {
        tracing::warn!(reason = wrong.join("; "), "waiting for the definitions");
    }
    usable
}

fn judge(name: &str, found: Option<&CustomResourceDefinition>) -> Result<(), String> {
    let Some(found) = found else {
        return Err(format!("CustomResourceDefinition {name} is missing: install the chart peerwright-crds"));
    };
    let conditions = found.status.as_ref().and_then(|status| status.conditions.as_ref());
    let established = conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Established" && condition.status == "True");
    if !established {
        return Err(format!("CustomResourceDefinition {name} is not established yet"));
    }
    check_bundle(found).map_err(|outdated| outdated.to_string())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
        CustomResourceDefinitionCondition, CustomResourceDefinitionStatus,
    };
    use peerwright_crds::BUNDLE_VERSION_ANNOTATION;

    use super::*;

    fn installed() -> CustomResourceDefinition {
        let mut definition = definitions().remove(0);
        let established = CustomResourceDefinitionCondition {
            type_: "Established".to_owned(),
            status: "True".to_owned(),
            ..CustomResourceDefinitionCondition::default()
        };
        definition.status = Some(CustomResourceDefinitionStatus {
            conditions: Some(vec![established]),
            ..CustomResourceDefinitionStatus::default()
        });
        definition
    }

    #[test]
    fn our_own_definitions_are_usable_once_established() {
        let mut definition = installed();
        assert_eq!(judge("a", Some(&definition)), Ok(()));
        definition.status = None;
        assert!(judge("a", Some(&definition)).unwrap_err().contains("not established"));
    }

    #[test]
    fn a_missing_or_old_definition_is_named() {
        assert!(judge("peerbans.peerwright.dev", None).unwrap_err().contains("peerbans.peerwright.dev is missing"));
        let mut old = installed();
        let name = old.metadata.name.clone().unwrap();
        old.metadata
            .annotations
            .get_or_insert_default()
            .insert(BUNDLE_VERSION_ANNOTATION.to_owned(), "0.0.1".to_owned());
        let message = judge(&name, Some(&old)).unwrap_err();
        assert!(message.contains(&name) && message.contains("0.0.1"), "{message}");
    }
}
