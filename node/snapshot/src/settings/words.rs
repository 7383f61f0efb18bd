//! What a network says to its nodes in numbers that stand for no field of their own: a node that does not know them
//! passes over them, so an older node takes the snapshot as it is.

use super::Settings;

/// Said with 1 where the sealers are to begin the network's system register.
const BEGINS_SYSTEM: u16 = 0xf000;

impl Settings {
    /// Says whether the sealers are to begin the network's system register, as long as the snapshot names none.
    pub fn set_begins_system(&mut self, begins: bool) {
        if begins {
            self.0.insert(BEGINS_SYSTEM, 1);
        } else {
            self.0.remove(&BEGINS_SYSTEM);
        }
    }

    /// Whether the sealers are to begin the network's system register, as long as the snapshot names none.
    #[must_use]
    pub fn begins_system(&self) -> bool {
        self.0.get(&BEGINS_SYSTEM) == Some(&1)
    }
}

#[cfg(test)]
mod tests {
    use super::{BEGINS_SYSTEM, Settings};
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
}
