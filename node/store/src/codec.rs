//! Numbers of 64 bits in SQLite, whose integers are signed; keys; limits.

use crate::StoreError;

const TOP_BIT: u64 = 1 << 63;

/// Flips the top bit: the order of the stored integers is the order of the numbers, up to the largest.
pub(crate) fn ordered(number: u64) -> i64 {
    (number ^ TOP_BIT).cast_signed()
}

/// The number that [`ordered`] stored.
pub(crate) fn from_ordered(stored: i64) -> u64 {
    stored.cast_unsigned() ^ TOP_BIT
}

/// A key of a fixed length.
pub(crate) fn key<const N: usize>(bytes: Vec<u8>) -> Result<[u8; N], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Damaged("a key has the wrong length".to_owned()))
}

/// The number for a `LIMIT`, or for a sum that is compared with one.
pub(crate) fn limit(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The position behind which a list goes on. Positions begin with 1.
pub(crate) fn position(after: Option<u64>) -> i64 {
    after.map_or(0, |after| i64::try_from(after).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_survives_at_both_ends() {
        let numbers = [0, 1, u64::MAX / 2, u64::MAX / 2 + 1, u64::MAX];
        assert!(numbers.map(ordered).is_sorted());
        assert_eq!(numbers.map(ordered).map(from_ordered), numbers);
    }
}
