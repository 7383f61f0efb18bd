//! How much a session keeps.

use thiserror::Error;

/// The fewest and most frames that a session may keep.
const FRAMES: std::ops::RangeInclusive<usize> = 16..=65_536;
/// The fewest and most bytes: one frame must always fit.
const BYTES: std::ops::RangeInclusive<usize> = 128 * 1024..=64 * 1024 * 1024;

/// What one end of a session keeps until it is acknowledged. Full: nothing more is numbered until it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Frames: 16 to 65,536.
    pub frames: usize,
    /// Bytes of them: 128 KiB to 64 MiB.
    pub bytes: usize,
}

impl Default for Window {
    fn default() -> Self {
        Self { frames: 4_096, bytes: 4 * 1024 * 1024 }
    }
}

/// A setting out of its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SessionSettingsRefused {
    /// The window's frames.
    #[error("a session keeps 16 to 65536 frames, not {0}")]
    Frames(usize),
    /// The window's bytes.
    #[error("a session keeps 128 KiB to 64 MiB, not {0} bytes")]
    Bytes(usize),
    /// The ladder's deaths.
    #[error("a carrier is given up after 1 to 20 deaths, not {0}")]
    Deaths(usize),
    /// One of the ladder's times.
    #[error("the times of carriers are from 1 second to 1 hour, not {0:?}")]
    Time(std::time::Duration),
}

impl Window {
    /// Checks every range.
    pub fn check(&self) -> Result<(), SessionSettingsRefused> {
        if !FRAMES.contains(&self.frames) {
            return Err(SessionSettingsRefused::Frames(self.frames));
        }
        if !BYTES.contains(&self.bytes) {
            return Err(SessionSettingsRefused::Bytes(self.bytes));
        }
        Ok(())
    }
}
