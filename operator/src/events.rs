//! Events: what people read in `kubectl describe` when something changed. Only transitions are told.

use std::time::Duration;

use k8s_openapi::{api::core::v1::ObjectReference, apimachinery::pkg::apis::meta::v1::Condition};
use kube::{
    Client, Resource,
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use tokio::time::timeout;

use crate::{conditions, leadership::Leadership};

/// The API server takes 1,024 bytes.
const LONGEST_NOTE: usize = 1000;
const CALL_TIMEOUT: Duration = Duration::from_secs(3);

/// Tells of transitions, while this replica leads.
#[derive(Clone)]
pub struct Events {
    recorder: Recorder,
    leadership: Leadership,
}

impl Events {
    /// Events of this replica.
    #[must_use]
    pub fn new(client: Client, pod_name: String, leadership: Leadership) -> Self {
        let reporter = Reporter { controller: "peerwright-operator".to_owned(), instance: Some(pod_name) };
        Self { recorder: Recorder::new(client, reporter), leadership }
    }

    /// Tells of one thing that happened to an object. An Event that cannot be written is logged and lost.
    pub async fn tell<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
        type_: EventType,
        reason: &str,
        action: &str,
        note: String,
    ) {
        self.publish(&object.object_ref(&()), None, type_, reason, action, note).await;
    }

    /// As [`Events::tell`], of something that another object has to do with.
    pub async fn tell_with<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
        other: ObjectReference,
        reason: &str,
        action: &str,
        note: String,
    ) {
        self.publish(&object.object_ref(&()), Some(other), EventType::Normal, reason, action, note).await;
    }

    /// Tells of each condition that took another status or reason. `tone` says how, and of what nobody wants to hear; it
    /// sees the condition as it was and as it is.
    pub async fn tell_transitions<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
        before: &[Condition],
        after: &[Condition],
        tone: impl Fn(Option<&Condition>, &Condition) -> Option<EventType>,
    ) {
        for condition in conditions::transitions(before, after) {
            let Some(type_) = tone(conditions::find(before, &condition.type_), condition) else { continue };
            let note = format!("{} is {}: {}", condition.type_, condition.status, condition.message);
            self.publish(&object.object_ref(&()), None, type_, &condition.reason, &condition.type_, note).await;
        }
    }

    async fn publish(
        &self,
        regarding: &ObjectReference,
        secondary: Option<ObjectReference>,
        type_: EventType,
        reason: &str,
        action: &str,
        note: String,
    ) {
        if !self.leadership.is_fresh() {
            return;
        }
        let mut note = note;
        let end = (0..=note.len().min(LONGEST_NOTE)).rev().find(|end| note.is_char_boundary(*end)).unwrap_or(0);
        note.truncate(end);
        let (reason, action) = (reason.to_owned(), action.to_owned());
        let event = Event { type_, reason, note: Some(note), action, secondary };
        match timeout(CALL_TIMEOUT, self.recorder.publish(&event, regarding)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, reason = event.reason, "an Event could not be written"),
            Err(_) => tracing::warn!(reason = event.reason, "an Event could not be written in time"),
        }
    }
}

/// The tone of what went wrong, or went well again: a warning when it is bad, and silence about what is new and neither
/// bad nor true.
#[must_use]
pub fn tone(before: Option<&Condition>, after: &Condition, is_bad: bool) -> Option<EventType> {
    match (is_bad, before) {
        (true, _) => Some(EventType::Warning),
        (false, None) if after.status != "True" => None,
        (false, _) => Some(EventType::Normal),
    }
}
