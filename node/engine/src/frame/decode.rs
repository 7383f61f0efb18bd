//! Bytes as frames: everything here may be hostile.

use super::{
    Contact, Cursor, DEFINITION_BYTES, Definition, DigestRow, Frame, FrameRefused, Graft, MAX_FRAME_BYTES, Moved,
    ROW_BYTES, VERSION, kind,
};
use crate::{
    Advertisement, Held, HolderState, MessageRange,
    bounds::{
        ANNOUNCE_BYTES, BUCKET_CONTACTS, CHUNK_BYTES, MAX_ADVERTISED_DESCRIPTION_BYTES, MAX_ADVERTISED_NAME_BYTES,
        MAX_ADVERTISEMENT_ROWS, MAX_ADVERTISEMENTS_OF_A_PEER, MAX_ASKED_REGISTERS, MAX_DIGEST_ROWS, MAX_EXCHANGED,
        MAX_FRAME_ITEMS, MAX_FRAME_STATEMENTS, MAX_HOLDERS_TOLD, MAX_PAGE_RANGES, MAX_PAGE_ROWS, MAX_PULL_RANGES,
        MAX_REGISTERS_OF_A_HOLDER, MAX_ROW_RANGES, MAX_SHUFFLED,
    },
    detector::ProbeAnswer,
    membership::{HALF, Item, MAX_STATEMENT_BYTES, Sums},
};
use peerwright_encoding::{DecodeError, Reader};
use peerwright_ledger::{MAX_PROOF_BYTES, RegisterId, TransactionId, message::MAX_MESSAGE_BYTES};
use peerwright_secure::{NodePublicKey, PeerId};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

impl<'a> Frame<'a> {
    /// Reads a frame.
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, FrameRefused> {
        let mut reader = Reader::new(bytes);
        let version = reader.u8("frame version")?;
        let kind = reader.u8("frame kind")?;
        if bytes.len() > MAX_FRAME_BYTES {
            let (length, limit) = (bytes.len() as u64, MAX_FRAME_BYTES as u64);
            return Err(DecodeError::TooLong { what: "frame", length, limit }.into());
        }
        let unsupported = FrameRefused::Unsupported { version, kind };
        let frame =
            if version == VERSION { fields(&mut reader, kind)?.ok_or(unsupported)? } else { return Err(unsupported) };
        reader.finish()?;
        Ok(frame)
    }
}

