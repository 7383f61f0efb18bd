//! Writes canonical bytes.

/// Collects the canonical encoding of a value.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty writer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty writer with room for `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    /// What was written so far.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// Ends the writing and gives the bytes.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes.push(value);
        self
    }

    /// `false` as 0, `true` as 1.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.u8(u8::from(value))
    }

    /// Two bytes, big endian.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Four bytes, big endian.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Eight bytes, big endian.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Seven bits a byte, the lowest first, in as few bytes as hold the value.
    pub fn varint(&mut self, value: u64) -> &mut Self {
        let mut rest = value;
        while rest >= 0x80 {
            self.bytes.push(rest.to_le_bytes()[0] | 0x80);
            rest >>= 7;
        }
        self.u8(rest.to_le_bytes()[0])
    }

    /// The way from a value that the reader has, as a varint; its lowest bit says that it leads down.
    pub fn near(&mut self, value: u64, known: u64) -> &mut Self {
        let way = value.wrapping_sub(known).cast_signed();
        self.varint(((way << 1) ^ (way >> 63)).cast_unsigned())
    }

    /// Bytes whose length the reader knows: no length is written.
    pub fn raw(&mut self, value: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(value);
        self
    }

    /// A u32 length and the bytes.
    ///
    /// # Panics
    /// When `value` is longer than `u32::MAX`; no format of ours allows a thousandth of that.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.count(value.len()).raw(value)
    }

    /// A u32 length and the text's UTF-8 bytes. Panics as [`Writer::bytes`] does.
    pub fn text(&mut self, value: &str) -> &mut Self {
        self.bytes(value.as_bytes())
    }

    /// 0 for `None`, 1 and the value for `Some`.
    pub fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) -> &mut Self {
        match value {
            None => {
                self.u8(0);
            }
            Some(value) => {
                self.u8(1);
                write(self, value);
            }
        }
        self
    }

    /// A u32 count and each item in order. Panics as [`Writer::bytes`] does.
    pub fn list<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T)) -> &mut Self {
        self.count(items.len());
        for item in items {
            write(self, item);
        }
        self
    }

    /// A u32 count or length alone. Panics as [`Writer::bytes`] does.
    #[expect(clippy::expect_used, reason = "a length past u32 is a defect of the caller, not of its input")]
    pub fn count(&mut self, length: usize) -> &mut Self {
        self.u32(u32::try_from(length).expect("length fits u32"))
    }
}
