//! No certified docket, once it was seen anywhere, disappears or changes on any volume.

use crate::run::tests::register_simulation::{Broken, host::read};
use peerwright_ledger::{DocketHash, RegisterId};
use peerwright_store::{DocketStore, Seen};
use std::collections::BTreeMap;

/// Every certified docket that was ever seen, and how far each volume had come.
#[derive(Default)]
pub(in crate::run::tests::register_simulation) struct Certified {
    named: BTreeMap<(RegisterId, u64), DocketHash>,
    heads: BTreeMap<(usize, RegisterId), u64>,
}

impl Certified {
    /// Looks at the volume of this host.
    pub(in crate::run::tests::register_simulation) fn check(
        &mut self,
        host: usize,
        volume: &dyn DocketStore,
        register: RegisterId,
    ) -> Result<(), Broken> {
        let broken = |what: String| Err(Broken::new("certified", format!("host {host}: {what}")));
        let headers = read(volume.headers(register, 0, Seen::Certified, usize::MAX));
        for (number, header) in (0..).zip(&headers) {
            if header.number != number {
                return broken(format!("docket {} stands where {number} was", header.number));
            }
            let seen = *self.named.entry((register, number)).or_insert(header.hash);
            if seen != header.hash {
                return broken(format!("docket {number} is {}, and was seen as {seen}", header.hash));
            }
        }
        let head = headers.last().map(|header| header.number);
        let seen = self.heads.get(&(host, register)).copied();
        if head < seen {
            return broken(format!("its head was {seen:?} and is {head:?}"));
        }
        self.heads.extend(head.map(|head| ((host, register), head)));
        Ok(())
    }

    /// How many there are.
    pub(in crate::run::tests::register_simulation) fn dockets(&self) -> usize {
        self.named.len()
    }
}
