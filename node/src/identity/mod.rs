//! What makes a node itself, on its volume: who it is, whose network it serves, what it was last told.
//!
//! ```text
//! node.key       seed of the Ed25519 node key, 0600, made once
//! tls.pem        TLS key and certificate chain, 0600, replaced at every renewal
//! snapshot.bin   the last signed snapshot
//! neighbours     addresses of good neighbours: the next start begins with them
//! network-uid    UID of the PeerNetwork that this volume serves
//! store.sqlite   registers (the store's own)
//! ```
//!
//! Whatever is written here is durable when the call returns.

mod leaf;
mod private;

pub use leaf::LeafMaterial;

use peerwright_secure::NodeKey;
use std::{
    fs::{DirBuilder, File, TryLockError},
    io,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};
use thiserror::Error;

/// A signed snapshot is at most its parts' limits; this is above their sum.
const LARGEST_SNAPSHOT: u64 = 2 * 1024 * 1024;
const LARGEST_LEAF: u64 = 64 * 1024;
/// A few lines, each an address.
const LARGEST_NEIGHBOURS: u64 = 1024;

/// Why a volume cannot be used. Shown as one line.
#[derive(Debug, Error)]
pub enum VolumeError {
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// A key file that others may have read.
    #[error("{}: others may read this key (mode {mode:04o}); if nobody did, chmod 600 it, otherwise remove it and give the node a new volume", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The volume belongs to another network.
    #[error("{}: this volume belongs to network {found}, not to {expected}; give the node a volume of its own", path.display())]
    ForeignNetwork {
        /// The volume's record.
        path: PathBuf,
        /// The network in it.
        found: String,
        /// The network that this node is configured for.
        expected: String,
    },
    /// A file that is not what was written there.
    #[error("{}: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Another process holds the volume.
    #[error("{}: another process uses this volume", path.display())]
    InUse {
        /// The lock file.
        path: PathBuf,
    },
    /// The operating system gave no random bytes.
    #[error("no random bytes for a node key")]
    NoRandomness,
}

/// The node's directory, held by this process alone. Without a directory everything is forgotten at the end.
#[derive(Debug)]
pub struct Volume {
    directory: Option<PathBuf>,
    _lock: Option<File>,
}

impl Volume {
    /// Opens `directory`, makes it when it does not exist, and checks that it serves `network_uid`.
    pub fn open(directory: &Path, network_uid: &str) -> Result<Self, VolumeError> {
        let failed = |source| VolumeError::Io { path: directory.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
        let lock = lock(&directory.join("lock"))?;
        let record = directory.join("network-uid");
        match private::read(&record, 256)? {
            None => private::replace(&record, network_uid.as_bytes())?,
            Some(found) if found.trim_ascii() == network_uid.as_bytes() => {}
            Some(found) => {
                let found = String::from_utf8_lossy(found.trim_ascii()).escape_default().to_string();
                return Err(VolumeError::ForeignNetwork { path: record, found, expected: network_uid.to_owned() });
            }
        }
        Ok(Self { directory: Some(directory.to_owned()), _lock: Some(lock) })
    }

    /// A volume that keeps nothing.
    #[must_use]
    pub fn forgetful() -> Self {
        Self { directory: None, _lock: None }
    }

    /// Where `name` is kept; `None` on a volume that keeps nothing.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.directory.as_ref().map(|directory| directory.join(name))
    }

    /// The node's key: made on the first start, read on every other.
    pub fn node_key(&self) -> Result<NodeKey, VolumeError> {
        let Some(path) = self.path("node.key") else { return Ok(NodeKey::from_seed(random_seed()?)) };
        if let Some(content) = private::read_secret(&path, 32)? {
            let seed = <[u8; 32]>::try_from(content.as_slice());
            return seed.map(NodeKey::from_seed).map_err(|_| VolumeError::Damaged {
                path,
                reason: "is not a node key of 32 bytes; restore it, or remove it to become another peer".to_owned(),
            });
        }
        let seed = random_seed()?;
        private::replace(&path, &seed)?;
        Ok(NodeKey::from_seed(seed))
    }

    /// The TLS key and chain of the last certificate; `None` before the first. A damaged file counts as none: the
    /// operator issues another.
    pub fn leaf(&self) -> Result<Option<LeafMaterial>, VolumeError> {
        let Some(path) = self.path("tls.pem") else { return Ok(None) };
        let Some(text) = private::read_secret(&path, LARGEST_LEAF)? else { return Ok(None) };
        let leaf = LeafMaterial::from_pem(&text);
        if leaf.is_none() {
            tracing::warn!(file = %path.display(), "is not a TLS key with its certificates; another will be asked for");
        }
        Ok(leaf)
    }

    /// Keeps a TLS key and its chain.
    pub fn keep_leaf(&self, leaf: &LeafMaterial) -> Result<(), VolumeError> {
        self.keep("tls.pem", leaf.to_pem().as_bytes())
    }

    /// The last snapshot, as it was kept.
    pub fn snapshot(&self) -> Result<Option<Vec<u8>>, VolumeError> {
        match self.path("snapshot.bin") {
            Some(path) => private::read(&path, LARGEST_SNAPSHOT),
            None => Ok(None),
        }
    }

    /// Keeps an encoded signed snapshot.
    pub fn keep_snapshot(&self, snapshot: &[u8]) -> Result<(), VolumeError> {
        self.keep("snapshot.bin", snapshot)
    }

    /// Addresses of good neighbours of this node's former life. Without them it finds others: what cannot be read counts
    /// as none.
    #[must_use]
    pub fn neighbours(&self) -> Vec<SocketAddr> {
        let Some(path) = self.path("neighbours") else { return Vec::new() };
        match private::read(&path, LARGEST_NEIGHBOURS) {
            Ok(text) => {
                let text = text.unwrap_or_default();
                String::from_utf8_lossy(&text).lines().filter_map(|line| line.parse().ok()).collect()
            }
            Err(error) => {
                tracing::warn!(%error, "the neighbours of the last start cannot be read; others will be found");
                Vec::new()
            }
        }
    }

    /// Keeps addresses of good neighbours for the next start.
    pub fn keep_neighbours(&self, addresses: &[SocketAddr]) -> Result<(), VolumeError> {
        let lines: String = addresses.iter().map(|address| format!("{address}\n")).collect();
        self.keep("neighbours", lines.as_bytes())
    }

    fn keep(&self, name: &str, content: &[u8]) -> Result<(), VolumeError> {
        self.path(name).map_or(Ok(()), |path| private::replace(&path, content))
    }
}

/// A snapshot outside of the volume: the one that the network's ConfigMap mounts.
pub fn mounted_snapshot(path: &Path) -> Result<Option<Vec<u8>>, VolumeError> {
    private::read(path, LARGEST_SNAPSHOT)
}

fn lock(path: &Path) -> Result<File, VolumeError> {
    let file = File::options().create(true).append(true).open(path);
    let file = file.map_err(|source| VolumeError::Io { path: path.to_owned(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(VolumeError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(VolumeError::Io { path: path.to_owned(), source }),
    }
}

fn random_seed() -> Result<[u8; 32], VolumeError> {
    let mut seed = [0; 32];
    crate::tls::fill_random(&mut seed).map_err(|_| VolumeError::NoRandomness)?;
    Ok(seed)
}

#[cfg(test)]
mod tests;
