//! Reads canonical bytes, bounded.

use thiserror::Error;

/// Why bytes are not the canonical encoding of a value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The input ends inside a value.
    #[error("input ends inside {0}")]
    Truncated(&'static str),
    /// A length or count is above the format's limit.
    #[error("{what} is {length} long, at most {limit} are accepted")]
    TooLong {
        /// The field.
        what: &'static str,
        /// The length that the input claims.
        length: u64,
        /// The longest accepted.
        limit: u64,
    },
    /// A tag, flag or version byte has no meaning.
    #[error("{what} is {value}, which has no meaning")]
    Unknown {
        /// The field.
        what: &'static str,
        /// The value found.
        value: u64,
    },
    /// Text that is not UTF-8.
    #[error("{0} is not UTF-8 text")]
    NotText(&'static str),
    /// A value that could be written in another way, or breaks a rule of its format.
    #[error("{0}")]
    Invalid(&'static str),
    /// Bytes behind the end.
    #[error("{0} bytes behind the end")]
    Trailing(usize),
}

/// Takes values off the front of a slice.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the beginning of `input`.
    #[must_use]
    pub fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    /// How many bytes are left.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Another reader of what is left, that reads no further than so many bytes.
    #[must_use]
    pub fn at_most(&self, length: usize) -> Self {
        Self { rest: self.rest.get(..length).unwrap_or(self.rest) }
    }

    /// Accepts the end of the input only.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::Trailing(self.rest.len())) }
    }

    /// `length` bytes without a length in front.
    pub fn raw(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(DecodeError::Truncated(what))?;
        self.rest = rest;
        Ok(taken)
    }

    /// A fixed-size array.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Truncated(what))?;
        self.rest = rest;
        Ok(*taken)
    }

    /// One byte.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, DecodeError> {
        Ok(u8::from_be_bytes(self.array(what)?))
    }

    /// 0 or 1.
    pub fn bool(&mut self, what: &'static str) -> Result<bool, DecodeError> {
        match self.u8(what)? {
            0 => Ok(false),
            1 => Ok(true),
            value => Err(DecodeError::Unknown { what, value: value.into() }),
        }
    }

    /// Two bytes, big endian.
    pub fn u16(&mut self, what: &'static str) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.array(what)?))
    }

    /// Four bytes, big endian.
    pub fn u32(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.array(what)?))
    }

    /// Eight bytes, big endian.
    pub fn u64(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        Ok(u64::from_be_bytes(self.array(what)?))
    }

    /// Seven bits a byte, the lowest first, in as few bytes as hold the value.
    pub fn varint(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.u8(what)?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                break;
            }
            value |= bits << shift;
            match byte {
                0 if shift > 0 => break,
                0..0x80 => return Ok(value),
                _ => {}
            }
        }
        Err(DecodeError::Invalid("a variable integer is longer than need be, or than 64 bits"))
    }

    /// A length or count of at most `limit`, as a varint.
    pub fn varint_length(&mut self, limit: usize, what: &'static str) -> Result<usize, DecodeError> {
        within(self.varint(what)?, limit, what)
    }

    /// What lies so far from a known value as a varint says, whose lowest bit says that the way leads down.
    pub fn near(&mut self, known: u64, what: &'static str) -> Result<u64, DecodeError> {
        let way = self.varint(what)?;
        Ok(known.wrapping_add((way >> 1) ^ (way & 1).wrapping_neg()))
    }

    /// A u32 length of at most `limit` and that many bytes.
    pub fn bytes(&mut self, limit: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let length = self.count(limit, what)?;
        self.raw(length, what)
    }

    /// As [`Reader::bytes`], and UTF-8.
    pub fn text(&mut self, limit: usize, what: &'static str) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.bytes(limit, what)?).map_err(|_| DecodeError::NotText(what))
    }

    /// 0, or 1 and a value.
    pub fn option<T>(
        &mut self,
        what: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        if self.bool(what)? { read(self).map(Some) } else { Ok(None) }
    }

    /// A count of at most `limit` and that many items. Every item takes at least one byte, so a count above what is
    /// left of the input is refused before anything is allocated for it.
    pub fn list<T>(
        &mut self,
        limit: usize,
        what: &'static str,
        mut read: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let count = self.count(limit, what)?;
        if count > self.rest.len() {
            return Err(DecodeError::Truncated(what));
        }
        // Most items take more than eight bytes, so that what the input claims makes no more room than it has.
        let mut items = Vec::with_capacity(count.min(self.rest.len() / 8));
        for _ in 0..count {
            items.push(read(self)?);
        }
        Ok(items)
    }

    fn count(&mut self, limit: usize, what: &'static str) -> Result<usize, DecodeError> {
        within(self.u32(what)?.into(), limit, what)
    }
}

fn within(length: u64, limit: usize, what: &'static str) -> Result<usize, DecodeError> {
    let accepted = usize::try_from(length).ok().filter(|length| *length <= limit);
    accepted.ok_or(DecodeError::TooLong { what, length, limit: limit as u64 })
}
