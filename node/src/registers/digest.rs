//! What the operator is told of registers, and of the hub that their dockets come from.

use super::{Registers, ReplicaState};
use bytes::Bytes;
use peerwright_ledger::RegisterId;
use peerwright_proto::v1::{self, HubDigest, RegisterDigest};

const MICROS_PER_SECOND: u64 = 1_000_000;

impl Registers {
    /// The row of a register that this node holds or hears of. `synced`: its messages are all here; `seals`: this node
    /// is one of those that make its dockets.
    pub(crate) fn row(&self, register: RegisterId, synced: bool, seals: bool) -> RegisterDigest {
        let dockets = self.heads.count(register);
        let progress = if seals { None } else { Some(self.progress(register).unwrap_or_default()) };
        let row = RegisterDigest {
            register_id: Bytes::copy_from_slice(register.as_bytes()),
            synced,
            dockets,
            ..RegisterDigest::default()
        };
        match progress {
            None => RegisterDigest { dockets_of_source: dockets, state: v1::ReplicaState::Sealing.into(), ..row },
            Some(progress) => RegisterDigest {
                dockets_of_source: progress.total.max(dockets),
                state: state(progress.state).into(),
                behind_since: progress.behind_since.map_or(0, |since| since / MICROS_PER_SECOND),
                problem: progress.problem.unwrap_or_default().to_owned(),
                ..row
            },
        }
    }

    /// The row of a register that this node is to purge.
    pub(crate) fn purge_row(&self, register: RegisterId) -> RegisterDigest {
        let dockets = self.heads.count(register);
        let state = if dockets == 0 { v1::ReplicaState::Purged } else { v1::ReplicaState::Unspecified };
        RegisterDigest {
            register_id: Bytes::copy_from_slice(register.as_bytes()),
            dockets,
            state: state.into(),
            ..RegisterDigest::default()
        }
    }

    /// How this node stands to its hubs; nothing where it has none.
    pub(crate) fn hub_row(&self) -> Option<HubDigest> {
        let standing = self.hubs();
        (!standing.hubs.is_empty()).then(|| HubDigest {
            active: standing.active.map(|hub| Bytes::copy_from_slice(hub.as_bytes())).unwrap_or_default(),
            isolated_since: standing.isolated_since.map_or(0, |since| since / MICROS_PER_SECOND),
        })
    }
}

const fn state(state: ReplicaState) -> v1::ReplicaState {
    match state {
        ReplicaState::Subscribing => v1::ReplicaState::Subscribing,
        ReplicaState::Syncing => v1::ReplicaState::Syncing,
        ReplicaState::FullyReplicated => v1::ReplicaState::FullyReplicated,
        ReplicaState::Error => v1::ReplicaState::Error,
        ReplicaState::Active => v1::ReplicaState::Active,
        ReplicaState::Frozen => v1::ReplicaState::Frozen,
    }
}

#[cfg(test)]
mod tests {
    use super::Registers;
    use crate::registers::{HubRow, HubStanding, HubState};
    use peerwright_ledger::RegisterId;
    use peerwright_proto::v1::{HubDigest, RegisterDigest, ReplicaState};
    use peerwright_secure::PeerId;
    use peerwright_snapshot::ReplicaMode;
    use peerwright_store::Memory;
    use std::sync::Arc;

    const REGISTER: RegisterId = RegisterId::from_bytes([7; 16]);
    const SOURCE: PeerId = PeerId::from_bytes([1; 32]);

    fn registers() -> Registers {
        Registers::new(Arc::new(Memory::new("uid")), Arc::default())
    }

    fn said(row: &RegisterDigest) -> (ReplicaState, u64, u64, &str) {
        (row.state(), row.dockets, row.dockets_of_source, &row.problem)
    }

    #[test]
    fn a_follower_tells_how_far_it_is_and_a_sealer_that_it_seals() {
        let registers = registers();
        assert_eq!(said(&registers.row(REGISTER, true, false)), (ReplicaState::Subscribing, 0, 0, ""));
        registers.standing.begin(REGISTER, ReplicaMode::FullReplica, 2);
        registers.standing.heard(REGISTER, SOURCE, 8, 5_000_000);
        registers.heads.advance(REGISTER, 2);
        let behind = registers.row(REGISTER, true, false);
        assert_eq!((said(&behind), behind.behind_since), ((ReplicaState::Syncing, 2, 8, ""), 5));
        assert_eq!(said(&registers.row(REGISTER, true, true)), (ReplicaState::Sealing, 2, 2, ""));
        for _ in 0..10 {
            registers.standing.failed(REGISTER, "refused", "broken".to_owned(), 10, 6_000_000);
        }
        assert_eq!(said(&registers.row(REGISTER, true, false)), (ReplicaState::Error, 2, 8, "refused"));
        registers.standing.frozen(REGISTER, "two histories".to_owned());
        assert_eq!(said(&registers.row(REGISTER, true, false)), (ReplicaState::Frozen, 2, 8, "fork"));
    }

    #[test]
    fn whoever_has_hubs_tells_which_is_active_or_since_when_none_is_reached() {
        let registers = registers();
        assert_eq!(registers.hub_row(), None, "it has none");
        let hubs = vec![HubRow { hub: SOURCE, state: HubState::Active, missed: 0 }];
        registers.hubs.tell(HubStanding { active: Some(SOURCE), hubs: hubs.clone(), ..HubStanding::default() });
        let active = HubDigest { active: SOURCE.as_bytes().to_vec().into(), isolated_since: 0 };
        assert_eq!(registers.hub_row(), Some(active));

        registers.hubs.tell(HubStanding { isolated_since: Some(7_900_000), hubs, ..HubStanding::default() });
        assert_eq!(registers.hub_row(), Some(HubDigest { isolated_since: 7, ..HubDigest::default() }));
    }

    #[test]
    fn nothing_is_called_purged_while_dockets_are_here() {
        let registers = registers();
        assert_eq!(registers.purge_row(REGISTER).state(), ReplicaState::Purged);
        registers.heads.advance(REGISTER, 1);
        assert_eq!(registers.purge_row(REGISTER).state(), ReplicaState::Unspecified);
    }
}