fn fields<'a>(reader: &mut Reader<'a>, kind: u8) -> Result<Option<Frame<'a>>, DecodeError> {
    let frame = match kind {
        kind::KEEPALIVE => Frame::Keepalive { sent: reader.u64("time sent")? },
        kind::ECHO => Frame::Echo { sent: reader.u64("time sent")? },
        kind::STATE => Frame::State {
            ready: reader.bool("readiness")?,
            registers: reader.u32("registers held")?,
            messages: reader.u64("messages held")?,
        },
        kind::DIGEST => Frame::Digest {
            reply: reader.bool("reply wanted")?,
            last: reader.bool("last digest")?,
            rows: reader.list(MAX_DIGEST_ROWS, "digest rows", digest_row)?,
        },
        kind::HELD_REQUEST => Frame::HeldRequest {
            registers: reader.list(MAX_ASKED_REGISTERS, "registers", register)?,
            after: reader.option("cursor", cursor)?,
        },
        kind::HELD_PAGE => held_page(reader)?,
        kind::MESSAGE => {
            Frame::Message { hops: reader.u8("hops")?, message: reader.bytes(MAX_MESSAGE_BYTES, "message")? }
        }
        kind::PACKED => packed(reader)?,
        kind::PREDECESSOR_UNKNOWN => Frame::PredecessorUnknown { predecessor: reader.array("message before")? },
        kind::PULL => Frame::Pull {
            request: reader.u64("request")?,
            ranges: reader.list(MAX_PULL_RANGES, "ranges", message_range)?,
        },
        kind::PULLED => {
            Frame::Pulled { request: reader.u64("request")?, message: reader.bytes(MAX_MESSAGE_BYTES, "message")? }
        }
        kind::PULL_END => Frame::PullEnd { request: reader.u64("request")? },
        kind::CHUNK_REQUEST => chunk_request(reader)?,
        kind::CHUNK => Frame::Chunk {
            id: transaction(reader)?,
            offset: reader.u32("offset")?,
            bytes: reader.bytes(CHUNK_BYTES as usize, "chunk")?,
        },
        kind::CHUNK_GONE => Frame::ChunkGone { id: transaction(reader)? },
        kind::ANNOUNCE => Frame::Announce {
            definitions: reader.list(ANNOUNCE_BYTES / DEFINITION_BYTES, "definitions", definition)?,
            rows: reader.list(ANNOUNCE_BYTES / ROW_BYTES, "announcements", |reader| {
                Ok(Moved {
                    name: short_varint(reader, "name of an origin")?,
                    through: reader.varint("sequence")?,
                    age: short_varint(reader, "age")?,
                })
            })?,
        },
        kind::PRUNE => Frame::Prune { origin: origin(reader)? },
        kind::GRAFT => Frame::Graft(Graft {
            origin: origin(reader)?,
            incarnation: reader.u64("incarnation")?,
            from: reader.u64("first sequence")?,
            through: reader.u64("last sequence")?,
            messages: reader.u16("messages")?,
            bytes: reader.u32("bytes")?,
        }),
        kind::GRAFT_END => Frame::GraftEnd {
            origin: origin(reader)?,
            incarnation: reader.u64("incarnation")?,
            floor: reader.u64("floor")?,
        },
        kind::EQUIVOCATION => Frame::Equivocation { proof: reader.bytes(MAX_PROOF_BYTES, "proof")? },
        kind::NEIGHBOUR => Frame::Neighbour { priority: reader.bool("priority")? },
        kind::NEIGHBOUR_ANSWER => Frame::NeighbourAnswer { accepted: reader.bool("accepted")? },
        kind::DEMOTE => Frame::Demote,
        kind::SHUFFLE => Frame::Shuffle { contacts: reader.list(MAX_SHUFFLED, "contacts", contact)? },
        kind::SHUFFLE_REPLY => Frame::ShuffleReply { contacts: reader.list(MAX_SHUFFLED, "contacts", contact)? },
        kind::INTRODUCTION => Frame::Introduction { address: address(reader)? },
        kind::ADDRESS_REQUEST => Frame::AddressRequest,
        kind::ADDRESS_ANSWER => Frame::AddressAnswer { contacts: reader.list(MAX_EXCHANGED, "contacts", contact)? },
        _ => return member_fields(reader, kind),
    };
    Ok(Some(frame))
}

/// Frames about members and holders.
fn member_fields<'a>(reader: &mut Reader<'a>, kind: u8) -> Result<Option<Frame<'a>>, DecodeError> {
    let frame = match kind {
        kind::RECORDS => Frame::Records { statements: statements(reader)? },
        kind::ACCUSATIONS => Frame::Accusations { statements: statements(reader)? },
        kind::TABLE_ROOT => Frame::TableRoot {
            answer: reader.bool("answer")?,
            sum: reader.u64("sum")?,
            members: reader.u32("members")?,
        },
        kind::TABLE_SUMS => {
            let first = reader.option("half byte", half)?;
            let mut sums = Sums::default();
            for sum in &mut sums {
                *sum = reader.u64("sum")?;
            }
            Frame::TableSums { first, sums }
        }
        kind::TABLE_ITEMS => table_items(reader)?,
        kind::FIND_HOLDERS => Frame::FindHolders { register: register(reader)? },
        kind::HOLDERS => Frame::Holders {
            register: register(reader)?,
            holders: reader.list(MAX_HOLDERS_TOLD, "holders", contact)?,
            nearer: reader.list(BUCKET_CONTACTS, "nearer nodes", contact)?,
        },
        kind::HOLD => Frame::Hold { registers: reader.list(MAX_REGISTERS_OF_A_HOLDER, "registers", register)? },
        kind::ADVERTISEMENTS => Frame::Advertisements {
            whole: reader.bool("whole list")?,
            last: reader.bool("end of the list")?,
            rows: reader.list(MAX_ADVERTISEMENT_ROWS, "advertisements", advertisement)?,
            gone: reader.list(MAX_ADVERTISEMENTS_OF_A_PEER, "registers", register)?,
        },
        kind::TABLE_WANT => {
            Frame::TableWant { ids: reader.list(MAX_FRAME_ITEMS, "ids", |reader| reader.u64("beginning of an id"))? }
        }
        kind::RECORD_OFFER => Frame::RecordOffer { fingerprints: fingerprints(reader)? },
        kind::RECORD_WANT => Frame::RecordWant { fingerprints: fingerprints(reader)? },
        kind::PROBE => {
            Frame::Probe { number: reader.u64("probe")?, subject: PeerId::from_bytes(reader.array("subject")?) }
        }
        kind::PROBED => Frame::Probed {
            number: reader.u64("probe")?,
            answer: match reader.u8("answer")? {
                0 => ProbeAnswer::Silent,
                1 => ProbeAnswer::Alive,
                2 => ProbeAnswer::Unknown,
                other => return Err(DecodeError::Unknown { what: "answer", value: other.into() }),
            },
        },
        _ => return Ok(None),
    };
    Ok(Some(frame))
}

