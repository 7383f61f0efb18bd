//! The JSON of a transaction to hand in.

use super::super::{Node, error::ApiError, json, time};
use crate::registers::Act;
use base64::{Engine, engine::general_purpose::STANDARD};
use peerwright_ledger::{Kind, Metadata, Payload, RegisterId, Transaction, TransactionBody, TransactionId};
use peerwright_snapshot::SettingId;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Used when the network says nothing.
const DEFAULT_VALID_SECONDS: u32 = 3_600;
const MAX_VALID_SECONDS: u32 = 86_400;
const MICROS_PER_SECOND: u64 = 1_000_000;

/// Either `signed` alone, or a description to be signed by this node.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::api) struct Submission {
    /// A whole transaction, encoded and signed by its author: base64.
    signed: Option<String>,
    #[serde(rename = "type")]
    kind: Option<KindName>,
    payloads: Option<Vec<PayloadInput>>,
    recipients: Option<BTreeSet<String>>,
    #[serde(default, deserialize_with = "json::from_text")]
    previous: Option<TransactionId>,
    metadata: Option<MetadataInput>,
    valid_for_seconds: Option<u32>,
}

#[derive(Deserialize)]
enum KindName {
    Control,
    Action,
    Docket,
    Participant,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PayloadInput {
    /// base64
    data: Option<String>,
    text: Option<String>,
    #[serde(default, deserialize_with = "json::present")]
    json: Option<Value>,
    content_type: Option<String>,
    content_encoding: Option<String>,
    #[serde(default)]
    access: BTreeSet<String>,
    /// base64
    challenge: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MetadataInput {
    blueprint: Option<String>,
    instance: Option<String>,
    action: Option<String>,
    next_action: Option<String>,
    #[serde(default)]
    tracking: BTreeMap<String, String>,
}

impl Submission {
    /// What is done with a blueprint, and its definition.
    pub(in crate::api) fn of_blueprint(name: String, act: Act, definition: Option<Value>) -> Self {
        let metadata =
            MetadataInput { blueprint: Some(name), action: Some(act.label().to_owned()), ..MetadataInput::default() };
        let payload = definition.map(|definition| PayloadInput { json: Some(definition), ..PayloadInput::default() });
        Self { payloads: Some(Vec::from_iter(payload)), metadata: Some(metadata), ..Self::default() }
    }

    /// Whether it takes no more than so many characters to read; what is described as JSON may take any number.
    pub(super) fn is_within(&self, characters: usize) -> bool {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let payloads = self.payloads.iter().flatten();
        let length = |payload: &PayloadInput| text(&payload.data) + text(&payload.text);
        payloads.clone().all(|payload| payload.json.is_none())
            && text(&self.signed) + payloads.map(length).sum::<usize>() <= characters
    }

    /// Reads the caller's transaction, or signs the described one for the caller.
    pub(super) fn into_transaction(
        self,
        node: &dyn Node,
        subject: Option<String>,
        register: RegisterId,
    ) -> Result<Transaction, ApiError> {
        if let Some(signed) = self.signed {
            let described = self.kind.is_some()
                || self.payloads.is_some()
                || self.recipients.is_some()
                || self.previous.is_some()
                || self.metadata.is_some()
                || self.valid_for_seconds.is_some();
            if described {
                return Err(invalid("signed stands alone: the other fields are inside the signed transaction"));
            }
            return Ok(Transaction::decode(from_base64("signed", &signed)?)?);
        }
        let created_at_micros = time::now_micros();
        let valid_seconds = valid_seconds(self.valid_for_seconds, node)?;
        let payloads = self.payloads.ok_or_else(|| invalid("payloads is missing: a list of payloads, or signed"))?;
        let payloads = payloads.into_iter().enumerate();
        let body = TransactionBody {
            register,
            previous: self.previous,
            author: node.identity().public_key,
            subject,
            recipients: self.recipients.unwrap_or_default(),
            created_at_micros,
            valid_until_micros: created_at_micros.saturating_add(u64::from(valid_seconds) * MICROS_PER_SECOND),
            kind: self.kind.map_or(Kind::Action, KindName::into_kind),
            metadata: self.metadata.map_or_else(Metadata::default, MetadataInput::into_metadata),
            payloads: payloads.map(|(place, payload)| payload.into_payload(place)).collect::<Result<_, _>>()?,
        };
        Ok(node.sign(body)?)
    }
}

fn valid_seconds(asked: Option<u32>, node: &dyn Node) -> Result<u32, ApiError> {
    match asked {
        Some(seconds) if (1..=MAX_VALID_SECONDS).contains(&seconds) => Ok(seconds),
        Some(seconds) => Err(invalid(format!("validForSeconds is {seconds}: accepted is 1 to {MAX_VALID_SECONDS}"))),
        None => {
            let configured = node.snapshot().map(|snapshot| snapshot.content.settings.value(SettingId::TransactionTtl));
            let seconds = configured.and_then(|seconds| u32::try_from(seconds).ok());
            Ok(seconds.unwrap_or(DEFAULT_VALID_SECONDS).min(MAX_VALID_SECONDS))
        }
    }
}

impl KindName {
    fn into_kind(self) -> Kind {
        match self {
            Self::Control => Kind::Control,
            Self::Action => Kind::Action,
            Self::Docket => Kind::Docket,
            Self::Participant => Kind::Participant,
        }
    }
}

impl MetadataInput {
    fn into_metadata(self) -> Metadata {
        let Self { blueprint, instance, action, next_action, tracking } = self;
        Metadata { blueprint, instance, action, next_action, tracking }
    }
}

impl PayloadInput {
    fn into_payload(self, place: usize) -> Result<Payload, ApiError> {
        let (data, content_type) = match (self.data, self.text, self.json) {
            (Some(data), None, None) => (from_base64(&format!("payloads[{place}].data"), &data)?, ""),
            (None, Some(text), None) => (text.into_bytes(), "text/plain; charset=utf-8"),
            (None, None, Some(json)) => (
                serde_json::to_vec(&json).map_err(|error| invalid(format!("payloads[{place}].json: {error}")))?,
                "application/json",
            ),
            _ => return Err(invalid(format!("payloads[{place}] needs exactly one of data (base64), text and json"))),
        };
        let challenge = self.challenge.map(|text| from_base64(&format!("payloads[{place}].challenge"), &text));
        let mut payload = Payload::new(data);
        payload.access = self.access;
        payload.content_type = self.content_type.unwrap_or_else(|| content_type.to_owned());
        payload.content_encoding = self.content_encoding.unwrap_or_default();
        payload.challenge = challenge.transpose()?.map(Into::into);
        Ok(payload)
    }
}

fn from_base64(place: &str, text: &str) -> Result<Vec<u8>, ApiError> {
    STANDARD.decode(text).map_err(|error| invalid(format!("{place} is not base64 (RFC 4648, padded): {error}")))
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::bad_request("json_invalid", message)
}
