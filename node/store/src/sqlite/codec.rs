//! Numbers of 64 bits in SQLite, whose integers are signed.

const TOP_BIT: u64 = 1 << 63;

/// Flips the top bit: the order of the stored integers is the order of the numbers, up to the largest.
pub(super) fn ordered(number: u64) -> i64 {
    (number ^ TOP_BIT).cast_signed()
}

/// The number that [`ordered`] stored.
pub(super) fn from_ordered(stored: i64) -> u64 {
    stored.cast_unsigned() ^ TOP_BIT
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
