//! Puts an entry into the group's log.

use crate::{
    GroupRefused,
    command::Command,
    raft::{Answer, Raft},
};
use openraft::error::{ClientWriteError, RaftError};

/// What became of the entry, once it is applied here.
pub(crate) async fn propose(raft: &Raft, command: Command) -> Result<Answer, GroupRefused> {
    match raft.client_write(command).await {
        Ok(written) => Ok(written.data),
        Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward))) => {
            Err(GroupRefused::NotLeader { leader: forward.leader_id.map(crate::raft::SealerId::key) })
        }
        Err(RaftError::APIError(ClientWriteError::ChangeMembershipError(_))) => Err(GroupRefused::Changing),
        Err(RaftError::Fatal(_)) => Err(GroupRefused::Stopped),
    }
}
