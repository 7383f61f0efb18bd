//! What the store needs of a directory itself. Network file systems are refused: their locks and syncs do not do what
//! SQLite relies on.

use crate::StoreError;
use nix::sys::statfs::{FsType, statfs};
use std::{fs::File, path::Path};

/// Magic numbers of `statfs(2)` and of the kernel's `magic.h`.
const NETWORK_FILE_SYSTEMS: [(i128, &str); 13] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x6573_5546, "FUSE"),
    (0x0102_1997, "9P"),
    (0x00c3_6400, "CephFS"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "kAFS"),
    (0x7375_7245, "Coda"),
    (0x564c, "NCP"),
    (0x0bd0_0bd0, "Lustre"),
    (0x4750_4653, "GPFS"),
];

/// Accepts a directory on a local file system.
pub(crate) fn require_local(directory: &Path) -> Result<(), StoreError> {
    let status = statfs(directory)
        .map_err(|error| StoreError::Unopened(format!("{}: {}", directory.display(), error.desc())))?;
    match network_file_system(status.filesystem_type()) {
        None => Ok(()),
        Some(kind) => Err(StoreError::NetworkFileSystem { path: directory.to_owned(), kind }),
    }
}

/// The name of a network file system; `None` for every other. FUSE counts: what is behind it cannot be told.
fn network_file_system(kind: FsType) -> Option<&'static str> {
    // The type behind it is signed or not, as the C library has it; a magic number has 32 bits.
    let magic = i128::from(kind.0) & 0xffff_ffff;
    NETWORK_FILE_SYSTEMS.iter().find(|(known, _)| *known == magic).map(|(_, name)| *name)
}

/// Makes the names in a directory durable.
pub(crate) fn sync_names(directory: &Path) -> Result<(), StoreError> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| StoreError::Unopened(format!("{}: {error}", directory.display())))?;
    // The one sync that SQLite does not make, so that a disk on which power is lost would not hear of it.
    #[cfg(test)]
    peerwright_disk::directory_synced(directory);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::statfs::{EXT4_SUPER_MAGIC, FUSE_SUPER_MAGIC, NFS_SUPER_MAGIC, TMPFS_MAGIC};

    #[test]
    fn network_file_systems_are_told_from_local_ones() {
        assert_eq!(network_file_system(NFS_SUPER_MAGIC), Some("NFS"));
        assert_eq!(network_file_system(FUSE_SUPER_MAGIC), Some("FUSE"));
        assert_eq!(network_file_system(EXT4_SUPER_MAGIC), None);
        assert_eq!(network_file_system(TMPFS_MAGIC), None);
    }

    #[test]
    fn a_refusal_is_one_line_that_names_the_directory_and_what_to_use() {
        let refusal = StoreError::NetworkFileSystem { path: "/data".into(), kind: "NFS" }.to_string();
        assert_eq!(refusal.lines().count(), 1);
        assert!(refusal.contains("/data") && refusal.contains("NFS") && refusal.contains("block device"));
    }

    #[test]
    fn a_directory_that_is_missing_is_named() {
        let refusal = require_local(Path::new("/nowhere-at-all")).unwrap_err();
        assert!(refusal.to_string().contains("/nowhere-at-all"));
    }
}
