//! The root of the operator's installation: whom a node believes before it believes anybody else.

use peerwright_secure::sha256;
use rustls_pki_types::{CertificateDer, pem::PemObject};
use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};
use thiserror::Error;

const LARGEST: u64 = 64 * 1024;

/// Why the install root was refused. Shown as one line.
#[derive(Debug, Error)]
pub enum InstallRootRefused {
    /// The file cannot be read.
    #[error("install-root {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is another than the one that this node was told to expect.
    #[error("install-root {}: its SHA-256 is {found}, install-root-sha256 says {expected}; the file was replaced or the pod template is old", path.display())]
    Replaced {
        /// The file.
        path: PathBuf,
        /// What it hashes to.
        found: String,
        /// What it should.
        expected: String,
    },
    /// The file is no certificate.
    #[error("install-root {}: is not a certificate in PEM", path.display())]
    NotACertificate {
        /// The file.
        path: PathBuf,
    },
}

/// The install root's certificate.
#[derive(Debug, Clone)]
pub struct InstallRoot(CertificateDer<'static>);

impl InstallRoot {
    /// Reads the file and compares it with its pin.
    pub fn read(path: &Path, pinned: &[u8; 32]) -> Result<Self, InstallRootRefused> {
        let mut text = Vec::new();
        fs::File::open(path)
            .and_then(|file| file.take(LARGEST).read_to_end(&mut text))
            .map_err(|source| InstallRootRefused::Unreadable { path: path.to_owned(), source })?;
        let found = sha256(&text);
        if found != *pinned {
            return Err(InstallRootRefused::Replaced {
                path: path.to_owned(),
                found: hex::encode(found),
                expected: hex::encode(pinned),
            });
        }
        CertificateDer::from_pem_slice(&text)
            .map(Self)
            .map_err(|_| InstallRootRefused::NotACertificate { path: path.to_owned() })
    }

    /// A root that was not read from a file: the one of a network in one process.
    #[must_use]
    pub fn from_der(der: Vec<u8>) -> Self {
        Self(der.into())
    }

    /// The certificate, DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0
    }
}
