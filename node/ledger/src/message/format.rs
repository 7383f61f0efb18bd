//! The version-1 encoding of a message, and its limits.

use super::{Entry, MessageBody};
use crate::{MAX_TRANSACTION_BYTES, RegisterId, TransactionId};
use bytes::Bytes;
use peerwright_encoding::{DecodeError, Reader, Writer};
use peerwright_secure::{NodePublicKey, Signature};

/// Most transactions in a message.
pub const MAX_ENTRIES: usize = 64;
/// Most bytes of transactions that are gathered in a message.
pub const MAX_GATHERED_BYTES: usize = 16 * 1024;
/// The longest transaction that rides in a message, then alone. Longer ones are announced.
pub const MAX_INLINE_BYTES: usize = 32 * 1024;
/// The longest transaction that is announced.
pub const MAX_ANNOUNCED_BYTES: u32 = MAX_TRANSACTION_BYTES;
/// The longest message.
pub const MAX_MESSAGE_BYTES: usize = MAX_INLINE_BYTES + 512;

pub(super) const FORMAT: u8 = 1;
pub(super) const SIGNATURE_BYTES: usize = 64;
const INLINE: u8 = 0;
const ANNOUNCED: u8 = 1;

/// What everything but the entries takes.
const FRONT_BYTES: usize = 1 + 32 + 3 * 8 + 32 + 16 + 3 * 8 + 4;

/// Everything but the signature, for which there is just the room: a message is kept as it is written.
pub(super) fn encode(message: &MessageBody) -> Vec<u8> {
    let entries = message.entries.iter().map(|entry| match entry {
        Entry::Inline(bytes) => 1 + 4 + bytes.len(),
        Entry::Announced { .. } => 1 + 32 + 4,
    });
    let mut writer = Writer::with_capacity(FRONT_BYTES + entries.sum::<usize>() + SIGNATURE_BYTES);
    writer
        .u8(FORMAT)
        .raw(message.origin.as_bytes())
        .u64(message.incarnation)
        .u64(message.sequence)
        .u64(message.floor)
        .raw(&message.previous)
        .raw(message.register.as_bytes())
        .u64(message.register_sequence)
        .u64(message.created_at_micros)
        .u64(message.expires_at_micros)
        .list(&message.entries, |writer, entry| {
            match entry {
                Entry::Inline(bytes) => writer.u8(INLINE).bytes(bytes),
                Entry::Announced { id, size } => writer.u8(ANNOUNCED).raw(id.as_bytes()).u32(*size),
            };
        });
    writer.finish()
}

/// What the signature is about, of bytes that [`parse`] accepts.
pub(super) fn signed_part(encoded: &[u8]) -> &[u8] {
    encoded.split_last_chunk::<SIGNATURE_BYTES>().map_or(&[], |(signed, _)| signed)
}

/// Reads message and signature; the entries stay in `encoded`.
pub(super) fn parse(encoded: &Bytes) -> Result<(MessageBody, Signature), DecodeError> {
    if encoded.len() > MAX_MESSAGE_BYTES {
        let length = encoded.len() as u64;
        return Err(DecodeError::TooLong { what: "message", length, limit: MAX_MESSAGE_BYTES as u64 });
    }
    let mut reader = Reader::new(encoded);
    match reader.u8("message format")? {
        FORMAT => {}
        value => return Err(DecodeError::Unknown { what: "message format", value: value.into() }),
    }
    let message = MessageBody {
        origin: NodePublicKey::from_bytes(reader.array("origin")?),
        incarnation: reader.u64("incarnation")?,
        sequence: reader.u64("sequence")?,
        floor: reader.u64("floor")?,
        previous: reader.array("previous message")?,
        register: RegisterId::from_bytes(reader.array("register")?),
        register_sequence: reader.u64("register sequence")?,
        created_at_micros: reader.u64("creation time")?,
        expires_at_micros: reader.u64("expiry")?,
        entries: reader.list(MAX_ENTRIES, "entries", |reader| read_entry(reader, encoded))?,
    };
    let signature = Signature::from_bytes(reader.array("signature")?);
    reader.finish()?;
    check_numbers(&message)?;
    check_entries(&message.entries)?;
    Ok((message, signature))
}

fn read_entry(reader: &mut Reader<'_>, encoded: &Bytes) -> Result<Entry, DecodeError> {
    match reader.u8("entry")? {
        INLINE => Ok(Entry::Inline(encoded.slice_ref(reader.bytes(MAX_INLINE_BYTES, "inline transaction")?))),
        ANNOUNCED => Ok(Entry::Announced {
            id: TransactionId::from_bytes(reader.array("announced transaction")?),
            size: reader.u32("announced size")?,
        }),
        value => Err(DecodeError::Unknown { what: "entry", value: value.into() }),
    }
}

fn check_numbers(message: &MessageBody) -> Result<(), DecodeError> {
    if message.floor > message.sequence {
        return Err(DecodeError::Invalid("a message's floor is above its sequence"));
    }
    if !(1..=message.sequence).contains(&message.register_sequence) {
        return Err(DecodeError::Invalid("a message's register sequence is not between 1 and its sequence"));
    }
    if message.sequence == 1 && message.previous != [0; 32] {
        return Err(DecodeError::Invalid("an incarnation's first message names one before it"));
    }
    if message.expires_at_micros <= message.created_at_micros {
        return Err(DecodeError::Invalid("a message expires before it was created"));
    }
    Ok(())
}

fn check_entries(entries: &[Entry]) -> Result<(), DecodeError> {
    match entries {
        [] => Err(DecodeError::Invalid("a message has no entry")),
        [Entry::Inline(_)] => Ok(()),
        [Entry::Announced { size, .. }] => {
            let is_large = usize::try_from(*size).is_ok_and(|size| size > MAX_INLINE_BYTES);
            if is_large && *size <= MAX_ANNOUNCED_BYTES {
                Ok(())
            } else {
                Err(DecodeError::Invalid("the size of an announced transaction is not between 32 KiB and 10 MiB"))
            }
        }
        several => {
            if several.iter().any(|entry| matches!(entry, Entry::Announced { .. })) {
                return Err(DecodeError::Invalid("an announced transaction does not ride alone"));
            }
            let bytes: usize = several.iter().map(entry_bytes).sum();
            if bytes > MAX_GATHERED_BYTES {
                return Err(DecodeError::TooLong {
                    what: "gathered transactions",
                    length: bytes as u64,
                    limit: MAX_GATHERED_BYTES as u64,
                });
            }
            Ok(())
        }
    }
}

pub(super) fn entry_bytes(entry: &Entry) -> usize {
    match entry {
        Entry::Inline(bytes) => bytes.len(),
        Entry::Announced { .. } => 0,
    }
}
