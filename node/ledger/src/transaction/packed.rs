//! A transaction within a packed message: without what the message says of it, or its own data do.
//!
//! ```text
//! left out   format, register; the author, when it is the message's origin; the payloads' hashes
//! shorter    times, by their distance; counts and lengths, as varints
//! the rest   byte for byte
//! ```

use super::format::{FORMAT, MAX_LIST_ITEMS, MAX_PAYLOADS, SIGNATURE_BYTES};
use crate::RegisterId;
use peerwright_encoding::{DecodeError, Reader, Writer};
use peerwright_secure::{NodePublicKey, sha256};

/// What a message says of the transactions that it carries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Carrier {
    pub(crate) register: RegisterId,
    /// Who has signed the transaction, if that is to be left out.
    pub(crate) author: Option<NodePublicKey>,
    pub(crate) created_at_micros: u64,
}

/// Packs `whole`. Refuses what [`unpack`] would not restore byte for byte.
pub(crate) fn pack(whole: &[u8], carrier: &Carrier) -> Result<Vec<u8>, DecodeError> {
    let (mut from, mut to) = (Reader::new(whole), Writer::with_capacity(whole.len()));
    Passage { from: &mut from, to: &mut to, packs: true }.transaction(carrier)?;
    from.finish()?;
    Ok(to.finish())
}

/// Restores the transaction at the front of `packed`, of at most so many bytes.
pub(crate) fn unpack(packed: &mut Reader<'_>, carrier: &Carrier, limit: usize) -> Result<Vec<u8>, DecodeError> {
    // Nothing behind that is read, so that nobody has more hashed.
    let mut from = packed.at_most(limit);
    let before = from.remaining();
    let mut to = Writer::with_capacity(before.min(limit));
    Passage { from: &mut from, to: &mut to, packs: false }.transaction(carrier)?;
    packed.raw(before - from.remaining(), "transaction")?;
    let bytes = to.finish();
    if bytes.len() > limit {
        return Err(DecodeError::TooLong {
            what: "packed transaction",
            length: bytes.len() as u64,
            limit: limit as u64,
        });
    }
    Ok(bytes)
}

/// One walk along the fields for both directions, so that one undoes what the other does.
struct Passage<'p, 'i> {
    from: &'p mut Reader<'i>,
    to: &'p mut Writer,
    packs: bool,
}

impl Passage<'_, '_> {
    fn transaction(&mut self, carrier: &Carrier) -> Result<(), DecodeError> {
        self.known(&[FORMAT], "transaction format")?;
        self.known(carrier.register.as_bytes(), "register")?;
        self.option("previous transaction", |fields| fields.raw(32, "previous transaction"))?;
        match &carrier.author {
            Some(author) => self.known(author.as_bytes(), "author")?,
            None => self.raw(32, "author")?,
        }
        self.option("subject", |fields| fields.bytes("subject"))?;
        self.list(MAX_LIST_ITEMS, "recipients", |fields| fields.bytes("recipient"))?;
        let created = self.near(carrier.created_at_micros, "creation time")?;
        self.near(created, "end of validity")?;
        self.raw(1, "kind")?;
        for what in ["blueprint", "instance", "action", "next action"] {
            self.option(what, |fields| fields.bytes(what))?;
        }
        self.list(MAX_LIST_ITEMS, "tracking values", |fields| {
            fields.bytes("tracking key")?;
            fields.bytes("tracking value")
        })?;
        self.list(MAX_PAYLOADS, "payloads", Self::payload)?;
        self.raw(SIGNATURE_BYTES, "signature")
    }

    fn payload(&mut self) -> Result<(), DecodeError> {
        self.list(MAX_LIST_ITEMS, "access list", |fields| fields.bytes("access list"))?;
        self.bytes("content type")?;
        self.bytes("content encoding")?;
        let told = if self.packs { Some(self.from.array("payload hash")?) } else { None };
        let length = self.length("payload data")?;
        let data = self.from.raw(length, "payload data")?;
        let hash = sha256(data);
        if told.is_some_and(|told| told != hash) {
            return Err(DecodeError::Invalid("a payload's hash is not that of its data"));
        }
        if told.is_none() {
            self.to.raw(&hash);
        }
        self.tell_length(length).raw(data);
        self.option("challenge", |fields| fields.bytes("challenge"))
    }

    /// What both sides know.
    fn known(&mut self, value: &[u8], what: &'static str) -> Result<(), DecodeError> {
        if !self.packs {
            self.to.raw(value);
        } else if self.from.raw(value.len(), what)? != value {
            return Err(DecodeError::Invalid("a transaction is not what its message says of it"));
        }
        Ok(())
    }

    fn raw(&mut self, length: usize, what: &'static str) -> Result<(), DecodeError> {
        self.to.raw(self.from.raw(length, what)?);
        Ok(())
    }

    fn near(&mut self, known: u64, what: &'static str) -> Result<u64, DecodeError> {
        if self.packs {
            let value = self.from.u64(what)?;
            self.to.near(value, known);
            Ok(value)
        } else {
            let value = self.from.near(known, what)?;
            self.to.u64(value);
            Ok(value)
        }
    }

    fn length(&mut self, what: &'static str) -> Result<usize, DecodeError> {
        let length = if self.packs { self.from.u32(what)?.into() } else { self.from.varint(what)? };
        // No field is longer than what is left.
        let left = self.from.remaining();
        usize::try_from(length).ok().filter(|length| *length <= left).ok_or(DecodeError::Truncated(what))
    }

    fn tell_length(&mut self, length: usize) -> &mut Writer {
        if self.packs { self.to.varint(length as u64) } else { self.to.count(length) }
    }

    fn bytes(&mut self, what: &'static str) -> Result<(), DecodeError> {
        let length = self.length(what)?;
        self.tell_length(length);
        self.raw(length, what)
    }

    fn option(
        &mut self,
        what: &'static str,
        value: impl FnOnce(&mut Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let is_there = self.from.bool(what)?;
        self.to.bool(is_there);
        if is_there { value(self) } else { Ok(()) }
    }

    fn list(
        &mut self,
        limit: usize,
        what: &'static str,
        mut item: impl FnMut(&mut Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let count = self.length(what)?;
        if count > limit {
            return Err(DecodeError::TooLong { what, length: count as u64, limit: limit as u64 });
        }
        self.tell_length(count);
        for _ in 0..count {
            item(self)?;
        }
        Ok(())
    }
}
