//! The state machine: an entry becomes a docket that wants signatures.
//!
//! ```text
//! entry ─▶ formed behind its register's tip ─▶ pending ─▶ exchange ─▶ certificate ─▶ recorder: stored, settled
//!      └─▶ stale: for another tip                                                        snapshot: the heads that are stored
//! ```
//!
//! Nothing is written here. What is lost with the process is formed again from the log, the same to the last byte, because
//! the log is kept until what it made is stored.

use super::{Answer, Entry, LogId, Membership, SnapshotMeta, StorageError, StoredMembership, Types};
use crate::{
    command::Command,
    core::Core,
    registers::Pending,
    snapshot::{Heads, MAX_REGISTERS},
};
use openraft::{
    EntryPayload, OptionalSend, RaftSnapshotBuilder, Snapshot, StorageIOError, anyerror::AnyError,
    storage::RaftStateMachine,
};
use std::sync::Arc;

/// Dockets that may want signatures before a sealer stops forming more: the leader stops proposing long before, so only a
/// sealer that nobody answers comes here.
const MAX_PENDING: usize = 2_048;

/// The adaptor; all state is in [`Core`].
#[derive(Clone)]
pub(crate) struct Machine {
    pub(crate) core: Arc<Core>,
}

impl Machine {
    async fn apply_entry(&self, entry: Entry) -> Answer {
        let Entry { log_id, payload } = entry;
        let (answer, membership) = match payload {
            EntryPayload::Blank => (Answer::Nothing, None),
            EntryPayload::Membership(membership) => (Answer::Nothing, Some(self.stored(log_id, membership))),
            EntryPayload::Normal(command) => (self.form(log_id, command).await, None),
        };
        let is_open = matches!(answer, Answer::Formed { .. });
        if !is_open {
            self.core.registers(|registers| registers.applied(log_id, membership, false));
        }
        answer
    }

    fn stored(&self, log_id: LogId, membership: Membership) -> StoredMembership {
        StoredMembership::new(Some(log_id), membership)
    }

    async fn form(&self, log_id: LogId, command: Command) -> Answer {
        let (register, number) = (command.header.register, command.header.number);
        self.wait_for_room().await;
        // Hashing a docket takes a while: the registers are not held meanwhile.
        let tip = self.core.registers(|registers| match registers.tip(&register) {
            None if registers.ids().len() >= MAX_REGISTERS => Err(()),
            tip => Ok(tip),
        });
        let Ok(tip) = tip else { return Answer::Stale };
        let pending = match Pending::form(tip, log_id.index, command) {
            Ok(pending) => pending,
            Err(refused) => {
                tracing::debug!(%register, number, code = refused.code(), %refused, "an entry fits its register no more");
                return Answer::Stale;
            }
        };
        let hash = pending.hash;
        let is_certified = self.core.registers(|registers| {
            if !registers.push(pending) {
                return None;
            }
            registers.applied(log_id, None, true);
            registers.get(&register)?.pending().back().map(Pending::is_certified)
        });
        let Some(is_certified) = is_certified else { return Answer::Stale };
        self.core.formed.notify_one();
        if is_certified {
            self.core.certified.notify_one();
        }
        Answer::Formed { number, hash }
    }

    async fn wait_for_room(&self) {
        let mut recorded = self.core.recorded.subscribe();
        while self.core.registers(|registers| registers.pending()) >= MAX_PENDING {
            tokio::select! {
                biased;
                () = self.core.cancelled() => return,
                Ok(()) = recorded.changed() => {}
            }
        }
    }

    fn snapshot(&self) -> Snapshot<Types> {
        let (heads, (id, membership)) =
            self.core.registers(|registers| (registers.heads(), registers.stored().clone()));
        let snapshot_id = id.map_or_else(|| "empty".to_owned(), |id| format!("{}-{}", id.leader_id.term, id.index));
        let meta = SnapshotMeta { last_log_id: id, last_membership: membership, snapshot_id };
        Snapshot { meta, snapshot: Box::new(heads) }
    }
}

impl RaftSnapshotBuilder<Types> for Machine {
    async fn build_snapshot(&mut self) -> Result<Snapshot<Types>, StorageError> {
        Ok(self.snapshot())
    }
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), StorageError> {
        Ok(self.core.registers(|registers| registers.stored().clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Answer>, StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut answers = Vec::new();
        for entry in entries {
            answers.push(self.apply_entry(entry).await);
        }
        Ok(answers)
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Heads>, StorageError> {
        Ok(Box::default())
    }

    /// All dockets that the snapshot names were fetched before.
    async fn install_snapshot(&mut self, meta: &SnapshotMeta, _: Box<Heads>) -> Result<(), StorageError> {
        let stored = (meta.last_log_id, meta.last_membership.clone());
        let written = {
            let _writing = self.core.writing.lock().await;
            self.core.store_dockets(Vec::new(), &stored).await
        };
        written.map_err(|error| StorageIOError::write_snapshot(Some(meta.signature()), AnyError::new(&error)))?;
        self.core.registers(|registers| registers.install(stored));
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<Types>>, StorageError> {
        Ok(Some(self.snapshot()).filter(|snapshot| snapshot.meta.last_log_id.is_some()))
    }
}