fn statements<'a>(reader: &mut Reader<'a>) -> Result<Vec<&'a [u8]>, DecodeError> {
    reader.list(MAX_FRAME_STATEMENTS, "statements", |reader| {
        let length = usize::from(reader.u8("length of a statement")?);
        if length > MAX_STATEMENT_BYTES {
            let (length, limit) = (length as u64, MAX_STATEMENT_BYTES as u64);
            return Err(DecodeError::TooLong { what: "statement", length, limit });
        }
        reader.raw(length, "statement")
    })
}

fn fingerprints(reader: &mut Reader<'_>) -> Result<Vec<u64>, DecodeError> {
    reader.list(MAX_FRAME_ITEMS, "fingerprints", |reader| reader.u64("fingerprint of a record"))
}

fn table_items(reader: &mut Reader<'_>) -> Result<Frame<'static>, DecodeError> {
    let (first, mask) = (half(reader)?, reader.u16("ranges")?);
    let items = reader.list(MAX_FRAME_ITEMS, "items", |reader| {
        Ok(Item { id: reader.u64("beginning of an id")?, fingerprint: reader.u64("fingerprint")? })
    })?;
    if !items.is_sorted() {
        return Err(DecodeError::Invalid("the members of a list are not ascending"));
    }
    Ok(Frame::TableItems { first, mask, items })
}

fn half(reader: &mut Reader<'_>) -> Result<u8, DecodeError> {
    let half = reader.u8("half byte")?;
    if half < HALF { Ok(half) } else { Err(DecodeError::Invalid("a half byte is above fifteen")) }
}

fn chunk_request(reader: &mut Reader<'_>) -> Result<Frame<'static>, DecodeError> {
    let (register, id) = (register(reader)?, transaction(reader)?);
    let (offset, length) = (reader.u32("offset")?, reader.u32("length")?);
    if !(1..=CHUNK_BYTES).contains(&length) {
        return Err(DecodeError::Invalid("the length of a chunk is not between 1 byte and 64 KiB"));
    }
    Ok(Frame::ChunkRequest { register, id, offset, length })
}

fn definition(reader: &mut Reader<'_>) -> Result<Definition, DecodeError> {
    Ok(Definition {
        name: reader.u16("name of an origin")?,
        origin: origin(reader)?,
        incarnation: reader.u64("incarnation")?,
    })
}

fn packed<'a>(reader: &mut Reader<'a>) -> Result<Frame<'a>, DecodeError> {
    let hops = reader.u8("hops")?;
    let length = reader.varint_length(MAX_MESSAGE_BYTES, "packed message")?;
    Ok(Frame::Packed { hops, packed: reader.raw(length, "packed message")? })
}

fn short_varint(reader: &mut Reader<'_>, what: &'static str) -> Result<u16, DecodeError> {
    let value = reader.varint(what)?;
    u16::try_from(value).map_err(|_| DecodeError::TooLong { what, length: value, limit: u16::MAX.into() })
}

