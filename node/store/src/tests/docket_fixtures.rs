//! Dockets to store. The store reads nothing of them but what it is told.

use super::fixtures::register;
use crate::{DocketCertificate, Extension, NewDocket};
use bytes::Bytes;
use peerwright_ledger::{DocketHash, TransactionId};
use peerwright_secure::sha256;

/// A docket of a chain that can be told from every other: the same each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nth {
    pub(crate) register: u8,
    /// Chains of one register with different seeds have no docket in common.
    pub(crate) seed: u8,
    pub(crate) number: u64,
}

impl Nth {
    pub(crate) fn of(register: u8, number: u64) -> Self {
        Self { register, seed: 0, number }
    }

    fn header(self) -> Bytes {
        [&b"header"[..], &[self.register, self.seed], &self.number.to_be_bytes()].concat().into()
    }

    pub(crate) fn hash(self) -> DocketHash {
        DocketHash::from_bytes(sha256(&self.header()))
    }

    /// The ids of its transactions: 1 to 5.
    pub(crate) fn transactions(self) -> Vec<TransactionId> {
        (0..=self.number % 5)
            .map(|position| TransactionId::from_bytes(sha256(&[&self.header()[..], &position.to_be_bytes()].concat())))
            .collect()
    }

    /// Without a certificate.
    pub(crate) fn docket(self) -> NewDocket {
        let previous = self.number.checked_sub(1).map(|number| Self { number, ..self }.hash());
        let length = usize::try_from(self.number % 7).unwrap() * 900 + 1;
        NewDocket {
            number: self.number,
            previous,
            header: self.header(),
            body: vec![self.register ^ self.seed; length].into(),
            certificate: None,
            transactions: self.transactions(),
        }
    }

    pub(crate) fn certified(self) -> NewDocket {
        NewDocket { certificate: Some(self.certificate().certificate), ..self.docket() }
    }

    pub(crate) fn certificate(self) -> DocketCertificate {
        DocketCertificate {
            register: register(self.register),
            number: self.number,
            hash: self.hash(),
            certificate: [&b"certificate"[..], &self.header()].concat().into(),
        }
    }
}

/// Certified dockets with these numbers.
pub(crate) fn extension(of: u8, numbers: std::ops::Range<u64>) -> Extension {
    Extension {
        register: register(of),
        checkpoint: checkpoint(of, numbers.end),
        dockets: numbers.map(|number| Nth::of(of, number).certified()).collect(),
    }
}

/// What is kept beside the dockets below a number.
pub(crate) fn checkpoint(of: u8, below: u64) -> Bytes {
    format!("checkpoint of {of} below {below}").into()
}
