//! What must hold, one file each.

mod acknowledged;
mod certified;
pub(super) mod forks;
pub(super) mod prefixes;
pub(super) mod stranger;
mod tests;

pub(super) use acknowledged::Acknowledged;
pub(super) use certified::Certified;

use super::{Broken, host::read};
use peerwright_ledger::{Docket, RegisterId};
use peerwright_store::{DocketStore, Seen};

/// The certified dockets that a volume holds of a register, in order.
pub(super) fn history(volume: &dyn DocketStore, register: RegisterId) -> Result<Vec<Docket>, Broken> {
    let stored = read(volume.dockets(register, 0, Seen::Certified, usize::MAX, usize::MAX));
    let docket = |stored: &peerwright_store::StoredDocket| {
        let certificate = stored.header.certificate.as_deref().unwrap_or_default();
        Docket::decode(Docket::assemble(&stored.header.header, certificate, &stored.body))
    };
    let read = stored.iter().map(docket).collect::<Result<_, _>>();
    read.map_err(|error| Broken::new("stranger", format!("{register}: {error}")))
}
