//! The few file operations that are used here, with the path in their errors.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::{ClusterError, Result};

pub(crate) fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(ClusterError::file(path))
}

pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    fs::write(path, content).map_err(ClusterError::file(path))
}

/// Writes a control file of the kernel: it exists already, and creating it would be wrong.
pub(crate) fn set(path: &Path, value: &str) -> Result<()> {
    fs::OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut file| std::io::Write::write_all(&mut file, value.as_bytes()))
        .map_err(ClusterError::file(path))
}

pub(crate) fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(ClusterError::file(path))
}

/// Content of a file that may be absent.
pub(crate) fn read_if_present(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// Lower-case hex SHA-256 of the files' contents, in the order given.
pub(crate) fn digest<P: AsRef<Path>>(paths: &[P]) -> Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    for path in paths {
        let path = path.as_ref();
        let mut file = fs::File::open(path).map_err(ClusterError::file(path))?;
        loop {
            let count = file.read(&mut buffer).map_err(ClusterError::file(path))?;
            if count == 0 {
                break;
            }
            hash.update(buffer.get(..count).unwrap_or_default());
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The last lines of a log, for an error message.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    let text = read_if_present(path).unwrap_or_default();
    let all: Vec<&str> = text.lines().collect();
    all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
}
