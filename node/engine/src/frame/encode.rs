//! Frames as bytes.

use super::{Contact, DEFINITION_BYTES, Frame, ROW_BYTES, VERSION, kind};
use crate::{Advertisement, HolderState, detector::ProbeAnswer};
use bytes::Bytes;
use peerwright_encoding::Writer;
use std::net::{IpAddr, SocketAddr};

/// Most frames are no longer, and are copied to their exact length: then they are one allocation while they travel, and
/// not two.
const SHORT: usize = 256;

impl Frame<'_> {
    /// The frame's canonical bytes.
    pub(crate) fn encode(&self) -> Bytes {
        let mut writer = Writer::with_capacity(64 + self.long_field());
        writer.u8(VERSION);
        match self {
            Self::Keepalive { sent } => writer.u8(kind::KEEPALIVE).u64(*sent),
            Self::Echo { sent } => writer.u8(kind::ECHO).u64(*sent),
            Self::State { ready, registers, messages } => {
                writer.u8(kind::STATE).bool(*ready).u32(*registers).u64(*messages)
            }
            Self::Digest { reply, last, rows } => {
                writer.u8(kind::DIGEST).bool(*reply).bool(*last).list(rows, |writer, row| {
                    writer.raw(row.register.as_bytes()).u64(row.messages).raw(&row.hash);
                })
            }
            Self::HeldRequest { registers, after } => {
                writer.u8(kind::HELD_REQUEST).list(registers, |writer, register| {
                    writer.raw(register.as_bytes());
                });
                writer.option(*after, |writer, after| {
                    writer.raw(after.register.as_bytes()).raw(after.origin.as_bytes());
                    writer.u64(after.incarnation).u64(after.register_sequence);
                })
            }
            Self::HeldPage { more, rows } => writer.u8(kind::HELD_PAGE).bool(*more).list(rows, |writer, row| {
                writer.raw(row.register.as_bytes()).raw(row.origin.as_bytes()).u64(row.incarnation);
                writer.list(&row.ranges, |writer, (from, to)| {
                    writer.u64(*from).u64(*to);
                });
            }),
            Self::Message { hops, message } => writer.u8(kind::MESSAGE).u8(*hops).bytes(message),
            Self::Packed { hops, packed } => writer.u8(kind::PACKED).u8(*hops).varint(packed.len() as u64).raw(packed),
            Self::PredecessorUnknown { predecessor } => writer.u8(kind::PREDECESSOR_UNKNOWN).raw(predecessor),
            Self::Pull { request, ranges } => writer.u8(kind::PULL).u64(*request).list(ranges, |writer, range| {
                writer.raw(range.register.as_bytes()).raw(range.origin.as_bytes());
                writer.u64(range.incarnation).u64(range.from).u64(range.to);
            }),
            Self::Pulled { request, message } => writer.u8(kind::PULLED).u64(*request).bytes(message),
            Self::PullEnd { request } => writer.u8(kind::PULL_END).u64(*request),
            Self::ChunkRequest { register, id, offset, length } => {
                writer.u8(kind::CHUNK_REQUEST).raw(register.as_bytes()).raw(id.as_bytes()).u32(*offset).u32(*length)
            }
            Self::Chunk { id, offset, bytes } => writer.u8(kind::CHUNK).raw(id.as_bytes()).u32(*offset).bytes(bytes),
            Self::ChunkGone { id } => writer.u8(kind::CHUNK_GONE).raw(id.as_bytes()),
            Self::Announce { definitions, rows } => {
                writer.u8(kind::ANNOUNCE).list(definitions, |writer, definition| {
                    writer.u16(definition.name).raw(definition.origin.as_bytes()).u64(definition.incarnation);
                });
                writer.list(rows, |writer, row| {
                    writer.varint(row.name.into()).varint(row.through).varint(row.age.into());
                })
            }
            Self::Prune { origin } => writer.u8(kind::PRUNE).raw(origin.as_bytes()),
            Self::Graft(graft) => {
                writer.u8(kind::GRAFT).raw(graft.origin.as_bytes()).u64(graft.incarnation);
                writer.u64(graft.from).u64(graft.through).u16(graft.messages).u32(graft.bytes)
            }
            Self::GraftEnd { origin, incarnation, floor } => {
                writer.u8(kind::GRAFT_END).raw(origin.as_bytes()).u64(*incarnation).u64(*floor)
            }
            Self::Equivocation { proof } => writer.u8(kind::EQUIVOCATION).bytes(proof),
            Self::Neighbour { priority } => writer.u8(kind::NEIGHBOUR).bool(*priority),
            Self::NeighbourAnswer { accepted } => writer.u8(kind::NEIGHBOUR_ANSWER).bool(*accepted),
            Self::Demote => writer.u8(kind::DEMOTE),
            Self::Shuffle { contacts } => writer.u8(kind::SHUFFLE).list(contacts, write_contact),
            Self::ShuffleReply { contacts } => writer.u8(kind::SHUFFLE_REPLY).list(contacts, write_contact),
            Self::Introduction { address } => {
                write_address(writer.u8(kind::INTRODUCTION), address);
                &mut writer
            }
            Self::AddressRequest => writer.u8(kind::ADDRESS_REQUEST),
            Self::FindHolders { register } => writer.u8(kind::FIND_HOLDERS).raw(register.as_bytes()),
            Self::Holders { register, holders, nearer } => writer
                .u8(kind::HOLDERS)
                .raw(register.as_bytes())
                .list(holders, write_contact)
                .list(nearer, write_contact),
            Self::Hold { registers } => writer.u8(kind::HOLD).list(registers, |writer, register| {
                writer.raw(register.as_bytes());
            }),
            Self::Advertisements { whole, last, rows, gone } => {
                writer.u8(kind::ADVERTISEMENTS).bool(*whole).bool(*last).list(rows, write_advertisement);
                writer.list(gone, |writer, register| {
                    writer.raw(register.as_bytes());
                })
            }
            Self::AddressAnswer { contacts } => writer.u8(kind::ADDRESS_ANSWER).list(contacts, write_contact),
            Self::Records { statements: list } => statements(writer.u8(kind::RECORDS), list),
            Self::Accusations { statements: list } => statements(writer.u8(kind::ACCUSATIONS), list),
            Self::TableRoot { answer, sum, members } => {
                writer.u8(kind::TABLE_ROOT).bool(*answer).u64(*sum).u32(*members)
            }
            Self::TableSums { first, sums } => {
                writer.u8(kind::TABLE_SUMS).option(*first, |writer, first| {
                    writer.u8(first);
                });
                sums.iter().fold(&mut writer, |writer, sum| writer.u64(*sum))
            }
            Self::TableItems { first, mask, items } => {
                writer.u8(kind::TABLE_ITEMS).u8(*first).u16(*mask).list(items, |writer, item| {
                    writer.u64(item.id).u64(item.fingerprint);
                })
            }
            Self::TableWant { ids } => numbers(writer.u8(kind::TABLE_WANT), ids),
            Self::RecordOffer { fingerprints } => numbers(writer.u8(kind::RECORD_OFFER), fingerprints),
            Self::RecordWant { fingerprints } => numbers(writer.u8(kind::RECORD_WANT), fingerprints),
            Self::Probe { number, subject } => writer.u8(kind::PROBE).u64(*number).raw(subject.as_bytes()),
            Self::Probed { number, answer } => writer.u8(kind::PROBED).u64(*number).u8(match answer {
                ProbeAnswer::Silent => 0,
                ProbeAnswer::Alive => 1,
                ProbeAnswer::Unknown => 2,
            }),
        };
        let bytes = writer.finish();
        if bytes.len() <= SHORT { Bytes::copy_from_slice(&bytes) } else { bytes.into() }
    }

    fn long_field(&self) -> usize {
        match self {
            Self::Message { message, .. } | Self::Pulled { message, .. } => message.len(),
            Self::Packed { packed: bytes, .. } | Self::Chunk { bytes, .. } => bytes.len(),
            Self::Equivocation { proof } => proof.len(),
            Self::Announce { definitions, rows } => definitions.len() * DEFINITION_BYTES + rows.len() * ROW_BYTES,
            Self::Records { statements } | Self::Accusations { statements } => {
                statements.iter().map(|statement| statement.len() + 1).sum()
            }
            Self::TableSums { sums, .. } => size_of_val(sums),
            Self::TableItems { items, .. } => size_of_val(items.as_slice()),
            Self::TableWant { ids: list }
            | Self::RecordOffer { fingerprints: list }
            | Self::RecordWant { fingerprints: list } => size_of_val(list.as_slice()),
            _ => 0,
        }
    }
}

