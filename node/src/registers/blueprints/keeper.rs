//! Reads the system register, whichever it is, for as long as this node runs.

use super::told;
use crate::{
    member::Membership,
    registers::{Filter, Registers, Step, Tail, TailEnded},
};
use peerwright_ledger::RegisterId;
use std::{future::pending, sync::Arc, time::Duration};
use tokio::time::sleep;

/// Before the register is asked for again that is not here yet, or could not be read.
const RETRY: Duration = Duration::from_secs(1);

/// Keeps what this node knows of blueprints.
pub(crate) struct BlueprintKeeper {
    pub(crate) registers: Registers,
    pub(crate) membership: Arc<Membership>,
}

impl BlueprintKeeper {
    /// Runs until it is dropped.
    pub(crate) async fn run(self) {
        let mut snapshots = self.membership.watch_snapshot();
        loop {
            snapshots.borrow_and_update();
            let system = self.system();
            self.registers.blueprints.begin(system);
            tokio::select! {
                biased;
                changed = async {
                    while snapshots.changed().await.is_ok() {
                        if self.system() != system {
                            return true;
                        }
                    }
                    false
                } => if !changed { return },
                () = self.read(system) => {}
            }
        }
    }

    fn system(&self) -> Option<RegisterId> {
        self.membership.snapshot()?.snapshot.content.system.map(RegisterId::from_bytes)
    }

    async fn read(&self, system: Option<RegisterId>) {
        let Some(register) = system else { return pending().await };
        loop {
            if let Err(ended) = self.read_on(register).await {
                tracing::debug!(%register, %ended, "blueprints cannot be read on");
            }
            sleep(RETRY).await;
        }
    }

    /// Goes on where it was until something fails.
    async fn read_on(&self, register: RegisterId) -> Result<(), TailEnded> {
        let blueprints = &self.registers.blueprints;
        let mut tail = Tail::begin(&self.registers, register, Some(blueprints.next()), Filter::default()).await?;
        loop {
            if let Step::Docket(docket) = tail.next().await? {
                let told = told(&docket).map_err(|refusal| TailEnded::Damaged(refusal.to_string()))?;
                blueprints.take(docket.header.number, told);
            }
        }
    }
}
