//! What a network says to its nodes in numbers that stand for no field of their own: a node that does not know them
//! passes over them, so an older node takes the snapshot as it is.

use super::Settings;

/// Said with 1 where the sealers are to begin the network's system register.
const BEGINS_SYSTEM: u16 = 0xf000;
/// The network's authority over registers, eight bytes each, big-endian.
const AUTHORITY: [u16; 4] = [0xf010, 0xf011, 0xf012, 0xf013];

impl Settings {
    /// Says whether the sealers are to begin the network's system register, as long as the snapshot names none.
    pub fn set_begins_system(&mut self, begins: bool) {
        if begins {
            self.0.insert(BEGINS_SYSTEM, 1);
        } else {
            self.0.remove(&BEGINS_SYSTEM);
        }
    }

    /// Says which Ed25519 key, which the operator keeps, is the authority of registers that name no other.
    pub fn set_authority(&mut self, key: [u8; 32]) {
        let (parts, _) = key.as_chunks::<8>();
        self.0.extend(AUTHORITY.into_iter().zip(parts.iter().map(|part| u64::from_be_bytes(*part))));
    }

    /// The Ed25519 key, which the operator keeps, that is the authority of registers that name no other.
    #[must_use]
    pub fn authority(&self) -> Option<[u8; 32]> {
        let mut key = [0; 32];
        let (parts, _) = key.as_chunks_mut::<8>();
        for (part, number) in parts.iter_mut().zip(AUTHORITY) {
            *part = self.0.get(&number)?.to_be_bytes();
        }
        Some(key)
    }

    /// Whether the sealers are to begin the network's system register, as long as the snapshot names none.
    #[must_use]
    pub fn begins_system(&self) -> bool {
        self.0.get(&BEGINS_SYSTEM) == Some(&1)
    }
}

#[cfg(test)]
mod tests {
    use super::{AUTHORITY, BEGINS_SYSTEM, Settings};
    use crate::SettingId;

    #[test]
    fn what_is_said_is_heard_and_is_no_setting_of_a_field() {
        let mut settings = Settings::default();
        assert!(!settings.begins_system());
        settings.set_begins_system(true);
        assert!(settings.begins_system());
        assert_eq!((settings.known().count(), SettingId::from_number(BEGINS_SYSTEM)), (0, None));
        settings.set_begins_system(false);
        assert_eq!(settings, Settings::default());
    }

    #[test]
    fn an_authority_is_read_as_it_was_written_and_a_part_of_one_is_none() {
        let mut settings = Settings::default();
        let key = std::array::from_fn(|place| u8::try_from(place).unwrap());
        assert_eq!(settings.authority(), None);
        settings.set_authority(key);
        assert_eq!((settings.authority(), settings.known().count()), (Some(key), 0));
        settings.0.remove(&AUTHORITY[2]);
        assert_eq!(settings.authority(), None);
    }
}
