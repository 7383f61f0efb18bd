//! Files that only this node may read, written so that a crash leaves the old content or the new, never a mixture.

use super::VolumeError;
use nix::unistd::{getegid, geteuid};
use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

const OWNER_ONLY: u32 = 0o600;
const TEMPORARY: &str = "tmp";

/// Writes `content` beside `path`, syncs it, renames it over `path`, syncs the directory. When this returns, the content
/// survives a power loss.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), VolumeError> {
    write_and_rename(path, content).map_err(|source| VolumeError::Io { path: path.to_owned(), source })
}

fn write_and_rename(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = temporary(path);
    // What an earlier crash left there may have other permissions.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(TEMPORARY);
    name.into()
}

/// Reads at most `limit` bytes; `None` when there is no such file.
pub(super) fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, VolumeError> {
    let failed = |source| VolumeError::Io { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut content = Vec::new();
    file.take(limit + 1).read_to_end(&mut content).map_err(failed)?;
    if content.len() as u64 > limit {
        return Err(VolumeError::Damaged { path: path.to_owned(), reason: format!("is longer than {limit} bytes") });
    }
    Ok(Some(content))
}

/// As [`read`], and refuses a file that others may read.
///
/// A kubelet that mounts a volume with an fsGroup opens every file on it to that group. When the group is this process's
/// own and nobody else was let in, the file is closed again; otherwise the secret may have been read and is refused.
pub(super) fn read_secret(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, VolumeError> {
    let failed = |source| VolumeError::Io { path: path.to_owned(), source };
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        let own_group_only =
            mode & 0o007 == 0 && metadata.uid() == geteuid().as_raw() && metadata.gid() == getegid().as_raw();
        if !own_group_only {
            return Err(VolumeError::Exposed { path: path.to_owned(), mode });
        }
        fs::set_permissions(path, Permissions::from_mode(OWNER_ONLY)).map_err(failed)?;
        tracing::info!(file = %path.display(), "closed a key file that the mount had opened to the node's own group");
    }
    read(path, limit)
}
