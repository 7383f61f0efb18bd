//! What one sealer asks of another.

use super::{MAX_MESSAGE_BYTES, VERSION, parts, read_version};
use crate::{
    raft::{LogId, SnapshotMeta, Types, Vote},
    snapshot::Heads,
};
use bytes::Bytes;
use openraft::raft::{AppendEntriesRequest, VoteRequest};
use peerwright_encoding::{DecodeError, Reader, Writer};
use peerwright_ledger::{DocketHash, RegisterId};
use peerwright_secure::Signature;

/// Most entries that an append carries; the sender's bound on bytes is lower.
const MAX_ENTRIES: usize = 1_024;
/// Most signatures that one request offers.
pub(crate) const MAX_SIGNATURES: usize = 256;
/// The longest name of a snapshot.
const MAX_SNAPSHOT_NAME_BYTES: usize = 64;

/// A docket that the asking sealer signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SignedDocket {
    pub(crate) register: RegisterId,
    pub(crate) number: u64,
    pub(crate) hash: DocketHash,
    /// `None`: it signs no dockets of this register, and asks for the others' signatures.
    pub(crate) signature: Option<Signature>,
}

#[derive(Debug)]
pub(crate) enum Request {
    Vote(VoteRequest<crate::raft::SealerId>),
    Append(AppendEntriesRequest<Types>),
    Snapshot {
        vote: Vote,
        meta: SnapshotMeta,
        heads: Heads,
    },
    Signatures(Vec<SignedDocket>),
    Dockets {
        register: RegisterId,
        from: u64,
        max_bytes: u32,
    },
    Elect,
    Begun,
    /// Whether one whose log ends here may stand for leadership.
    MayStand(Option<LogId>),
}

impl Request {
    pub(crate) fn encode(&self) -> Bytes {
        let mut writer = Writer::new();
        writer.u8(VERSION);
        match self {
            Self::Vote(request) => {
                parts::write_vote(writer.u8(1), &request.vote);
                parts::write_optional_log_id(&mut writer, request.last_log_id.as_ref());
            }
            Self::Append(request) => {
                parts::write_vote(writer.u8(2), &request.vote);
                parts::write_optional_log_id(&mut writer, request.prev_log_id.as_ref());
                parts::write_optional_log_id(&mut writer, request.leader_commit.as_ref());
                writer.list(&request.entries, parts::write_entry);
            }
            Self::Snapshot { vote, meta, heads } => {
                parts::write_vote(writer.u8(3), vote);
                parts::write_optional_log_id(&mut writer, meta.last_log_id.as_ref());
                parts::write_stored_membership(&mut writer, &meta.last_membership);
                writer.text(&meta.snapshot_id);
                heads.write(&mut writer);
            }
            Self::Signatures(dockets) => {
                writer.u8(4).list(dockets, |writer, docket| {
                    writer.raw(docket.register.as_bytes()).u64(docket.number).raw(docket.hash.as_bytes());
                    writer.option(docket.signature.as_ref(), |writer, signature| {
                        writer.raw(signature.as_bytes());
                    });
                });
            }
            Self::Dockets { register, from, max_bytes } => {
                writer.u8(5).raw(register.as_bytes()).u64(*from).u32(*max_bytes);
            }
            Self::Elect => {
                writer.u8(6);
            }
            Self::Begun => {
                writer.u8(7);
            }
            Self::MayStand(last) => parts::write_optional_log_id(writer.u8(8), last.as_ref()),
        }
        writer.finish().into()
    }

    pub(crate) fn decode(encoded: &Bytes) -> Result<Self, DecodeError> {
        if encoded.len() > MAX_MESSAGE_BYTES {
            let (length, limit) = (encoded.len() as u64, MAX_MESSAGE_BYTES as u64);
            return Err(DecodeError::TooLong { what: "request", length, limit });
        }
        let mut reader = Reader::new(encoded);
        read_version(&mut reader)?;
        let request = match reader.u8("request")? {
            1 => Self::Vote(VoteRequest {
                vote: parts::read_vote(&mut reader)?,
                last_log_id: parts::read_optional_log_id(&mut reader)?,
            }),
            2 => Self::Append(AppendEntriesRequest {
                vote: parts::read_vote(&mut reader)?,
                prev_log_id: parts::read_optional_log_id(&mut reader)?,
                leader_commit: parts::read_optional_log_id(&mut reader)?,
                entries: reader.list(MAX_ENTRIES, "entries", |reader| parts::read_entry(reader, encoded))?,
            }),
            3 => Self::Snapshot {
                vote: parts::read_vote(&mut reader)?,
                meta: SnapshotMeta {
                    last_log_id: parts::read_optional_log_id(&mut reader)?,
                    last_membership: parts::read_stored_membership(&mut reader)?,
                    snapshot_id: reader.text(MAX_SNAPSHOT_NAME_BYTES, "snapshot name")?.to_owned(),
                },
                heads: Heads::read(&mut reader)?,
            },
            4 => Self::Signatures(reader.list(MAX_SIGNATURES, "signatures", |reader| {
                Ok(SignedDocket {
                    register: RegisterId::from_bytes(reader.array("register")?),
                    number: reader.u64("docket number")?,
                    hash: DocketHash::from_bytes(reader.array("docket hash")?),
                    signature: reader
                        .option("signature", |reader| reader.array("signature"))?
                        .map(Signature::from_bytes),
                })
            })?),
            5 => Self::Dockets {
                register: RegisterId::from_bytes(reader.array("register")?),
                from: reader.u64("docket number")?,
                max_bytes: reader.u32("most bytes")?,
            },
            6 => Self::Elect,
            7 => Self::Begun,
            8 => Self::MayStand(parts::read_optional_log_id(&mut reader)?),
            value => return Err(DecodeError::Unknown { what: "request", value: value.into() }),
        };
        reader.finish()?;
        Ok(request)
    }
}
