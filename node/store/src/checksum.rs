//! Finds what a disk has changed by itself. Not against people: what they could change is signed.

use peerwright_ledger::RegisterId;
use twox_hash::XxHash3_64;

/// Bytes that carry a checksum, and where they belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checked {
    /// The body of a docket.
    Body(RegisterId, u64),
    /// The ids of a docket's transactions.
    Ids(RegisterId, u64),
    /// The certificate of a docket.
    Certificate(RegisterId, u64),
    /// The checkpoint of a register.
    Checkpoint(RegisterId),
    /// A chunk of a run of the index.
    Chunk(i64),
    /// An entry of the sealing group's log.
    LogEntry(u64),
    /// What was purged of that log.
    Purged(u64),
    /// What was applied of it.
    Applied(u64),
    /// The vote.
    Vote,
}

impl Checked {
    /// XXH3 of the bytes, seeded with the XXH3 of their place, so that exchanged rows are found as well.
    pub(crate) fn checksum(self, bytes: &[u8]) -> i64 {
        const NONE: RegisterId = RegisterId::from_bytes([0; 16]);
        let (kind, register, number) = match self {
            Self::Body(register, number) => (0, register, number),
            Self::Ids(register, number) => (1, register, number),
            Self::Certificate(register, number) => (2, register, number),
            Self::Checkpoint(register) => (3, register, 0),
            Self::Chunk(run) => (4, NONE, run.cast_unsigned()),
            Self::LogEntry(index) => (5, NONE, index),
            Self::Purged(index) => (6, NONE, index),
            Self::Applied(index) => (7, NONE, index),
            Self::Vote => (8, NONE, 0),
        };
        let place = [&[kind][..], register.as_bytes(), &number.to_be_bytes()].concat();
        XxHash3_64::oneshot_with_seed(XxHash3_64::oneshot(&place), bytes).cast_signed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Stores that exist were written with these values.
    #[test]
    fn checksums_stay_what_they_are() {
        let register = RegisterId::from_bytes([7; 16]);
        let checksums = [&b""[..], b"body", &[1; 5_000]].map(|bytes| Checked::Body(register, 1).checksum(bytes));
        assert_eq!(checksums, [7_773_236_650_228_956_715, 3_573_246_888_659_775_716, -5_039_313_517_880_310_711]);
    }

    #[test]
    fn the_place_counts_as_the_bytes_do() {
        let [one, other] = [1, 2].map(|byte| RegisterId::from_bytes([byte; 16]));
        let places = [
            Checked::Body(one, 1),
            Checked::Body(one, 2),
            Checked::Body(other, 1),
            Checked::Ids(one, 1),
            Checked::Certificate(one, 1),
            Checked::Checkpoint(one),
            Checked::Chunk(1),
            Checked::LogEntry(1),
            Checked::Purged(1),
            Checked::Applied(1),
            Checked::Vote,
        ];
        let bytes = [&b""[..], b"a", b"b", &[0; 300], &[0; 301]];
        let checksums: BTreeSet<i64> =
            places.iter().flat_map(|place| bytes.map(|bytes| place.checksum(bytes))).collect();
        assert_eq!(checksums.len(), places.len() * bytes.len());
    }
}
