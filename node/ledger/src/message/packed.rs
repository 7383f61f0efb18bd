//! A message on its way to who has the one before it: without what that one says, or it says itself twice.
//!
//! ```text
//! form u8        1 the message before is known   2 same register   4 same time to live
//! known before   the first 16 bytes of its id
//!   else         origin, incarnation u64, sequence varint, id of the message before
//! floor          varint, below the sequence
//! not the same register     register, register sequence varint      (the same: one more than before)
//! created        near the message before, or the incarnation
//! not the same time to live varint
//! entries        varint count; each 0 announced: id, size varint   1 inline: length varint, bytes
//!                2 a transaction, packed   3 a transaction of the origin's own, packed
//! signature
//! ```
//!
//! Unpacking restores every byte, so nothing that is signed or named changes. Whoever packs has checked that; what does not
//! fit travels as it is.

use super::{
    Entry, Message, MessageBody, MessageHeader, MessageId,
    format::{self, MAX_ENTRIES, MAX_INLINE_BYTES, SIGNATURE_BYTES},
};
use crate::{
    RegisterId, TransactionId,
    transaction::packed::{self, Carrier},
};
use bytes::Bytes;
use peerwright_encoding::{DecodeError, Reader, Writer};
use peerwright_secure::NodePublicKey;

/// What stands for a message that the receiver is to have: so much of its id that to find two with the same takes 2^64 tries.
pub type PredecessorName = [u8; 16];

const FOLLOWS: u8 = 1;
const SAME_REGISTER: u8 = 2;
const SAME_LIFETIME: u8 = 4;

const ANNOUNCED: u8 = 0;
const INLINE: u8 = 1;
const TRANSACTION: u8 = 2;
const OWN_TRANSACTION: u8 = 3;

/// A longer transaction gains little, and its payloads would be hashed by everybody who passes it on.
const MAX_PACKED_BYTES: usize = 4 * 1024;

/// The message before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Predecessor {
    /// What it says.
    pub header: MessageHeader,
    /// Its id.
    pub id: MessageId,
}

/// What stands for the message of this id in the next of its origin.
#[must_use]
pub fn predecessor_name(id: &MessageId) -> PredecessorName {
    id.first_chunk().copied().unwrap_or_default()
}

impl Predecessor {
    /// The message that these bytes begin as.
    #[must_use]
    pub fn read(encoded: &[u8], id: MessageId) -> Option<Self> {
        Some(Self { header: MessageHeader::peek(encoded)?, id })
    }

    /// What stands for it in the next message.
    #[must_use]
    pub fn name(&self) -> PredecessorName {
        predecessor_name(&self.id)
    }

    const fn lifetime(&self) -> u64 {
        self.header.expires_at_micros.saturating_sub(self.header.created_at_micros)
    }
}

impl Message {
    /// This message, as the one before another.
    #[must_use]
    pub fn as_predecessor(&self) -> Predecessor {
        Predecessor { header: MessageHeader::from(&self.body), id: self.id }
    }

    /// The message for a peer that has `before`, if that is the one before it.
    #[must_use]
    pub fn pack(&self, before: Option<&Predecessor>) -> Bytes {
        let body = &self.body;
        let before = before.filter(|before| {
            let header = before.header;
            before.id == body.previous
                && (header.origin, header.incarnation) == (body.origin, body.incarnation)
                && header.sequence.checked_add(1) == Some(body.sequence)
        });
        let is_same_register = before.is_some_and(|before| {
            before.header.register == body.register
                && before.header.register_sequence.checked_add(1) == Some(body.register_sequence)
        });
        let lifetime = body.expires_at_micros - body.created_at_micros;
        let is_same_lifetime = before.is_some_and(|before| before.lifetime() == lifetime);
        let mut writer = Writer::with_capacity(self.encoded.len());
        writer.u8(flag(before.is_some(), FOLLOWS)
            | flag(is_same_register, SAME_REGISTER)
            | flag(is_same_lifetime, SAME_LIFETIME));
        match before {
            Some(before) => writer.raw(&before.name()),
            None => writer.raw(body.origin.as_bytes()).u64(body.incarnation).varint(body.sequence).raw(&body.previous),
        };
        writer.varint(body.sequence - body.floor);
        if !is_same_register {
            writer.raw(body.register.as_bytes()).varint(body.register_sequence);
        }
        writer.near(body.created_at_micros, before.map_or(body.incarnation, |before| before.header.created_at_micros));
        if !is_same_lifetime {
            writer.varint(lifetime);
        }
        writer.varint(body.entries.len() as u64);
        for entry in &body.entries {
            self.pack_entry(&mut writer, entry);
        }
        writer.raw(self.signature.as_bytes());
        writer.finish().into()
    }

