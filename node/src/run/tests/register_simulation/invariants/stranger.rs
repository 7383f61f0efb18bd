//! A stranger who knows nothing but a register's id verifies from docket 0 whatever any volume holds of it: certificates, Merkle
//! roots, history, every author's signature. No transaction comes twice.

use crate::run::tests::register_simulation::Broken;
use peerwright_ledger::{Chain, Docket, RegisterId, TransactionId, Verify};
use std::collections::BTreeSet;

/// Gives the transactions.
pub(in crate::run::tests::register_simulation) fn check(
    host: usize,
    dockets: &[Docket],
    register: RegisterId,
    now: u64,
) -> Result<BTreeSet<TransactionId>, Broken> {
    let verified = verify(dockets, register, now);
    once(host, verified.map_err(|why| Broken::new("stranger", format!("host {host}: {why}")))?)
}

/// The transactions, of which none may come twice.
pub(super) fn once(host: usize, ids: Vec<TransactionId>) -> Result<BTreeSet<TransactionId>, Broken> {
    let mut once = BTreeSet::new();
    match ids.into_iter().find(|id| !once.insert(*id)) {
        Some(id) => Err(Broken::new("stranger", format!("host {host}: {id} is sealed twice"))),
        None => Ok(once),
    }
}

fn verify(dockets: &[Docket], register: RegisterId, now: u64) -> Result<Vec<TransactionId>, String> {
    let Some((first, others)) = dockets.split_first() else { return Ok(Vec::new()) };
    let mut chain = Chain::begin(first, now).map_err(|refused| refused.to_string())?;
    if chain.register() != register {
        return Err(format!("docket 0 begins {}", chain.register()));
    }
    let mut ids = Vec::new();
    for docket in others {
        let taken = chain.extend(docket, Verify::EveryTransaction, now);
        ids.extend(taken.map_err(|refused| format!("docket {}: {refused}", docket.header.number))?);
    }
    Ok(ids)
}
