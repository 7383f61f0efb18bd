//! What sealers say to each other: our own encoding of the consensus library's messages, and ours.
//!
//! ```text
//! request   version, kind, fields          answer   version, kind, fields
//!   1 vote                                   1 vote
//!   2 append      entries of the log         2 append
//!   3 snapshot    the names of heads         3 snapshot
//!   4 signatures  of dockets, mine           4 signatures  of the same dockets, that the other has
//!   5 dockets     from this number on        5 dockets     certified ones, as many as fit
//!   6 elect       take over now              6 elect
//!   7 begun       have you a log?            7 begun
//!                                            0 refused     code
//! ```
//!
//! Everything is read bounded and canonical (`peerwright-encoding`).

mod answer;
mod parts;
mod request;

pub(crate) use answer::{Answer, Signatures};
pub(crate) use parts::{decode_ballot, decode_entry, decode_log_id, decode_membership};
pub(crate) use parts::{encode_ballot, encode_entry, encode_log_id, encode_membership};
pub(crate) use request::{MAX_SIGNATURES, Request, SignedDocket};

/// The longest request or answer: the longest docket with what is around it.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024 - 16 * 1024;

const VERSION: u8 = 1;

fn read_version(reader: &mut peerwright_encoding::Reader<'_>) -> Result<(), peerwright_encoding::DecodeError> {
    match reader.u8("sealing version")? {
        VERSION => Ok(()),
        value => Err(peerwright_encoding::DecodeError::Unknown { what: "sealing version", value: value.into() }),
    }
}

#[cfg(test)]
mod tests;