    fn pack_entry(&self, writer: &mut Writer, entry: &Entry) {
        match entry {
            Entry::Announced { id, size } => {
                writer.u8(ANNOUNCED).raw(id.as_bytes()).varint((*size).into());
            }
            Entry::Inline(bytes) => match self.packed_transaction(bytes) {
                Some((form, packed)) => {
                    writer.u8(form).raw(&packed);
                }
                None => {
                    writer.u8(INLINE).varint(bytes.len() as u64).raw(bytes);
                }
            },
        }
    }

    fn packed_transaction(&self, bytes: &[u8]) -> Option<(u8, Vec<u8>)> {
        if bytes.len() > MAX_PACKED_BYTES {
            return None;
        }
        let packed = |form| Some((form, packed::pack(bytes, &carrier(&self.body, form)).ok()?));
        packed(OWN_TRANSACTION).or_else(|| packed(TRANSACTION))
    }
}

/// What a message says of its transactions of this form.
fn carrier(body: &MessageBody, form: u8) -> Carrier {
    Carrier {
        register: body.register,
        author: (form == OWN_TRANSACTION).then_some(body.origin),
        created_at_micros: body.created_at_micros,
    }
}

const fn flag(is_set: bool, flag: u8) -> u8 {
    if is_set { flag } else { 0 }
}

/// A packed message of which no more was read than whom it follows.
#[derive(Debug, Clone)]
pub struct Packed<'a> {
    form: u8,
    follows: Option<PredecessorName>,
    rest: Reader<'a>,
}

impl<'a> Packed<'a> {
    /// Reads the front of a packed message.
    pub fn read(packed: &'a [u8]) -> Result<Self, DecodeError> {
        let mut rest = Reader::new(packed);
        let form = rest.u8("packed form")?;
        if form & !(FOLLOWS | SAME_REGISTER | SAME_LIFETIME) != 0 {
            return Err(DecodeError::Unknown { what: "packed form", value: form.into() });
        }
        let follows = if form & FOLLOWS == 0 { None } else { Some(rest.array("message before")?) };
        if follows.is_none() && form != 0 {
            return Err(DecodeError::Invalid("a message that follows none is like none"));
        }
        Ok(Self { form, follows, rest })
    }

    /// The message that it follows, and cannot be unpacked without.
    #[must_use]
    pub const fn follows(&self) -> Option<&PredecessorName> {
        self.follows.as_ref()
    }

