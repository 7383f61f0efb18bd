//! The version-1 encoding of a transaction, and its limits.

use super::{Kind, Metadata, Payload, TransactionBody};
use crate::{Refusal, RegisterId, TransactionId};
use bytes::Bytes;
use peerwright_encoding::{DecodeError, Reader, Writer};
use peerwright_secure::{NodePublicKey, Signature};
use std::collections::{BTreeMap, BTreeSet};

/// The longest transaction, with its signature.
pub const MAX_TRANSACTION_BYTES: u32 = 10 * 1024 * 1024;
/// Most payloads.
pub const MAX_PAYLOADS: usize = 64;
/// Most recipients, names in an access list, and tracking values.
pub const MAX_LIST_ITEMS: usize = 256;
/// The longest name: subject, recipient, workflow part, tracking key, media type, challenge.
pub const MAX_NAME_BYTES: usize = 512;
/// The longest tracking value.
pub const MAX_TRACKING_VALUE_BYTES: usize = 4096;

pub(super) const FORMAT: u8 = 1;
pub(super) const SIGNATURE_BYTES: usize = 64;

/// Everything but the signature.
pub(super) fn encode(body: &TransactionBody) -> Vec<u8> {
    let data: usize = body.payloads.iter().map(|payload| payload.data().len()).sum();
    let mut writer = Writer::with_capacity(data + 1024);
    writer
        .u8(FORMAT)
        .raw(body.register.as_bytes())
        .option(body.previous, |writer, previous| {
            writer.raw(previous.as_bytes());
        })
        .raw(body.author.as_bytes());
    write_name(&mut writer, body.subject.as_ref());
    write_names(&mut writer, &body.recipients);
    writer.u64(body.created_at_micros).u64(body.valid_until_micros).u8(kind_byte(body.kind));
    write_metadata(&mut writer, &body.metadata);
    writer.list(&body.payloads, write_payload);
    writer.finish()
}

/// What the signature is about, of bytes that [`parse`] accepts.
pub(super) fn signed_part(encoded: &[u8]) -> &[u8] {
    encoded.split_last_chunk::<SIGNATURE_BYTES>().map_or(&[], |(signed, _)| signed)
}

/// Reads body and signature; payload data stays in `encoded`, its hashes are not yet compared.
pub(super) fn parse(encoded: &Bytes) -> Result<(TransactionBody, Signature), Refusal> {
    if u32::try_from(encoded.len()).map_or(true, |length| length > MAX_TRANSACTION_BYTES) {
        return Err(Refusal::TooLarge { bytes: encoded.len(), limit: MAX_TRANSACTION_BYTES });
    }
    let mut reader = Reader::new(encoded);
    let body = read_body(&mut reader, encoded)?;
    let signature = Signature::from_bytes(reader.array("signature")?);
    reader.finish()?;
    Ok((body, signature))
}

fn read_body(reader: &mut Reader<'_>, encoded: &Bytes) -> Result<TransactionBody, DecodeError> {
    match reader.u8("transaction format")? {
        FORMAT => {}
        value => return Err(DecodeError::Unknown { what: "transaction format", value: value.into() }),
    }
    Ok(TransactionBody {
        register: RegisterId::from_bytes(reader.array("register")?),
        previous: reader
            .option("previous transaction", |reader| reader.array("previous transaction"))?
            .map(TransactionId::from_bytes),
        author: NodePublicKey::from_bytes(reader.array("author")?),
        subject: read_name(reader, "subject")?,
        recipients: read_names(reader, "recipients")?,
        created_at_micros: reader.u64("creation time")?,
        valid_until_micros: reader.u64("end of validity")?,
        kind: read_kind(reader)?,
        metadata: read_metadata(reader)?,
        payloads: reader.list(MAX_PAYLOADS, "payloads", |reader| read_payload(reader, encoded))?,
    })
}

fn write_metadata(writer: &mut Writer, metadata: &Metadata) {
    for name in [&metadata.blueprint, &metadata.instance, &metadata.action, &metadata.next_action] {
        write_name(writer, name.as_ref());
    }
    let tracking: Vec<_> = metadata.tracking.iter().collect();
    writer.list(&tracking, |writer, (key, value)| {
        writer.text(key).text(value);
    });
}

