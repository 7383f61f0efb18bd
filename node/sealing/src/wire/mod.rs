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
//! A request of a group that is not the network's first is behind the byte 2 and the group's generation.
//!
//! Everything is read bounded and canonical (`peerwright-encoding`).

mod answer;
mod parts;
mod request;

pub(crate) use answer::{Answer, Signatures};
pub(crate) use parts::{decode_ballot, decode_entry, decode_log_id, decode_membership};
pub(crate) use parts::{encode_ballot, encode_entry, encode_log_id, encode_membership};
pub(crate) use request::{MAX_SIGNATURES, Request, SignedDocket};

use bytes::Bytes;
use peerwright_encoding::{DecodeError, Reader, Writer};

/// The longest request or answer: the longest docket with what is around it.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024 - 16 * 1024;

const VERSION: u8 = 1;
/// Begins a request of a later group, so that who knows of none refuses it.
const OF_GENERATION: u8 = 2;

/// A request as it travels between sealers of this generation.
pub(crate) fn in_generation(request: Bytes, generation: u64) -> Bytes {
    if generation == 0 {
        return request;
    }
    let mut writer = Writer::with_capacity(request.len() + 9);
    writer.u8(OF_GENERATION).u64(generation).raw(&request);
    writer.finish().into()
}

/// The generation of a request, and the request.
pub(crate) fn out_of_generation(request: Bytes) -> Result<(u64, Bytes), DecodeError> {
    if request.first() != Some(&OF_GENERATION) {
        return Ok((0, request));
    }
    let mut reader = Reader::new(&request);
    reader.u8("sealing version")?;
    match reader.u64("generation")? {
        0 => Err(DecodeError::Invalid("the first generation is not named")),
        generation => {
            let rest = request.len() - reader.remaining();
            Ok((generation, request.slice(rest..)))
        }
    }
}

fn read_version(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    match reader.u8("sealing version")? {
        VERSION => Ok(()),
        value => Err(DecodeError::Unknown { what: "sealing version", value: value.into() }),
    }
}

#[cfg(test)]
mod tests;
