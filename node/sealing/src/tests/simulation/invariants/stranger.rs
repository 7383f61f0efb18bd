//! A stranger who knows nothing but a register's id verifies from docket 0 whatever any volume holds of it: certificates, Merkle
//! roots, history, every author's signature.

use crate::tests::{register, simulation::Broken};
use peerwright_ledger::{Docket, RegisterId, TransactionId};

/// Gives the transactions in their order.
pub(in crate::tests::simulation) fn check(
    volume: &str,
    dockets: &[Docket],
    register: RegisterId,
    now: u64,
) -> Result<Vec<TransactionId>, Broken> {
    let verified = register::stranger(dockets, register, now);
    verified.map(|(_, ids)| ids).map_err(|why| Broken::new("stranger", format!("{volume}, {register}: {why}")))
}
