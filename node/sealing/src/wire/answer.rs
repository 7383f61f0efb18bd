//! What the other sealer answers.

use super::{MAX_MESSAGE_BYTES, VERSION, parts, read_version, request::MAX_SIGNATURES};
use crate::raft::{SealerId, Vote};
use bytes::Bytes;
use openraft::raft::{AppendEntriesResponse, VoteResponse};
use peerwright_encoding::{DecodeError, Reader, Writer};
use peerwright_ledger::docket::MAX_SEALERS;
use peerwright_secure::{NodePublicKey, Signature};

/// Most dockets in an answer.
pub(crate) const MAX_DOCKETS: usize = 4_096;
/// The longest code of a refusal.
const MAX_CODE_BYTES: usize = 64;

const SUCCESS: u8 = 0;
const PARTIAL: u8 = 1;
const CONFLICT: u8 = 2;
const HIGHER_VOTE: u8 = 3;

/// Signatures of one docket, by whom.
pub(crate) type Signatures = Vec<(NodePublicKey, Signature)>;

#[derive(Debug)]
pub(crate) enum Answer {
    Vote(VoteResponse<SealerId>),
    Append(AppendEntriesResponse<SealerId>),
    Snapshot(Vote),
    Signatures(Vec<Signatures>),
    Dockets(Vec<Bytes>),
    Elect,
    Begun(bool),
    MayStand(bool),
    Refused(String),
}

impl Answer {
    pub(crate) fn encode(&self) -> Bytes {
        let mut writer = Writer::new();
        writer.u8(VERSION);
        match self {
            Self::Vote(answer) => {
                parts::write_vote(writer.u8(1), &answer.vote);
                parts::write_optional_log_id(writer.bool(answer.vote_granted), answer.last_log_id.as_ref());
            }
            Self::Append(answer) => match (writer.u8(2), answer) {
                (writer, AppendEntriesResponse::Success) => {
                    writer.u8(SUCCESS);
                }
                (writer, AppendEntriesResponse::PartialSuccess(id)) => {
                    parts::write_optional_log_id(writer.u8(PARTIAL), id.as_ref());
                }
                (writer, AppendEntriesResponse::Conflict) => {
                    writer.u8(CONFLICT);
                }
                (writer, AppendEntriesResponse::HigherVote(vote)) => parts::write_vote(writer.u8(HIGHER_VOTE), vote),
            },
            Self::Snapshot(vote) => parts::write_vote(writer.u8(3), vote),
            Self::Signatures(dockets) => {
                writer.u8(4).list(dockets, |writer, signatures| {
                    writer.list(signatures, |writer, (sealer, signature)| {
                        writer.raw(sealer.as_bytes()).raw(signature.as_bytes());
                    });
                });
            }
            Self::Dockets(dockets) => {
                writer.u8(5).list(dockets, |writer, docket| {
                    writer.bytes(docket);
                });
            }
            Self::Elect => {
                writer.u8(6);
            }
            Self::Begun(has_begun) => {
                writer.u8(7).bool(*has_begun);
            }
            Self::MayStand(may_stand) => {
                writer.u8(8).bool(*may_stand);
            }
            Self::Refused(code) => {
                writer.u8(0).text(code);
            }
        }
        writer.finish().into()
    }

    pub(crate) fn decode(encoded: &Bytes) -> Result<Self, DecodeError> {
        if encoded.len() > MAX_MESSAGE_BYTES {
            let (length, limit) = (encoded.len() as u64, MAX_MESSAGE_BYTES as u64);
            return Err(DecodeError::TooLong { what: "answer", length, limit });
        }
        let mut reader = Reader::new(encoded);
        read_version(&mut reader)?;
        let answer = match reader.u8("answer")? {
            1 => Self::Vote(VoteResponse {
                vote: parts::read_vote(&mut reader)?,
                vote_granted: reader.bool("granted")?,
                last_log_id: parts::read_optional_log_id(&mut reader)?,
            }),
            2 => Self::Append(match reader.u8("append")? {
                SUCCESS => AppendEntriesResponse::Success,
                PARTIAL => AppendEntriesResponse::PartialSuccess(parts::read_optional_log_id(&mut reader)?),
                CONFLICT => AppendEntriesResponse::Conflict,
                HIGHER_VOTE => AppendEntriesResponse::HigherVote(parts::read_vote(&mut reader)?),
                value => return Err(DecodeError::Unknown { what: "append", value: value.into() }),
            }),
            3 => Self::Snapshot(parts::read_vote(&mut reader)?),
            4 => Self::Signatures(reader.list(MAX_SIGNATURES, "dockets", |reader| {
                reader.list(MAX_SEALERS, "signatures", |reader| {
                    let sealer = NodePublicKey::from_bytes(reader.array("sealer")?);
                    Ok((sealer, Signature::from_bytes(reader.array("signature")?)))
                })
            })?),
            5 => Self::Dockets(reader.list(MAX_DOCKETS, "dockets", |reader| {
                Ok(encoded.slice_ref(reader.bytes(MAX_MESSAGE_BYTES, "docket")?))
            })?),
            6 => Self::Elect,
            7 => Self::Begun(reader.bool("begun")?),
            8 => Self::MayStand(reader.bool("may stand")?),
            0 => Self::Refused(reader.text(MAX_CODE_BYTES, "code")?.to_owned()),
            value => return Err(DecodeError::Unknown { what: "answer", value: value.into() }),
        };
        reader.finish()?;
        Ok(answer)
    }
}
