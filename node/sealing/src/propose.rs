//! Puts an entry into the group's log.

use crate::{
    GroupRefused,
    command::Command,
    raft::{Answer, Raft, SealerId},
};
use openraft::{
    ServerState,
    error::{ClientWriteError, RaftError},
};
use std::time::Duration;

/// How long the answer for an entry is waited for when another leads. The entry is in the next leader's log or is not: it is
/// applied here or taken back, and either answers. One that a snapshot has overtaken is never answered by the library.
const OVERTAKEN_AFTER: Duration = Duration::from_secs(2);

/// What became of the entry, once it is applied here.
pub(crate) async fn propose(raft: &Raft, command: Command) -> Result<Answer, GroupRefused> {
    match unless_overtaken(raft, raft.client_write(command)).await? {
        Ok(written) => Ok(written.data),
        Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward))) => {
            Err(GroupRefused::NotLeader { leader: forward.leader_id.map(SealerId::key) })
        }
        Err(RaftError::APIError(ClientWriteError::ChangeMembershipError(_))) => Err(GroupRefused::Changing),
        Err(RaftError::Fatal(_)) => Err(GroupRefused::Stopped),
    }
}

/// The library's answer for an entry, unless another leads and none has come.
pub(crate) async fn unless_overtaken<T>(raft: &Raft, answer: impl Future<Output = T>) -> Result<T, GroupRefused> {
    let mut metrics = raft.metrics();
    let term = metrics.borrow().current_term;
    let overtaken = async {
        let led = metrics.wait_for(|metrics| metrics.current_term != term || metrics.state != ServerState::Leader);
        match led.await.map(drop) {
            Ok(()) => tokio::time::sleep(OVERTAKEN_AFTER).await,
            // The library has ended, and says so.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        answer = answer => Ok(answer),
        () = overtaken => Err(GroupRefused::NotLeader { leader: raft.metrics().borrow().current_leader.map(SealerId::key) }),
    }
}