fn write_advertisement(writer: &mut Writer, row: &Advertisement) {
    writer.raw(row.register.as_bytes()).u64(row.first).u64(row.dockets);
    writer.u8(match row.state {
        HolderState::Syncing => 0,
        HolderState::FullReplica => 1,
        HolderState::ForwardOnly => 2,
        HolderState::Sealing => 3,
        HolderState::Frozen => 4,
    });
    writer.text(&row.name).text(&row.description);
}

fn numbers<'w>(writer: &'w mut Writer, list: &[u64]) -> &'w mut Writer {
    writer.list(list, |writer, number| {
        writer.u64(*number);
    })
}

fn write_contact(writer: &mut Writer, contact: &Contact) {
    writer.raw(contact.peer.as_bytes());
    write_address(writer, &contact.address);
}

/// Family, address, port. An IPv4 address has one form.
fn write_address(writer: &mut Writer, address: &SocketAddr) {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => writer.u8(4).raw(&ip.octets()),
        IpAddr::V6(ip) => writer.u8(6).raw(&ip.octets()),
    };
    writer.u16(address.port());
}

/// Statements with one byte of length each, so that a reader can step over formats that it does not know.
fn statements<'w>(writer: &'w mut Writer, list: &[&[u8]]) -> &'w mut Writer {
    writer.list(list, |writer, statement| {
        // None is longer than a byte can say; a defect here would be cut short and then not verify.
        writer.u8(u8::try_from(statement.len()).unwrap_or(u8::MAX)).raw(statement);
    })
}