    /// Reads everything in front of the entries. `before` is whom it follows.
    pub fn open(self, before: Option<&Predecessor>) -> Result<Opened<'a>, DecodeError> {
        let Self { form, follows, rest: mut reader } = self;
        if follows != before.map(Predecessor::name) {
            return Err(DecodeError::Invalid("a message does not follow this one"));
        }
        let (origin, incarnation, sequence, previous) = match before {
            Some(Predecessor { header, id }) => (header.origin, header.incarnation, next(header.sequence)?, *id),
            None => (
                NodePublicKey::from_bytes(reader.array("origin")?),
                reader.u64("incarnation")?,
                reader.varint("sequence")?,
                reader.array("previous message")?,
            ),
        };
        let floor = reader.varint("floor")?;
        let (register, register_sequence) = match before.filter(|_| form & SAME_REGISTER != 0) {
            Some(before) => (before.header.register, next(before.header.register_sequence)?),
            None => (RegisterId::from_bytes(reader.array("register")?), reader.varint("register sequence")?),
        };
        let created = before.map_or(incarnation, |before| before.header.created_at_micros);
        let created_at_micros = reader.near(created, "creation time")?;
        let lifetime = match before.filter(|_| form & SAME_LIFETIME != 0) {
            Some(before) => before.lifetime(),
            None => reader.varint("time to live")?,
        };
        let body = MessageBody {
            origin,
            incarnation,
            sequence,
            floor: sequence.checked_sub(floor).ok_or(NUMBER)?,
            previous,
            register,
            register_sequence,
            created_at_micros,
            expires_at_micros: created_at_micros.checked_add(lifetime).ok_or(NUMBER)?,
            entries: Vec::new(),
        };
        Ok(Opened { body, rest: reader })
    }
}

/// A packed message whose entries were not looked at.
#[derive(Debug, Clone)]
pub struct Opened<'a> {
    body: MessageBody,
    rest: Reader<'a>,
}

impl Opened<'_> {
    /// What tells whether the rest is of use.
    #[must_use]
    pub fn header(&self) -> MessageHeader {
        MessageHeader::from(&self.body)
    }

    /// The message's bytes, which are still to be read, and believed.
    pub fn unpack(self) -> Result<Bytes, DecodeError> {
        let Self { mut body, rest: mut reader } = self;
        body.entries = unpack_entries(&mut reader, &body)?;
        let signature: [u8; SIGNATURE_BYTES] = reader.array("signature")?;
        reader.finish()?;
        let mut encoded = format::encode(&body);
        encoded.extend_from_slice(&signature);
        Ok(encoded.into())
    }
}

const NUMBER: DecodeError = DecodeError::Invalid("a packed message's number is out of its range");

fn next(number: u64) -> Result<u64, DecodeError> {
    number.checked_add(1).ok_or(NUMBER)
}

fn unpack_entries(reader: &mut Reader<'_>, body: &MessageBody) -> Result<Vec<Entry>, DecodeError> {
    let count = reader.varint_length(MAX_ENTRIES, "entries")?;
    let (mut entries, mut bytes) = (Vec::new(), 0);
    for _ in 0..count {
        let entry = unpack_entry(reader, body)?;
        bytes += format::entry_bytes(&entry);
        if bytes > MAX_INLINE_BYTES {
            let (length, limit) = (bytes as u64, MAX_INLINE_BYTES as u64);
            return Err(DecodeError::TooLong { what: "inline transactions", length, limit });
        }
        entries.push(entry);
    }
    Ok(entries)
}

fn unpack_entry(reader: &mut Reader<'_>, body: &MessageBody) -> Result<Entry, DecodeError> {
    match reader.u8("entry")? {
        ANNOUNCED => Ok(Entry::Announced {
            id: TransactionId::from_bytes(reader.array("announced transaction")?),
            size: u32::try_from(reader.varint("announced size")?).map_err(|_| NUMBER)?,
        }),
        INLINE => {
            let length = reader.varint_length(MAX_INLINE_BYTES, "inline transaction")?;
            Ok(Entry::Inline(Bytes::copy_from_slice(reader.raw(length, "inline transaction")?)))
        }
        form @ (TRANSACTION | OWN_TRANSACTION) => {
            let bytes = packed::unpack(reader, &carrier(body, form), MAX_PACKED_BYTES)?;
            Ok(Entry::Inline(bytes.into()))
        }
        value => Err(DecodeError::Unknown { what: "entry", value: value.into() }),
    }
}
