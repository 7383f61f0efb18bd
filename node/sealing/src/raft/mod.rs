//! The consensus library over our store and transport: openraft orders entries and changes the membership, everything
//! that it stores or sends goes through the adaptors here.

mod ballot;
mod config;
mod log;
mod machine;
mod network;
mod progress;
mod types;

pub(crate) use ballot::{Ballot, Kept, Unreadable};
pub(crate) use config::config;
pub(crate) use log::Log;
pub(crate) use machine::Machine;
pub(crate) use network::Network;
pub(crate) use progress::Progress;
pub(crate) use types::{Answer, SealerId, Types};

use openraft::EmptyNode;

pub(crate) type Entry = openraft::Entry<Types>;
pub(crate) type LogId = openraft::LogId<SealerId>;
pub(crate) type Vote = openraft::Vote<SealerId>;
pub(crate) type Membership = openraft::Membership<SealerId, EmptyNode>;
pub(crate) type StoredMembership = openraft::StoredMembership<SealerId, EmptyNode>;
pub(crate) type SnapshotMeta = openraft::SnapshotMeta<SealerId, EmptyNode>;
pub(crate) type StorageError = openraft::StorageError<SealerId>;
pub(crate) type Raft = openraft::Raft<Types>;
