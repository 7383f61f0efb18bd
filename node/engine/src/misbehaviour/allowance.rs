//! How many of a group may be banned without a person having said so.

/// Whether one more of `members` may be banned when `banned` are: no more than `percent` of them.
pub(crate) fn has_room(members: usize, banned: usize, percent: u8) -> bool {
    banned.saturating_add(1).saturating_mul(100) <= members.saturating_mul(percent.into())
}

#[cfg(test)]
mod tests {
    use super::has_room;
    use proptest::prelude::*;

    #[test]
    fn a_quarter_is_the_most() {
        assert!(!has_room(3, 0, 25), "one of three is more than a quarter");
        assert!(has_room(4, 0, 25) && !has_room(4, 1, 25) && !has_room(7, 1, 25) && has_room(8, 1, 25));
        assert!(!has_room(0, 0, 25) && !has_room(1_000, 0, 0));
    }

    proptest! {
        #[test]
        fn banning_while_there_is_room_never_passes_the_share(members in 0..5_000usize, percent in 0..=25u8) {
            let banned = (0..=members).find(|banned| !has_room(members, *banned, percent)).unwrap_or(members);
            prop_assert!(banned * 100 <= members * usize::from(percent));
            prop_assert!((banned + 1) * 100 > members * usize::from(percent));
        }
    }
}
