//! Waits for the custom resource definitions: without them no watch can begin, and with older ones the API server drops
//! fields without a word.
//!
//! Before the start everything counts that keeps the definitions from being seen. Later only what was seen of them does:
//! an API server that does not answer must not make every replica unready at once.

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
    while !look(client, health, metrics, Unseen::Waits).await {
        sleep(RETRY).await;
    }
}

/// Keeps `/readyz` true about the definitions for as long as it is polled.
pub async fn keep_checking(client: &Client, health: &Health, metrics: &Metrics) {
    loop {
        sleep(RECHECK).await;
        while !look(client, health, metrics, Unseen::StaysAsItWas).await {
            sleep(RETRY).await;
        }
    }
}

/// What a definition that cannot be looked at says about readiness.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unseen {
    /// It is waited for.
    Waits,
    /// Nothing.
    StaysAsItWas,
}

/// Looks at every definition once; true when all are usable, as far as could be seen.
async fn look(client: &Client, health: &Health, metrics: &Metrics, unseen: Unseen) -> bool {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let (mut wrong, mut seen_all) = (Vec::new(), true);
    for wanted in definitions() {
        let name = wanted.metadata.name.unwrap_or_default();
        let seen = match timeout(CALL_TIMEOUT, api.get_opt(&name)).await {
            Err(_) => Err(format!("CustomResourceDefinition {name}: the API server does not answer")),
            Ok(Err(error)) => Err(format!("CustomResourceDefinition {name} cannot be read: {error}")),
            Ok(Ok(found)) => Ok(judge(&name, found.as_ref())),
        };
        let verdict = match seen {
            Ok(verdict) => verdict,
            Err(reason) if unseen == Unseen::Waits => Err(reason),
            Err(reason) => {
                tracing::debug!(reason, "a definition cannot be looked at right now");
                seen_all = false;
                continue;
            }
        };
        metrics.definition_is_usable(&name, verdict.is_ok());
        wrong.extend(verdict.err());
    }
    let usable = wrong.is_empty();
    if usable && !seen_all {
        // What was wrong before may still be: nothing new is known.
        return true;
    }
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
    use crate::identity::fake_api::FakeApi;

    const PATH: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

    fn install_all(api: &FakeApi) {
        for mut definition in definitions() {
            definition.status = installed().status;
            api.put(PATH, serde_json::to_value(definition).unwrap());
        }
    }

    #[tokio::test]
    async fn an_api_server_that_fails_makes_no_running_operator_unready() {
        let (api, health, metrics) = (FakeApi::default(), Health::starting(&[PART]), Metrics::new());
        let client = api.client();
        install_all(&api);
        api.break_down(true);
        assert!(!look(&client, &health, &metrics, Unseen::Waits).await);
        assert!(health.waits().unwrap().contains("cannot be read"), "before the start it is waited for");

        api.break_down(false);
        assert!(look(&client, &health, &metrics, Unseen::Waits).await);
        api.break_down(true);
        assert!(look(&client, &health, &metrics, Unseen::StaysAsItWas).await);
        assert_eq!(health.waits(), None);
    }

    #[tokio::test]
    async fn a_definition_that_goes_while_the_operator_runs_makes_it_unready_until_it_is_back() {
        let (api, health, metrics) = (FakeApi::default(), Health::starting(&[PART]), Metrics::new());
        let client = api.client();
        install_all(&api);
        assert!(look(&client, &health, &metrics, Unseen::Waits).await);
        api.remove(&format!("{PATH}/peerbans.peerwright.dev"));
        assert!(!look(&client, &health, &metrics, Unseen::StaysAsItWas).await);
        assert!(health.waits().unwrap().contains("peerbans.peerwright.dev is missing"));

        api.break_down(true);
        look(&client, &health, &metrics, Unseen::StaysAsItWas).await;
        assert!(health.waits().is_some(), "what was seen to be missing stays so until it is seen again");
        api.break_down(false);
        install_all(&api);
        assert!(look(&client, &health, &metrics, Unseen::StaysAsItWas).await);
        assert_eq!(health.waits(), None);
    }

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
