//! Gathers what [`authorize`](super::authorize) decides on: what the API server says about a token and its pod.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use k8s_openapi::{
    api::{
        apps::v1::StatefulSet,
        authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus},
        core::v1::{PersistentVolumeClaim, Pod},
    },
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use kube::{Api, Client, ResourceExt, api::PostParams};
use serde::Deserialize;

use super::{CallError, Claims, ControllerFacts, PodFacts, StatefulSetFacts, calls::read};

/// The volume that holds a node's key.
const DATA_VOLUME: &str = "data";

const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
const POD_UID: &str = "authentication.kubernetes.io/pod-uid";

/// The audiences that a token claims, unverified: they only choose what to ask the API server for.
#[must_use]
pub fn claimed_audiences(token: &str) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct Payload {
        aud: Audiences,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Audiences {
        One(String),
        Many(Vec<String>),
    }
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    match serde_json::from_slice::<Payload>(&payload).ok()?.aud {
        Audiences::One(audience) => Some(vec![audience]),
        Audiences::Many(audiences) => Some(audiences),
    }
}

/// Asks the API server about a token. `None` when it does not vouch for the token as one of a pod.
///
/// # Errors
/// When the API server does not answer.
pub async fn review_token(client: &Client, token: &str, audience: &str) -> Result<Option<Claims>, CallError> {
    let review = TokenReview {
        spec: TokenReviewSpec { audiences: Some(vec![audience.to_owned()]), token: Some(token.to_owned()) },
        ..TokenReview::default()
    };
    let reviews: Api<TokenReview> = Api::all(client.clone());
    let answer = read(reviews.create(&PostParams::default(), &review)).await?;
    Ok(answer.status.as_ref().and_then(claims_of))
}

/// Asks the API server about the pod that a token names. `None` when there is no such pod.
///
/// # Errors
/// When the API server does not answer.
pub async fn inspect_pod(client: &Client, claims: &Claims) -> Result<Option<PodFacts>, CallError> {
    let namespace = claims.namespace.as_str();
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let Some(pod) = read(pods.get_opt(&claims.pod_name)).await? else { return Ok(None) };
    let set = match stateful_set_reference(&pod) {
        Some((name, _)) => {
            let sets: Api<StatefulSet> = Api::namespaced(client.clone(), namespace);
            read(sets.get_metadata_opt(name)).await?.map(|set| StatefulSetFacts {
                name: set.name_any(),
                uid: set.uid().unwrap_or_default(),
                controller_uid: controller_of(set.owner_references()).map(|owner| owner.uid.clone()),
            })
        }
        None => None,
    };
    let claim_uid = match data_claim(&pod) {
        Some(name) => {
            let volume_claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace);
            read(volume_claims.get_metadata_opt(name)).await?.and_then(|found| found.uid())
        }
        None => None,
    };
    Ok(Some(facts_of(&pod, set, claim_uid)))
}

fn claims_of(status: &TokenReviewStatus) -> Option<Claims> {
    if status.authenticated != Some(true) {
        return None;
    }
    let user = status.user.as_ref()?;
    let mut account = user.username.as_deref()?.strip_prefix("system:serviceaccount:")?.split(':');
    let (Some(namespace), Some(service_account), None) = (account.next(), account.next(), account.next()) else {
        return None;
    };
    let extra = user.extra.as_ref()?;
    Some(Claims {
        audiences: status.audiences.clone().unwrap_or_default(),
        namespace: namespace.to_owned(),
        service_account: service_account.to_owned(),
        pod_name: only_value(extra, POD_NAME)?,
        pod_uid: only_value(extra, POD_UID)?,
    })
}

fn only_value(extra: &BTreeMap<String, Vec<String>>, key: &str) -> Option<String> {
    match extra.get(key)?.as_slice() {
        [value] if !value.is_empty() => Some(value.clone()),
        _ => None,
    }
}

fn facts_of(pod: &Pod, set: Option<StatefulSetFacts>, claim_uid: Option<String>) -> PodFacts {
    let controller = match stateful_set_reference(pod) {
        Some((_, uid)) => Some(ControllerFacts::StatefulSet { referenced_uid: uid.to_owned(), live: set }),
        None => controller_of(pod.owner_references()).map(|_| ControllerFacts::Other),
    };
    let spec = pod.spec.as_ref();
    PodFacts {
        name: pod.name_any(),
        uid: pod.uid().unwrap_or_default(),
        deleting: pod.metadata.deletion_timestamp.is_some(),
        service_account: spec.and_then(|spec| spec.service_account_name.clone()).unwrap_or_default(),
        controller,
        claim_uid,
    }
}

/// Name and UID of the StatefulSet that the pod says controls it.
fn stateful_set_reference(pod: &Pod) -> Option<(&str, &str)> {
    let owner = controller_of(pod.owner_references())?;
    let is_set = owner.kind == "StatefulSet" && owner.api_version.starts_with("apps/");
    is_set.then_some((owner.name.as_str(), owner.uid.as_str()))
}

fn controller_of(owners: &[OwnerReference]) -> Option<&OwnerReference> {
    owners.iter().find(|owner| owner.controller == Some(true))
}

/// Name of the claim behind the pod's data volume.
fn data_claim(pod: &Pod) -> Option<&str> {
    let volumes = pod.spec.as_ref()?.volumes.as_ref()?;
    let volume = volumes.iter().find(|volume| volume.name == DATA_VOLUME)?;
    Some(volume.persistent_volume_claim.as_ref()?.claim_name.as_str())
}

#[cfg(test)]
#[path = "evidence_tests.rs"]
mod tests;
