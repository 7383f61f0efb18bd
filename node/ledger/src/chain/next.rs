//! What a chain demands of its next docket's header, before anything is hashed or verified.

use super::Chain;
use crate::docket::{DocketBody, DocketHeader, DocketRefused};
use crate::merkle::{Frontier, MerkleRoot};
use crate::register::GenesisRecord;
use crate::{DocketHash, RegisterId};
use peerwright_secure::NodePublicKey;

pub(super) struct Next {
    register: RegisterId,
    number: u64,
    previous: Option<DocketHash>,
    history_root: MerkleRoot,
    last_control: u64,
    sealers_version: u32,
    not_before_micros: u64,
}

impl Next {
    pub(super) fn genesis(record: &GenesisRecord, register: RegisterId) -> Self {
        Self {
            register,
            number: 0,
            previous: None,
            history_root: Frontier::new().root(),
            last_control: 0,
            sealers_version: record.sealers.version(),
            not_before_micros: record.created_at_micros,
        }
    }

    pub(super) fn of(chain: &Chain) -> Self {
        Self {
            register: chain.register(),
            number: chain.history.size(),
            previous: Some(chain.head.hash),
            history_root: chain.history.root(),
            last_control: chain.last_control,
            sealers_version: chain.governance.sealers().version(),
            not_before_micros: chain.head.sealed_at_micros,
        }
    }

    /// Refuses a header that is not the next.
    pub(super) fn check(&self, header: &DocketHeader) -> Result<(), DocketRefused> {
        if header.register != self.register {
            return Err(DocketRefused::OtherRegister(header.register));
        }
        if header.number != self.number {
            return Err(DocketRefused::Number { expected: self.number, found: header.number });
        }
        match (self.previous, header.previous) {
            (None, None) => {}
            (None, Some(_)) => return Err(DocketRefused::GenesisHasPrevious),
            (Some(_), None) => return Err(DocketRefused::PreviousMissing),
            (Some(expected), Some(found)) if expected != found => {
                return Err(DocketRefused::Previous { expected, found });
            }
            (Some(_), Some(_)) => {}
        }
        if let Some(micros) = self.not_before_micros.checked_sub(header.sealed_at_micros).filter(|micros| *micros > 0) {
            return Err(DocketRefused::EarlierThanPrevious { micros });
        }
        if header.history_root != self.history_root {
            return Err(DocketRefused::History);
        }
        if header.last_control != self.last_control {
            return Err(DocketRefused::LastControl { expected: self.last_control, found: header.last_control });
        }
        if header.sealers_version != self.sealers_version {
            let (expected, found) = (self.sealers_version, header.sealers_version);
            return Err(DocketRefused::SealersVersion { expected, found });
        }
        if header.transaction_count == 0 {
            return Err(DocketRefused::Empty);
        }
        Ok(())
    }

    /// The header that passes [`Next::check`].
    pub(super) fn header(
        &self,
        body: &DocketBody,
        transactions_root: MerkleRoot,
        time_micros: u64,
        sealer: NodePublicKey,
        control: bool,
    ) -> Option<DocketHeader> {
        Some(DocketHeader {
            register: self.register,
            number: self.number,
            previous: self.previous,
            history_root: self.history_root,
            last_control: self.last_control,
            transactions_root,
            transaction_count: body.count(),
            body_bytes: u32::try_from(body.encoded().len()).ok()?,
            sealed_at_micros: time_micros.max(self.not_before_micros),
            sealer,
            sealers_version: self.sealers_version,
            control,
        })
    }
}