fn read_metadata(reader: &mut Reader<'_>) -> Result<Metadata, DecodeError> {
    Ok(Metadata {
        blueprint: read_name(reader, "blueprint")?,
        instance: read_name(reader, "instance")?,
        action: read_name(reader, "action")?,
        next_action: read_name(reader, "next action")?,
        tracking: read_tracking(reader)?,
    })
}

fn read_tracking(reader: &mut Reader<'_>) -> Result<BTreeMap<String, String>, DecodeError> {
    let values = reader.list(MAX_LIST_ITEMS, "tracking values", |reader| {
        let key = reader.text(MAX_NAME_BYTES, "tracking key")?;
        Ok((key, reader.text(MAX_TRACKING_VALUE_BYTES, "tracking value")?))
    })?;
    if !values.is_sorted_by(|(earlier, _), (later, _)| earlier < later) {
        return Err(DecodeError::Invalid("the tracking keys are not in ascending order"));
    }
    Ok(values.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
}

fn write_payload(writer: &mut Writer, payload: &Payload) {
    write_names(writer, &payload.access);
    writer
        .text(&payload.content_type)
        .text(&payload.content_encoding)
        .raw(payload.hash())
        .bytes(payload.data())
        .option(payload.challenge.as_ref(), |writer, challenge| {
            writer.bytes(challenge);
        });
}

fn read_payload(reader: &mut Reader<'_>, encoded: &Bytes) -> Result<Payload, DecodeError> {
    let access = read_names(reader, "access list")?;
    let content_type = reader.text(MAX_NAME_BYTES, "content type")?.to_owned();
    let content_encoding = reader.text(MAX_NAME_BYTES, "content encoding")?.to_owned();
    let hash = reader.array("payload hash")?;
    let data = encoded.slice_ref(reader.bytes(encoded.len(), "payload data")?);
    let challenge = reader.option("challenge", |reader| reader.bytes(MAX_NAME_BYTES, "challenge"))?;
    let challenge = challenge.map(|challenge| encoded.slice_ref(challenge));
    let mut payload = Payload::with_hash(data, hash);
    (payload.access, payload.challenge) = (access, challenge);
    (payload.content_type, payload.content_encoding) = (content_type, content_encoding);
    Ok(payload)
}

fn write_name(writer: &mut Writer, name: Option<&String>) {
    writer.option(name, |writer, name| {
        writer.text(name);
    });
}

fn read_name(reader: &mut Reader<'_>, what: &'static str) -> Result<Option<String>, DecodeError> {
    reader.option(what, |reader| reader.text(MAX_NAME_BYTES, what).map(str::to_owned))
}

fn write_names(writer: &mut Writer, names: &BTreeSet<String>) {
    let names: Vec<_> = names.iter().collect();
    writer.list(&names, |writer, name| {
        writer.text(name);
    });
}

fn read_names(reader: &mut Reader<'_>, what: &'static str) -> Result<BTreeSet<String>, DecodeError> {
    let names = reader.list(MAX_LIST_ITEMS, what, |reader| reader.text(MAX_NAME_BYTES, what))?;
    if !names.is_sorted_by(|earlier, later| earlier < later) {
        return Err(DecodeError::Invalid("the names in a list are not in ascending order"));
    }
    Ok(names.into_iter().map(str::to_owned).collect())
}

const fn kind_byte(kind: Kind) -> u8 {
    match kind {
        Kind::Control => 0,
        Kind::Action => 1,
        Kind::Docket => 2,
        Kind::Participant => 3,
    }
}

pub(super) fn read_kind(reader: &mut Reader<'_>) -> Result<Kind, DecodeError> {
    match reader.u8("kind")? {
        0 => Ok(Kind::Control),
        1 => Ok(Kind::Action),
        2 => Ok(Kind::Docket),
        3 => Ok(Kind::Participant),
        value => Err(DecodeError::Unknown { what: "kind", value: value.into() }),
    }
}
