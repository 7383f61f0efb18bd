//! No certified docket, once it was seen anywhere, disappears or changes on any volume that is still there.

use crate::tests::simulation::Broken;
use peerwright_ledger::{DocketHash, RegisterId};
use peerwright_store::{DocketStore, Seen};
use std::{collections::BTreeMap, fmt};

/// Every certified docket that was ever seen, and how far each volume had come.
#[derive(Default)]
pub(in crate::tests::simulation) struct Certified {
    named: BTreeMap<(RegisterId, u64), DocketHash>,
    heads: BTreeMap<(String, RegisterId), u64>,
}

impl Certified {
    pub(in crate::tests::simulation) async fn check(
        &mut self,
        volume: &str,
        store: &dyn DocketStore,
        register: RegisterId,
    ) -> Result<(), Broken> {
        let broken = |what: String| Broken::new("certified", format!("{volume}, {register}: {what}"));
        let headers = store.headers(register, 0, Seen::Certified, usize::MAX).await;
        let headers = headers.map_err(|error| broken(error.to_string()))?;
        for (number, header) in (0..).zip(&headers) {
            if header.number != number {
                return Err(broken(format!("docket {} stands where {number} was", header.number)));
            }
            let seen = self.named.entry((register, number)).or_insert(header.hash);
            if *seen != header.hash {
                return Err(broken(format!("docket {number} is {}, and was seen as {seen}", header.hash)));
            }
        }
        let head = headers.last().map(|header| header.number);
        let seen = self.heads.get(&(volume.to_owned(), register)).copied();
        if head < seen {
            return Err(broken(format!("its head was {seen:?} and is {head:?}")));
        }
        if let Some(head) = head {
            self.heads.insert((volume.to_owned(), register), head);
        }
        Ok(())
    }
}

impl fmt::Debug for Certified {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.named.iter().next_back();
        write!(formatter, "{} dockets, the last {last:?}, {:?}", self.named.len(), self.heads)
    }
}
