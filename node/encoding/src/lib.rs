//! Canonical binary encoding, shared by transactions, gossip messages, snapshots and frames.
//!
//! One value has exactly one encoding, so a hash or a signature over the bytes is a hash or a signature of the value:
//!
//! ```text
//! integer   big endian, fixed width
//! varint    LEB128: seven bits a byte, the lowest first, in as few bytes as hold the value
//! near      the way from a value that the reader has, zigzag: a varint whose lowest bit is its sign
//! bytes     u32 length, then the bytes          fixed-size arrays go without a length
//! text      as bytes, UTF-8
//! option    0, or 1 and the value
//! list      u32 count, then the items
//! ```
//!
//! A [`Reader`] never allocates in proportion to a length that it has not compared with a limit and with what is left
//! of the input, and refuses bytes behind the end. The format of a value begins with a version byte of its own.

mod identifier;
mod reader;
mod writer;

pub use identifier::{NotAnIdentifier, from_lower_hex, to_lower_hex};
pub use reader::{DecodeError, Reader};
pub use writer::Writer;

#[cfg(test)]
mod tests;
