//! Votes, log ids, memberships and entries: in messages and in the store.

use crate::{
    command::Command,
    raft::{Entry, Kept, LogId, Membership, SealerId, StoredMembership, Vote},
};
use bytes::Bytes;
use openraft::{CommittedLeaderId, EntryPayload};
use peerwright_encoding::{DecodeError, Reader, Writer};
use std::collections::BTreeSet;

/// Most nodes of a group, learners included.
const MAX_NODES: usize = 32;
/// Most sets of voters at once: the one that is left and the one that is joined.
const MAX_CONFIGS: usize = 2;

const BLANK: u8 = 0;
const DOCKET: u8 = 1;
const MEMBERSHIP: u8 = 2;

pub(super) fn write_vote(writer: &mut Writer, vote: &Vote) {
    writer.u64(vote.leader_id.term).raw(vote.leader_id.node_id.as_bytes()).bool(vote.committed);
}

pub(super) fn read_vote(reader: &mut Reader<'_>) -> Result<Vote, DecodeError> {
    let term = reader.u64("term")?;
    let sealer = SealerId::from_bytes(reader.array("candidate")?);
    Ok(if reader.bool("vote")? { Vote::new_committed(term, sealer) } else { Vote::new(term, sealer) })
}

fn write_ballot(writer: &mut Writer, kept: &Kept) {
    write_vote(writer, &kept.vote);
    writer.bool(kept.is_behind);
    // The first group's is as it was before there were others.
    if kept.generation > 0 {
        writer.u64(kept.generation);
    }
}

fn read_ballot(reader: &mut Reader<'_>) -> Result<Kept, DecodeError> {
    let (vote, is_behind) = (read_vote(reader)?, reader.bool("standing")?);
    let generation = if reader.remaining() == 0 { 0 } else { reader.u64("generation")? };
    Ok(Kept { vote, is_behind, generation })
}

pub(super) fn write_log_id(writer: &mut Writer, id: &LogId) {
    writer.u64(id.leader_id.term).raw(id.leader_id.node_id.as_bytes()).u64(id.index);
}

pub(super) fn read_log_id(reader: &mut Reader<'_>) -> Result<LogId, DecodeError> {
    let term = reader.u64("term")?;
    let leader = CommittedLeaderId::new(term, SealerId::from_bytes(reader.array("leader")?));
    Ok(LogId::new(leader, reader.u64("index")?))
}

pub(super) fn write_optional_log_id(writer: &mut Writer, id: Option<&LogId>) {
    writer.option(id, write_log_id);
}

pub(super) fn read_optional_log_id(reader: &mut Reader<'_>) -> Result<Option<LogId>, DecodeError> {
    reader.option("log id", read_log_id)
}

fn write_membership(writer: &mut Writer, membership: &Membership) {
    writer.list(membership.get_joint_config(), |writer, config| {
        write_sealers(writer, config);
    });
    write_sealers(writer, &membership.nodes().map(|(sealer, _)| *sealer).collect());
}

fn read_membership(reader: &mut Reader<'_>) -> Result<Membership, DecodeError> {
    let configs = reader.list(MAX_CONFIGS, "sets of voters", read_sealers)?;
    let nodes = read_sealers(reader)?;
    if !configs.iter().all(|config| config.is_subset(&nodes)) {
        return Err(DecodeError::Invalid("a voter is no node of the group"));
    }
    Ok(Membership::new(configs, nodes))
}

fn write_sealers(writer: &mut Writer, sealers: &BTreeSet<SealerId>) {
    let sealers: Vec<_> = sealers.iter().collect();
    writer.list(&sealers, |writer, sealer| {
        writer.raw(sealer.as_bytes());
    });
}

fn read_sealers(reader: &mut Reader<'_>) -> Result<BTreeSet<SealerId>, DecodeError> {
    let sealers = reader.list(MAX_NODES, "nodes", |reader| reader.array("node").map(SealerId::from_bytes))?;
    if !sealers.is_sorted_by(|earlier, later| earlier < later) {
        return Err(DecodeError::Invalid("the nodes of a group are not in ascending order"));
    }
    Ok(sealers.into_iter().collect())
}

pub(super) fn write_stored_membership(writer: &mut Writer, membership: &StoredMembership) {
    write_optional_log_id(writer, membership.log_id().as_ref());
    write_membership(writer, membership.membership());
}

pub(super) fn read_stored_membership(reader: &mut Reader<'_>) -> Result<StoredMembership, DecodeError> {
    let id = read_optional_log_id(reader)?;
    Ok(StoredMembership::new(id, read_membership(reader)?))
}

pub(super) fn write_entry(writer: &mut Writer, entry: &Entry) {
    write_log_id(writer, &entry.log_id);
    match &entry.payload {
        EntryPayload::Blank => {
            writer.u8(BLANK);
        }
        EntryPayload::Normal(command) => command.write(writer.u8(DOCKET)),
        EntryPayload::Membership(membership) => write_membership(writer.u8(MEMBERSHIP), membership),
    }
}

pub(super) fn read_entry(reader: &mut Reader<'_>, encoded: &Bytes) -> Result<Entry, DecodeError> {
    let log_id = read_log_id(reader)?;
    let payload = match reader.u8("entry")? {
        BLANK => EntryPayload::Blank,
        DOCKET => EntryPayload::Normal(Command::read(reader, encoded)?),
        MEMBERSHIP => EntryPayload::Membership(read_membership(reader)?),
        value => return Err(DecodeError::Unknown { what: "entry", value: value.into() }),
    };
    Ok(Entry { log_id, payload })
}

/// Declares how a part is stored by itself: behind a version byte, and nothing behind it.
macro_rules! stored {
    ($encode:ident, $decode:ident, $part:ty, $write:expr, $read:expr) => {
        pub(crate) fn $encode(part: &$part) -> Bytes {
            let mut writer = Writer::new();
            $write(writer.u8(super::VERSION), part);
            writer.finish().into()
        }

        pub(crate) fn $decode(encoded: &Bytes) -> Result<$part, DecodeError> {
            let mut reader = Reader::new(encoded);
            super::read_version(&mut reader)?;
            let part = $read(&mut reader, encoded)?;
            reader.finish()?;
            Ok(part)
        }
    };
}

stored!(encode_entry, decode_entry, Entry, write_entry, read_entry);
stored!(encode_ballot, decode_ballot, Kept, write_ballot, |reader: &mut Reader<'_>, _: &Bytes| read_ballot(reader));
stored!(encode_log_id, decode_log_id, LogId, write_log_id, |reader: &mut Reader<'_>, _: &Bytes| read_log_id(reader));
stored!(
    encode_membership,
    decode_membership,
    StoredMembership,
    write_stored_membership,
    |reader: &mut Reader<'_>, _: &Bytes| read_stored_membership(reader)
);