fn held_page(reader: &mut Reader<'_>) -> Result<Frame<'static>, DecodeError> {
    let more = reader.bool("more pages")?;
    let rows = reader.list(MAX_PAGE_ROWS, "rows", held_row)?;
    if rows.iter().map(|row| row.ranges.len()).sum::<usize>() > MAX_PAGE_RANGES {
        return Err(DecodeError::Invalid("a page has too many ranges"));
    }
    Ok(Frame::HeldPage { more, rows })
}

fn held_row(reader: &mut Reader<'_>) -> Result<Held, DecodeError> {
    let row = Held {
        register: register(reader)?,
        origin: origin(reader)?,
        incarnation: reader.u64("incarnation")?,
        ranges: reader.list(MAX_ROW_RANGES, "ranges", |reader| {
            Ok((reader.u64("first of a range")?, reader.u64("last of a range")?))
        })?,
    };
    let mut previous_end = None;
    for (from, to) in &row.ranges {
        let follows = previous_end.is_none_or(|end: u64| end.checked_add(1).is_some_and(|touching| *from > touching));
        if *from == 0 || from > to || !follows {
            return Err(DecodeError::Invalid("ranges are not ascending and apart"));
        }
        previous_end = Some(*to);
    }
    Ok(row)
}

fn message_range(reader: &mut Reader<'_>) -> Result<MessageRange, DecodeError> {
    let range = MessageRange {
        register: register(reader)?,
        origin: origin(reader)?,
        incarnation: reader.u64("incarnation")?,
        from: reader.u64("first of a range")?,
        to: reader.u64("last of a range")?,
    };
    if range.from == 0 || range.from > range.to {
        return Err(DecodeError::Invalid("a range ends before it begins"));
    }
    Ok(range)
}

fn digest_row(reader: &mut Reader<'_>) -> Result<DigestRow, DecodeError> {
    Ok(DigestRow { register: register(reader)?, messages: reader.u64("messages held")?, hash: reader.array("hash")? })
}

fn advertisement(reader: &mut Reader<'_>) -> Result<Advertisement, DecodeError> {
    let row = Advertisement {
        register: register(reader)?,
        first: reader.u64("lowest docket")?,
        dockets: reader.u64("number of dockets")?,
        state: match reader.u8("state of a holder")? {
            0 => HolderState::Syncing,
            1 => HolderState::FullReplica,
            2 => HolderState::ForwardOnly,
            3 => HolderState::Sealing,
            4 => HolderState::Frozen,
            value => return Err(DecodeError::Unknown { what: "state of a holder", value: value.into() }),
        },
        name: reader.text(MAX_ADVERTISED_NAME_BYTES, "name of a register")?.to_owned(),
        description: reader.text(MAX_ADVERTISED_DESCRIPTION_BYTES, "description of a register")?.to_owned(),
    };
    if row.first >= row.dockets {
        return Err(DecodeError::Invalid("an advertisement is of no docket"));
    }
    Ok(row)
}

fn cursor(reader: &mut Reader<'_>) -> Result<Cursor, DecodeError> {
    Ok(Cursor {
        register: register(reader)?,
        origin: origin(reader)?,
        incarnation: reader.u64("incarnation")?,
        register_sequence: reader.u64("register sequence")?,
    })
}

fn register(reader: &mut Reader<'_>) -> Result<RegisterId, DecodeError> {
    Ok(RegisterId::from_bytes(reader.array("register")?))
}

fn transaction(reader: &mut Reader<'_>) -> Result<TransactionId, DecodeError> {
    Ok(TransactionId::from_bytes(reader.array("transaction")?))
}

fn origin(reader: &mut Reader<'_>) -> Result<NodePublicKey, DecodeError> {
    Ok(NodePublicKey::from_bytes(reader.array("origin")?))
}

fn contact(reader: &mut Reader<'_>) -> Result<Contact, DecodeError> {
    Ok(Contact { peer: PeerId::from_bytes(reader.array("peer")?), address: address(reader)? })
}

fn address(reader: &mut Reader<'_>) -> Result<SocketAddr, DecodeError> {
    let ip = match reader.u8("address family")? {
        4 => IpAddr::V4(Ipv4Addr::from(reader.array::<4>("IPv4 address")?)),
        6 => IpAddr::V6(Ipv6Addr::from(reader.array::<16>("IPv6 address")?)),
        family => return Err(DecodeError::Unknown { what: "address family", value: u64::from(family) }),
    };
    if ip != ip.to_canonical() {
        return Err(DecodeError::Invalid("an IPv4 address is written as an IPv6 address"));
    }
    Ok(SocketAddr::new(ip, reader.u16("port")?))
}
